"""Checks before the first experiment starts: a mistake late in a long grid must show up at once."""

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gymnasium import spaces

from spinup.backends import about, backend_of, import_backend
from spinup.errors import ExperimentFailed, UserError, first_line, setting
from spinup.experience.envs import EnvFn, make_env
from spinup.experience.registration import SCRIPT, module_that_registers
from spinup.experiments.experiment import Experiment, readable
from spinup.experiments.launchers.process import pickle_call, run_in_process
from spinup.hyperparameters import check_hyperparameters, check_keywords, with_defaults
from spinup.mpi.tools import ONE_PROCESS, find_launcher, num_procs, refuse_processes
from spinup.records.config import refuse_changes, refuse_taken_directory
from spinup.records.directory import holds_run, refuse_existing_run
from spinup.records.trackers import check_tracker_names, check_trackers

_AVAILABLE_DEVICES = ("cpu", "auto")
_GATHERING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_experiments(experiments: Sequence[Experiment], here: bool = True) -> None:
    """Check everything that another process will need, then this machine, then existing runs; write nothing.

    The message about an existing run comes last, because it would hide the others.

    Args:
        experiments: the experiments to run.
        here: whether they run on this machine, so that their devices must be in it.

    Raises:
        UserError: for the first mistake found.
        ExperimentFailed: for a missing device, which another process has reported.
    """
    for experiment in experiments:
        check_tracker_names(experiment.kwargs["logger_kwargs"].get("track", ()))
        check_call(experiment)
    check_directories([experiment.output_dir for experiment in experiments])
    check_activations(experiments)
    check_environments(experiments)
    for experiment in experiments:
        check_transport(experiment)
    if any(experiment.num_cpu > num_procs() for experiment in experiments):
        find_launcher()
    for experiment in experiments:
        if not experiment.is_finished:  # it will be skipped
            check_trackers(experiment.kwargs["logger_kwargs"].get("track", ()))
    if here:
        check_devices(experiments)
    for experiment in experiments:
        check_run(experiment)


def check_run(experiment: Experiment) -> None:
    """Refuse a directory that already holds a run, or the run to resume if it was trained with other settings."""
    if not _is_ours(experiment.thunk):  # custom algorithms may write anything to config.json
        overwrite = experiment.kwargs["logger_kwargs"].get("overwrite", False)
        refuse_existing_run(experiment.output_dir, overwrite, experiment.resumes, by_name=True)
        return
    config = _config_of(experiment)
    refuse_taken_directory(config, by_name=True)
    if experiment.resumes:
        refuse_changes(experiment.output_dir, config)


def _is_taken(experiment: Experiment) -> bool:
    """Whether its directory holds a run that it neither resumes nor replaces, so that it cannot run."""
    overwrite = experiment.kwargs["logger_kwargs"].get("overwrite", False)
    return holds_run(experiment.output_dir) and not (overwrite or experiment.resumes)


def check_call(experiment: Experiment) -> None:
    """Refuse unknown or missing arguments and, for spinup's own algorithms, invalid values."""
    thunk, kwargs = experiment.thunk, experiment.kwargs
    check_keywords(thunk, kwargs, also=["env_name"])
    for parameter in inspect.signature(thunk).parameters.values():
        required = parameter.default is parameter.empty and parameter.kind not in _GATHERING
        if required and parameter.name not in kwargs:
            what = "env_name" if parameter.name == "env_fn" else parameter.name
            raise UserError(f"{readable(thunk)} needs {what}, which this experiment does not set.")
    if _is_ours(thunk):
        if not about(_backend(thunk)).DATA_PARALLEL:
            refuse_processes(ONE_PROCESS, experiment.num_cpu)
        _config_of(experiment)


def _config_of(experiment: Experiment) -> dict[str, Any]:
    """The configuration that one of spinup's algorithms checks, and writes to ``config.json``."""
    thunk = experiment.thunk
    return check_hyperparameters(with_defaults(thunk, experiment.kwargs), thunk, experiment.num_cpu)


def _backend(algorithm_or_agent: Callable) -> str:
    """The backend of one of spinup's algorithms or agents; empty for a custom one."""
    return backend_of(f"{getattr(algorithm_or_agent, '__module__', '')}.")


def _is_ours(algorithm_or_agent: Callable) -> bool:
    return bool(_backend(algorithm_or_agent))


def _has_our_agent(experiment: Experiment) -> bool:
    """Whether the algorithm and its agent are both spinup's own; a custom agent may accept anything."""
    return _is_ours(experiment.thunk) and _is_ours(_agent_of(experiment))


def _agent_of(experiment: Experiment) -> Any:
    """The class of the experiment's agent; in JAX, ``actor_critic`` is a method of that class."""
    actor_critic = with_defaults(experiment.thunk, experiment.kwargs).get("actor_critic")
    return getattr(actor_critic, "__self__", actor_critic)


