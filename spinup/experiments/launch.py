"""Checking and running experiments: ``call_experiment``, and the choice of a launcher."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spinup import user_config
from spinup.errors import UserError, command, setting
from spinup.experiments.cores import count_jobs
from spinup.experiments.endings import suggest_plot
from spinup.experiments.experiment import Experiment, experiment_of
from spinup.experiments.launchers.in_parallel import run_in_parallel
from spinup.experiments.launchers.in_series import run_in_series
from spinup.experiments.launchers.on_ray import Cluster, run_on_ray
from spinup.experiments.names import setup_logger_kwargs
from spinup.experiments.preflight import check_experiments, check_launcher, check_retries

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
        ExperimentFailed: when the experiment has failed.
        KeyboardInterrupt: after Ctrl-C, with a message that says what is saved and how to continue.
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
    check_experiments(experiments, here)
    if report:
        report()
    (launcher or choose_launcher())(experiments)
    if len(experiments) > 1:
        suggest_plot(experiments)


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
    return lambda experiments: run_in_series(experiments, retries)


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
        date, resume = setting("--dt", "datestamp=True"), setting("--resume")
        raise UserError(
            f"A directory with a new date holds no run to resume: leave out either {date} (or FORCE_DATESTAMP in "
            f"user_config.py) or {resume}, or use `{command('resume PATH')}`."
        )
    logger_kwargs: dict[str, Any] = setup_logger_kwargs(exp_name, kwargs["seed"], data_dir, datestamp)
    if overwrite:
        logger_kwargs["overwrite"] = True
    if track:
        logger_kwargs["track"] = track
    return experiment_of(exp_name, thunk, kwargs, logger_kwargs | kwargs.get("logger_kwargs", {}), num_cpu)
