"""The numbers of the essay are those of the committed runs: its table of environments, and the runs it compares."""

import re
import sys
from pathlib import Path
from statistics import fmean, median

import pytest

import spinup

DOCS = Path(spinup.__file__).parents[1] / "docs"
sys.path.append(str(DOCS / "_ext"))
results = pytest.importorskip("results", reason="the extra docs is not installed")
PAGE = (DOCS / "spinningup" / "spinningup.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| `(spinup .*)` \| (\S+ \(.*\)) \| (\S+) \|$", PAGE, flags=re.MULTILINE)
MADE_BY = ("cartpole_ppo", "acrobot_trpo_jax", "lunarlander_trpo_jax")
MADE_BY += ("acrobot_dqn_jax", "pendulum_sac_jax", "halfcheetah_ppo_jax")


def ends(name, runs):
    """What each of the first ``runs`` runs of an experiment ended with."""
    return [round(results.last_tenth(run)) for run in results.read_runs(name)[0][:runs]]


@pytest.mark.parametrize(("name", "row"), list(zip(MADE_BY, TABLE, strict=True)))
def test_each_row_of_the_table_was_measured(name, row):
    command, shown, minutes = row
    runs, settings = results.read_runs(name)
    results.check_command(command, settings)
    reached = sorted(map(results.last_tenth, runs))
    assert len(runs) == 5 and f"{median(run.seconds for run in runs) / 60:.1f}" == minutes
    assert f"{fmean(reached):.0f} ({reached[0]:.0f} to {reached[-1]:.0f})" == shown


def test_the_runs_that_it_compares_are_those_in_the_results():
    assert f"ppo = {ends('halfcheetah_ppo_jax', 5) + ends('halfcheetah_ppo_pytorch', 3)}\n" in PAGE
    assert f"trpo, ppo_ = {ends('swimmer_trpo_jax', 5)}, {ends('swimmer_ppo_jax', 5)}\n" in PAGE


def test_a_study_of_two_variants_with_ten_seeds_takes_as_long_as_it_says():
    environments = ("halfcheetah", "hopper", "walker2d", "swimmer", "ant")
    runs = [results.read_runs(f"{name}_ppo_jax")[0] for name in environments]
    hours = 2 * 10 * sum(median(run.seconds for run in of_one) for of_one in runs) / 3600
    assert "about seven hours" in PAGE and round(hours) == 7


def test_the_algorithms_have_as_many_lines_as_it_says():
    names = ("vpg", "dqn", "ppo", "ddpg", "td3", "sac")
    files = ["examples/pytorch/pg_math/1_simple_pg.py", *(f"algos/pytorch/{name}.py" for name in names)]
    lines = [len((DOCS.parent / "spinup" / file).read_text(encoding="utf-8").splitlines()) for file in files]
    table = PAGE.partition("| | ours has |")[2].partition("Lines include")[0]
    assert list(map(int, re.findall(r"\b\d{3}\b", table))) == lines