def check_retries(retries: int) -> None:
    """Raise UserError unless ``retries`` is an integer >= 0."""
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise UserError(f"retries={retries!r} is invalid: expected an integer >= 0.")


def check_launcher(launcher: str, **options: Any) -> None:
    """Raise UserError for an unknown ``launcher``, or for ``options`` that belong to another one."""
    if launcher not in ("local", "ray"):
        raise UserError(f"launcher={launcher!r} is invalid: expected 'local' or 'ray'.")
    for name, value in options.items():
        if launcher == "ray" and name == "jobs" and value is not None:
            raise UserError(f"jobs={value!r} is for this machine: on a Ray cluster, use cpus_per_run and gpus_per_run.")
        if launcher == "local" and name != "jobs" and value is not None:
            ray = setting("--launcher ray", "launcher='ray'")
            raise UserError(f"{name}={value!r} is for a Ray cluster: add {ray}.")


def check_directories(output_dirs: Sequence[Path]) -> None:
    """Raise UserError unless every run has its own, writable directory."""
    taken: set[Path] = set()
    for where in output_dirs:
        if where in taken:
            raise UserError(
                f"Two experiments of this grid would save to {where}: their values are equal, or look the same in a "
                "directory's name; leave one out, or choose values that differ in letters or digits."
            )
        taken.add(where)
        nearest = next(p for p in [where, *where.absolute().parents] if p.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK):
            raise UserError(f"Cannot save to {where}: {nearest} is not a directory that can be written to.")


def check_activations(experiments: Sequence[Experiment]) -> None:
    """Raise UserError unless every activation belongs to the framework of its algorithm, which is already imported."""
    tried: list[tuple[str, Any]] = []
    for experiment in experiments:
        backend, ac_kwargs = _backend(experiment.thunk), experiment.kwargs.get("ac_kwargs") or {}
        if "activation" not in ac_kwargs or not _has_our_agent(experiment):
            continue
        if (backend, activation := ac_kwargs["activation"]) not in tried:
            import_backend(backend, "backend").check_activation(activation)
            tried.append((backend, activation))


def check_environments(experiments: Sequence[Experiment]) -> None:
    """Build each environment given by name once; raise UserError if that fails or spinup's algorithm cannot use it."""
    built: dict[tuple[str, bool], spaces.Space] = {}
    for experiment in experiments:
        if "env_name" not in experiment.config:
            continue
        env_fn = experiment.kwargs["env_fn"]
        which = repr(env_fn), _is_ours(experiment.thunk)
        if which not in built:
            env = make_env(env_fn) if _is_ours(experiment.thunk) else env_fn()
            env.close()
            built[which] = env.action_space
        if _has_our_agent(experiment):
            _agent_of(experiment).check_action_space(built[which])


def check_transport(experiment: Experiment) -> None:
    """Raise UserError unless the call of ``experiment`` can be made in another process."""
    env_fn = experiment.kwargs.get("env_fn")
    if isinstance(env_fn, EnvFn) and module_that_registers(env_fn.env_name) == SCRIPT:
        raise UserError(
            f"The environment {env_fn.env_name!r} is registered only in the running script, which the process of an "
            f"experiment does not run: register it in a module, and write it as module:{env_fn.env_name}."
        )
    try:
        pickle_call(experiment)
    except Exception as error:  # pickling runs the user's code, which may raise anything
        name, value = next(_unpicklable(experiment))
        raise UserError(
            f"{name}={value!r} cannot be passed to the process of an experiment ({first_line(error)}): let it create "
            "what it needs when it is called."
        ) from error


def _unpicklable(experiment: Experiment) -> Iterator[tuple[str, Any]]:
    """The arguments of ``experiment`` that cannot be pickled; its function comes last, as all that is left."""
    for name, value in experiment.kwargs.items():
        try:
            pickle_call(replace(experiment, thunk=print, kwargs={name: value}))
        except Exception:
            yield name, value
    yield "thunk", experiment.thunk


def check_devices(experiments: Sequence[Experiment]) -> None:
    """Try every device that a grid of spinup's algorithms uses; a single experiment finds out by itself, if it runs.

    Each is tried in a separate process, because in this one a GPU would keep memory that the experiments need.

    Raises:
        ExperimentFailed: for the first missing device, which its process has reported.
    """
    if num_procs() > 1 or (len(experiments) == 1 and not _is_taken(experiments[0])):
        return
    chosen = [(_backend(e.thunk), e.kwargs.get("device", "cpu")) for e in experiments if _is_ours(e.thunk)]
    for backend, device in dict.fromkeys(chosen):
        if device not in _AVAILABLE_DEVICES:
            start = import_backend(backend, "training").start
            if status := run_in_process(Experiment(device, start, {"seed": 0, "device": device}, {})):
                raise ExperimentFailed(f"device={device!r} cannot be used here (see the error above).", status)
