"""The exercises: what they are about is there to be found."""

import importlib
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from gymnasium import spaces

import spinup
from spinup.algos.pytorch import ddpg
from spinup.analysis.curves import column_name, read_run
from spinup.analysis.plot import make_plots
from spinup.errors import UserError
from spinup.examples.pytorch import bench_ppo_cartpole
from spinup.exercises.pytorch.problem_set_2 import exercise2_2
from spinup.experience.buffers import Batch
from spinup.experiments.grid import ExperimentGrid

ROOT = Path(spinup.__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
OBS, ACT, GAMMA = spaces.Box(-1, 1, (3,)), spaces.Box(-2, 2, (2,)), 0.9


def test_the_grid_of_ppo_answers_mistakes_with_a_sentence(tmp_path):
    with pytest.raises(UserError, match="--num_runs 0 is invalid"):
        bench_ppo_cartpole.main(["--num_runs", "0"])
    with pytest.raises(UserError, match="unknown argument '--num_run'"):
        bench_ppo_cartpole.main(["--num_run", "1"])


def batch_of(n):
    torch.manual_seed(0)
    return Batch(torch.randn(n, 3), torch.randn(n, 2), torch.randn(n), torch.randn(n, 3), (torch.rand(n) < 0.5).float())


def test_the_bug_of_2_2_compares_every_value_with_every_target():
    ac, batch = exercise2_2.BuggedDDPGActorCritic(OBS, ACT, hidden_sizes=[8]), batch_of(5)
    y = ddpg.td_target(ac.pi, ac.q, batch, GAMMA)
    loss, _ = ddpg.q_loss(ac.q, batch, y)

    q, q2 = (ac.q(o, a).squeeze(-1) for o, a in ((batch.o, batch.a), (batch.o2, ac.pi(batch.o2))))
    wrong = [(q[i] - (r + GAMMA * (1 - d) * q2[i])) ** 2 for i in range(5) for r, d in zip(batch.r, batch.d)]
    torch.testing.assert_close(loss, torch.stack(wrong).mean())


@pytest.mark.parametrize(
    ("backend", "names"), [("pytorch", ["DDPGActorCritic", "BuggedDDPGActorCritic"]), ("jax", ["plain", "bugged"])]
)
def test_2_2_trains_with_and_without_the_bug(backend, names, monkeypatch):
    ran = []
    monkeypatch.setattr(ExperimentGrid, "run", lambda grid, thunk, **how: ran.append((grid.variants(), thunk, how)))
    importlib.import_module(f"spinup.exercises.{backend}.problem_set_2.exercise2_2").main(["--jobs", "auto"])
    [(variants, thunk, how)] = ran
    nets = [(v["actor_critic"].__name__, v["seed"]) for v in variants]
    assert nets == [(name, seed) for name in names for seed in (0, 10, 20)]
    assert thunk is getattr(spinup, f"ddpg_{backend}") and how["jobs"] == "auto"


# ---- the experiments that were run ----

FIGURES = {  # how `spinup plot` drew each from the runs beside it
    "2_1": dict(legend=["no value steps (train_v_iters=0)", "80 value steps"], smooth=5),
    "2_2": dict(legend=["with the bug", "without"], smooth=3),
}


@pytest.mark.parametrize("exercise", FIGURES)
def test_the_figures_are_those_of_the_runs(exercise):
    if f"matplotlib=={version('matplotlib')}\n" not in (ROOT / "constraints.txt").read_text(encoding="utf-8"):
        pytest.skip("another matplotlib may draw other pixels")
    make_plots(str(RESULTS / f"ex{exercise.replace('_', '-')}"), save="drawn.png", **FIGURES[exercise])
    assert Path("drawn.png").read_bytes() == (RESULTS / f"exercise{exercise}.png").read_bytes()


@pytest.mark.parametrize(("worse", "better"), [("ex2-1_v0", "ex2-1_v80"), ("ex2-2_bugged", "ex2-2_ddpg")])
def test_what_the_exercises_show(worse, better):
    ends = []
    for which in (worse, better):
        runs = [read_run(path) for path in sorted(RESULTS.glob(f"{which}*/*"))]
        ends.append([run.columns[column_name(run, "Performance")][-5:].mean() for run in runs])
    assert len(ends[0]) == len(ends[1]) == 3 and max(ends[0]) < min(ends[1])
