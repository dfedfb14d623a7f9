"""What is said when experiments have ended or were interrupted, to those who type and to those who call Python."""

from functools import partial
from pathlib import Path

import pytest
from toy_runs import train

from spinup.algos.pytorch import core
from spinup.errors import command_line
from spinup.experiments.endings import after_interrupt, suggest_plot
from spinup.experiments.experiment import Experiment


def experiment(run, name="x", saved=None, function=train, env_name="CartPole-v1", **kwargs):
    """An experiment whose directory ``run`` holds the checkpoint of epoch ``saved``."""
    if saved is not None:
        (Path(run) / "checkpoint").mkdir(parents=True)
        (Path(run) / "checkpoint" / f"epoch{saved:06d}.npz").touch()
    return Experiment(name, function, {"logger_kwargs": {"output_dir": run}, **kwargs}, {"env_name": env_name})


def cannot_resume(seed=0, logger_kwargs=None): ...


SAVED = "{!r} is saved up to the end of epoch 7. Resume with"


@pytest.mark.parametrize(
    ("one", "typed", "in_python"),
    [
        (partial(experiment, "d/x/x_s0", saved=7), f"{SAVED}: spinup resume d/x/x_s0", f"{SAVED} resume=True."),
        (partial(experiment, "d/x y", saved=7), f"{SAVED}: spinup resume 'd/x y'", f"{SAVED} resume=True."),
        (
            partial(experiment, "d/x", saved=7, env_name="mine:E-v0"),
            f"{SAVED}: spinup resume d/x --trust",
            f"{SAVED} resume=True.",
        ),
        (
            partial(experiment, "d/x", saved=7, actor_critic=partial),
            f"{SAVED}: spinup resume d/x --trust",
            f"{SAVED} resume=True.",
        ),
        (
            partial(experiment, "d/x", saved=7, actor_critic=core.MLPActorCritic),
            f"{SAVED}: spinup resume d/x",
            f"{SAVED} resume=True.",
        ),
        (partial(experiment, "d/x"), "nothing is saved yet.", "nothing is saved yet."),
        (partial(experiment, "d/x", function=cannot_resume), "1 stopped.", "1 stopped."),
    ],
)
def test_after_an_interrupt(one, typed, in_python):
    interrupted = [one()]
    (run,) = (str(experiment.output_dir) for experiment in interrupted)
    assert after_interrupt(interrupted, "1 stopped") == f"Interrupted: {in_python.format(run)}"
    with command_line("spinup"):
        assert after_interrupt(interrupted, "1 stopped") == f"Interrupted: {typed.format(run)}"


@pytest.mark.parametrize(
    ("settings", "typed", "in_python"),
    [({}, "command and --resume", "grid and grid.add('resume', True)"), ({"resume": True}, "command", "grid")],
)
def test_after_the_interrupt_of_a_grid(settings, typed, in_python):
    several = [experiment(f"d/x/x_s{seed}", **settings) for seed in (0, 1)]
    assert after_interrupt(several, "2 stopped") == f"Interrupted: 2 stopped. Resume with the same {in_python}."
    with command_line("spinup"):
        assert after_interrupt(several, "2 stopped") == f"Interrupted: 2 stopped. Resume with the same {typed}."


@pytest.mark.parametrize(
    ("runs", "others", "shown"),
    [
        (["d/g/g_s0", "d/g/g_s1"], [], "d/g"),
        (["d/g_h32/g_h32_s0", "d/g_h64/g_h64_s0"], ["d/other"], "d/g_h"),
        (["d/g_h32/g_h32_s0", "d/g_h64/g_h64_s0"], ["d/g_h8"], "d/g_h32 d/g_h64"),
        (["d/g_a9/g_a9_s0", "d/g_a99/g_a99_s0"], [], "d/g_a9 d/g_a99"),
        (["d/script", "d/another"], [], "d/script d/another"),
    ],
)
def test_one_command_plots_all(runs, others, shown, capsys):
    for folder in [*runs, *others]:
        Path(folder).mkdir(parents=True)
    suggest_plot([experiment(run, Path(run).name.rpartition("_s")[0] or "x") for run in runs])
    assert capsys.readouterr().out == f"\nPlot all of them with\n  spinup plot {shown}\n"
