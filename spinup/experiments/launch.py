"""Checking and running experiments: ``call_experiment``, and the choice of a launcher."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spinup import user_config
from spinup.errors import UserError
from spinup.experience.registration import with_module
from spinup.experiments.cores import count_jobs
from spinup.experiments.experiment import Experiment, experiment_of, readable
from spinup.experiments.launchers.in_parallel import run_in_parallel
from spinup.experiments.launchers.in_series import run_in_series
from spinup.experiments.launchers.on_ray import Cluster, run_on_ray
from spinup.experiments.names import setup_logger_kwargs
from spinup.experiments.preflight import check_devices, check_experiments, check_launcher, check_retries
from spinup.mpi.tools import only_first
from spinup.records.console import colorize, say

Launcher = Callable[[Sequence[Experiment]], None]


def call_experiment(
    exp_name: str,
    thunk: Callable,
    seed: int = 0,
    num_cpu: int | str = 1,
    data_dir: str | os.PathLike | None = None,
    datestamp: bool = False,
    overwrite: bool = False,
    retries: int = 0,
    track: Sequence[str] = (),
    **kwargs: Any,
) -> Path:
    """Run ``thunk(seed=seed, logger_kwargs=..., **kwargs)`` in a separate process, or in several.

    ``env_name`` (and ``env_kwargs``) among ``kwargs`` become ``env_fn``, a function that builds the environment.

    Args:
        exp_name: name of the experiment, and of its directory.
        thunk: a training function; one defined in the running script works too.
        seed: int >= 0.
        num_cpu: number of processes that train together over MPI, or 'auto' for the number of physical cores.
        data_dir, datestamp: see :func:`setup_logger_kwargs`.
        overwrite: replace an existing run in the directory, instead of refusing.
        retries: number of retries after a crash (but not after a user's mistake): from the last checkpoint if
            ``thunk`` takes ``resume``, else from the beginning.
        track: services that also show its rows: ``['tensorboard', 'wandb']`` or one of them.
        **kwargs: hyperparameters for ``thunk``.

    Returns:
        The output directory of the run.

    Raises:
        UserError: before anything runs or is written, for a wrong argument or a directory that holds a run.
        SystemExit: when the experiment fails or is interrupted (see ``launchers.run_in_series``).
    """
    variant = {"seed": seed, **kwargs}
    experiment = experiment_in(exp_name, thunk, variant, data_dir, datestamp, overwrite, num_cpu, track)
    launch([experiment], choose_launcher(retries=retries))
    return experiment.output_dir


def launch(
    experiments: Sequence[Experiment],
    launcher: Launcher | None = None,
    report: Callable[[], None] | None = None,
    here: bool = True,
) -> None:
    """Check all ``experiments``, call ``report``, then run them; raises as :func:`call_experiment` does.

    If they run ``here``, on this machine, their devices are checked too.
    """
    check_experiments(experiments)
    if here:
        check_devices(experiments)
    if report:
        report()
    (launcher or choose_launcher())(experiments)


def choose_launcher(
    jobs: int | str | None = None,
    retries: int | None = None,
    launcher: str = "local",
    ray_address: str | None = None,
    cpus_per_run: float | None = None,
    gpus_per_run: float | None = None,
) -> Launcher:
    """The launcher for these arguments of :meth:`ExperimentGrid.run`."""
    if retries is None:
        retries = 3 if launcher == "ray" else 0
    check_retries(retries)
    check_launcher(launcher, jobs=jobs, ray_address=ray_address, cpus_per_run=cpus_per_run, gpus_per_run=gpus_per_run)
    if launcher == "ray":
        cluster = Cluster(ray_address, 1 if cpus_per_run is None else cpus_per_run, gpus_per_run or 0)
        cluster.check()
        return lambda experiments: run_on_ray(experiments, cluster, retries)
    if jobs is not None:
        places = count_jobs(jobs)
        return lambda experiments: run_in_parallel(experiments, places, retries)
    return lambda experiments: run_in_series(experiments, _announce, _suggest_next_steps, retries)


def experiment_in(
    exp_name: str,
    thunk: Callable,
    variant: dict[str, Any],
    data_dir: str | os.PathLike | None,
    datestamp: bool,
    overwrite: bool,
    num_cpu: int | str,
    track: Sequence[str],
) -> Experiment:
    """The experiment for one variant of a grid, saved to the directory chosen by :func:`setup_logger_kwargs`."""
    kwargs = {"seed": 0, **variant}
    if kwargs.get("resume") and (datestamp or user_config.FORCE_DATESTAMP):
        raise UserError(
            "A directory with a new date holds no run to resume: leave out either --dt (datestamp, or "
            "FORCE_DATESTAMP in user_config.py) or --resume, or use `python -m spinup.run resume PATH`."
        )
    logger_kwargs: dict[str, Any] = setup_logger_kwargs(exp_name, kwargs["seed"], data_dir, datestamp)
    if overwrite:
        logger_kwargs["overwrite"] = True
    if track:
        logger_kwargs["track"] = track
    return experiment_of(exp_name, thunk, kwargs, logger_kwargs | kwargs.get("logger_kwargs", {}), num_cpu)


@only_first
def _announce(experiment: Experiment) -> None:
    print(colorize(f"\nRunning experiment {experiment.output_dir.name} with", "cyan", bold=True))
    for key, value in experiment.config.items():
        print(f"  {key}: {json.dumps(value, default=readable)}")
    if experiment.num_cpu > 1:
        print(f"in {experiment.num_cpu} processes")
    say(f"saving to {experiment.output_dir}\n")


@only_first
def _suggest_next_steps(experiment: Experiment) -> None:
    where = str(experiment.output_dir)
    where = subprocess.list2cmdline([where]) if os.name == "nt" else shlex.quote(where)
    print(colorize("\nThe experiment has ended. Plot its results with", "cyan", bold=True))
    print(f"  python -m spinup.run plot {where}")
    env_name = str(experiment.config.get("env_name"))
    trust = " --trust" if ":" in with_module(env_name) else ""  # it needs the user's own module
    print(colorize("and watch the trained agent with", "cyan", bold=True))
    say(f"  python -m spinup.run test_policy {where}{trust}")
