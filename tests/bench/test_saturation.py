"""``python -m bench.saturation``: the study of DDPG's saturated policies."""

from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench.saturation import __main__ as study
from bench.saturation.independent import Learner, forward, train_independently

RESULTS = Path(bench.__file__).parent / "results" / "saturation"


def test_saturated_rows_are_those_whose_every_output_is_beyond_the_threshold():
    assert study.saturation(np.array([[8.0, -9.0], [8.0, 1.0], [0.0, 0.0], [-10.0, 10.0]])) == (8.0, 0.5)


def test_rows_survive_the_file(tmp_path):
    rows = [study.Row(3, 5000, 37.5, 12.25, 0.5), study.Row(3, 10000, 250.0, 9.0, 0.0)]
    for row in rows:
        study.add_rows(tmp_path / "a.csv", [row])
    assert study.read_rows(tmp_path / "a.csv") == rows


def test_the_table_counts_the_dead(tmp_path):
    returns = {0: [38.0] * 8, 1: [38.0] * 5 + [200.0] * 3}
    rows = [study.Row(s, 5000 * (i + 1), x, 10.0, 1.0) for s, xs in returns.items() for i, x in enumerate(xs)]
    study.add_rows(tmp_path / "runs.csv", rows)
    assert study.markdown_table([tmp_path / "runs.csv"]).splitlines()[-1] == (
        "| runs | 2 | 1 (seeds 0) | 38 | 119 | 10.0 | 100% |"
    )


def test_one_seed_of_many_learns_as_it_would_alone():
    """A step on the sum of the losses is a step on each: no seed influences another."""
    torch.manual_seed(0)
    both = Learner(2, 3, 1)
    alone = Learner(1, 3, 1)
    with torch.no_grad():
        for mine, all_ in zip(
            [*alone.pi, *alone.q, *alone.pi_targ, *alone.q_targ], [*both.pi, *both.q, *both.pi_targ, *both.q_targ]
        ):
            mine.copy_(all_[1:])
    batch = [torch.randn(2, 5, 3), torch.randn(2, 5, 1), torch.randn(2, 5), torch.randn(2, 5, 3), torch.zeros(2, 5)]
    for _ in range(3):
        both.step(*batch)
        alone.step(*(x[1:] for x in batch))
    torch.testing.assert_close(forward(alone.pi, batch[0][1:]), forward(both.pi, batch[0])[1:])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["pytorch", "jax"])
def test_both_backends_can_be_watched(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "STEPS", 4000)
    monkeypatch.setattr(study, "TEST_EVERY", 2000)
    study.main(["run", "--backend", backend, "--seeds", "1", "--out", "rows.csv"])
    rows = study.read_rows(Path("rows.csv"))
    assert [row.steps for row in rows] == [2000, 4000]
    assert all(row.median_z > 0 and 0 <= row.saturated <= 1 for row in rows)


@pytest.mark.slow
def test_the_independent_rule_trains():
    rows = list(train_independently("Hopper-v5", [0, 1], 1500, 500, 7.9))
    assert [(row[0], row[1]) for row in rows] == [(s, t) for t in (500, 1000, 1500) for s in (0, 1)]
    assert rows[0][3] != rows[-2][3]


def test_the_page_shows_the_table_of_its_files():
    files = sorted(RESULTS.glob("*.csv"))
    assert files and study.markdown_table(files) in (RESULTS / "README.md").read_text(encoding="utf-8")
