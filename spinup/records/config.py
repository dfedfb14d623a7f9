"""The ``config.json`` of a run: writing it, and restoring the call of the training function from it."""

import importlib
import inspect
import json
import os
import pkgutil
import pprint
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from spinup.backends import FRAMEWORKS, about, algorithms, backend_of, import_backend
from spinup.errors import UserError, did_you_mean, first_line, setting
from spinup.records.directory import PROGRESS, last_epoch, refuse_existing_run
from spinup.records.environment import env_name_of, env_settings, refuse_another_env

# Settings that may change on resuming: the length of training, where it is computed and what is saved.
MAY_CHANGE = {"epochs", "save_freq", "snapshots", "resume", "device", "threads", "logger_kwargs", "exp_name"}
_NOT_REUSED = {"algorithm", "env_fn", "exp_name", "logger_kwargs", "resume"}  # not passed on as they are written


def convert_json(obj: Any, outer: tuple = ()) -> Any:
    """``obj`` in JSON types: functions and classes by their dotted names, other objects by their ``repr``.

    A container inside itself becomes ``'...'``; ``outer`` are those that hold ``obj``.
    """
    if any(obj is container for container in outer):
        return "..."
    if isinstance(obj, Mapping):
        return {str(key): convert_json(val, (*outer, obj)) for key, val in obj.items()}
    if isinstance(obj, list | tuple | set | frozenset):
        return [convert_json(val, (*outer, obj)) for val in obj]
    if isinstance(obj, np.generic | np.ndarray):
        return convert_json(obj.tolist(), (*outer, obj))
    if isinstance(obj, float) and not np.isfinite(obj):
        return str(obj)
    if obj is None or isinstance(obj, str | int | float | bool):
        return obj
    if hasattr(obj, "__qualname__"):
        return dotted_name(obj)
    return repr(obj)


def dotted_name(obj: Any) -> str:
    """The name that imports a function or a class; a class method belongs to the class that it was taken from."""
    if inspect.ismethod(obj) and isinstance(
        obj.__self__, type
    ):  # its __qualname__ is that of the class that defines it
        return f"{dotted_name(obj.__self__)}.{obj.__name__}"
    module = getattr(obj, "__module__", None)  # methods of builtin classes have none
    return f"{module}.{obj.__qualname__}" if module else obj.__qualname__


def read_call(run: Path, trust: bool = False, with_env: bool = True) -> tuple[Callable, dict[str, Any], dict[str, Any]]:
    """The training function of ``run``, its hyperparameters, and the settings that build its environment.

    Functions and classes are found by their dotted names, the environment by ``env.json``. They are called later, with
    arguments from the same files, which may be a stranger's: only spinup's algorithms and agents and the frameworks'
    activations are allowed.

    Args:
        run: output directory of a run of one of spinup's algorithms.
        trust: allow any other name.
        with_env: also read the environment.

    Raises:
        UserError: if the files do not describe the call, or if it needs ``trust``.
    """
    config = read_config(run)
    name = algorithm_name(run, config)
    algorithm = _resolve(name, _algorithms_of_backend(name), "spinup's algorithms", trust)
    kwargs = {key: config[key] for key in inspect.signature(algorithm).parameters if key in config.keys() - _NOT_REUSED}
    if isinstance(kwargs.get("actor_critic"), str):
        agents = map(_agent_of, _algorithms_of_backend(kwargs["actor_critic"]))
        kwargs["actor_critic"] = _resolve(kwargs["actor_critic"], agents, "spinup's agents", trust)
    if isinstance(kwargs.get("ac_kwargs"), dict):
        kwargs["ac_kwargs"] = {key: _restore_value(value, trust) for key, value in kwargs["ac_kwargs"].items()}
    return algorithm, kwargs, env_settings(run, trust) if with_env else {}


def algorithm_name(run: Path, config: Mapping[str, Any]) -> str:
    """The dotted name of the algorithm in the ``config`` of ``run``; raises UserError if there is none."""
    name = config.get("algorithm")
    if not isinstance(name, str):
        raise UserError(f"{str(run / 'config.json')!r} does not name its algorithm, so the run cannot be repeated.")
    return name


def read_config(run: Path) -> dict[str, Any]:
    """The contents of ``config.json`` in ``run``; raises UserError if it is missing or damaged."""
    file = run / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        raise UserError(f"{str(file)!r} cannot be read as a configuration ({first_line(error)}).") from error
    return config


def refuse_changes(run: Path, config: Mapping[str, Any], env: gym.Env | None = None) -> None:
    """Check that ``run`` can be resumed with ``config``; a run that has not begun always can.

    ``env`` is an environment built by ``config["env_fn"]``; None: build one to compare, and close it.

    Raises:
        UserError: if its algorithm, environment or hyperparameters differ, or if it already has more epochs.
    """
    if not (run / "config.json").is_file():
        return
    old, new, free = read_config(run), convert_json(config), MAY_CHANGE
    if "env_fn" in config and (run / "env.json").is_file():  # more precise than the name of env_fn
        refuse_another_env(run, config["env_fn"], env)
        free = free | {"env_fn"}
    for key, (was, wanted) in _changes(old, new, free).items():
        raise UserError(
            f"{str(run)!r} was trained with {key}={was} and cannot be resumed with {wanted}: only "
            f"{', '.join(sorted(MAY_CHANGE - {'resume', 'logger_kwargs', 'exp_name'}))} may change."
        )
    done = last_epoch(run)
    if done is not None and new.get("epochs", done + 1) <= done:
        raise UserError(
            f"{str(run)!r} has been trained for {done + 1} epochs and cannot be resumed with epochs={new['epochs']}: "
            "give at least as many."
        )


def _changes(
    old: Mapping[str, Any], new: Mapping[str, Any], free: Collection[str] = MAY_CHANGE
) -> dict[str, tuple[str, str]]:
    """The settings in both that differ, except ``free`` ones, by name: the old and new value, as Python writes them."""
    changes = {}
    for key in sorted(old.keys() & new.keys() - {*free}, key=lambda key: (key != "algorithm", key)):
        was, wanted = (re.sub(r" at 0x[0-9a-fA-F]+", "", pprint.saferepr(c[key])) for c in (old, new))
        if was != wanted:
            changes[key] = was, wanted
    return changes


def refuse_taken_directory(config: Mapping[str, Any], by_name: bool = False) -> None:
    """Refuse the output directory in ``config`` if it already holds a run, in words that say how that run differs.

    Args:
        config: the arguments of a training function.
        by_name: whether the directory was made from the name of an experiment.
    """
    given = config.get("logger_kwargs") or {}
    if given.get("output_dir") is None:
        return
    run, overwrite, progress = Path(given["output_dir"]), given.get("overwrite", False), given.get("output_fname")
    refuse_existing_run(
        run, overwrite, config["resume"], progress or PROGRESS, _difference(run, convert_json(config)), by_name
    )


def _difference(run: Path, config: Mapping[str, Any]) -> str:
    """How ``run`` differs from ``config``; empty if it does not, or if nothing is known of it."""
    try:
        changes = _changes(read_config(run), config)
    except UserError:
        return ""
    if "env_fn" in changes and (name := env_name_of(run)):
        return f"its environment is {name}"
    return next((f"{key}={was} there, {wanted} here" for key, (was, wanted) in changes.items()), "")


def flat_settings(kwargs: dict[str, Any]) -> dict[str, Any]:
    """``kwargs`` with dicts flattened to the names of the command line, such as ``ac_kwargs:activation``."""
    flat: dict[str, Any] = {}
    for key, value in kwargs.items():
        flat |= {f"{key}:{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _restore_value(value: Any, trust: bool) -> Any:
    """``value``, or the object that it names if it looks like a dotted name in a framework."""
    if isinstance(value, str) and "." in value and value.split(".")[0] in FRAMEWORKS:
        return _resolve(value, _activations_named(value), "the activations of torch.nn and jax.nn", trust)
    return value


def _resolve(dotted: str, known: Iterable[Any], kind: str, trust: bool) -> Any:
    """The object in ``known`` that ``config.json`` writes as ``dotted``; with ``trust``, any object of this name."""
    if dotted.partition(".")[0] in ("__main__", "builtins") or "<" in dotted:
        raise UserError(f"{dotted!r} cannot be imported by name: call the training function from your script.")
    for candidate in known:
        if convert_json(candidate) == dotted:
            return candidate
    if not trust:
        trusting = f"add {setting('--trust')} if the run is your own"
        raise UserError(f"{dotted!r} is not one of {kind} and could run any code: {trusting}.")
    return import_by_name(dotted)


def _algorithms_of_backend(dotted: str) -> list[Callable]:
    """The training functions of the backend in the dotted name; none if it is not one of spinup's."""
    backend = backend_of(dotted)
    return [getattr(import_backend(backend, algo), algo) for algo in algorithms().get(backend, ())]


def _agent_of(algorithm: Callable) -> Any:
    return inspect.signature(algorithm).parameters["actor_critic"].default


def _activations_named(dotted: str) -> list[Any]:
    """The activation of this name in ``torch.nn`` or ``jax.nn``; the path between package and name is ignored."""
    package, name = dotted.partition(".")[0], dotted.rpartition(".")[2]
    backends = [backend for backend in algorithms() if about(backend).PACKAGES[0] == package]
    return [import_backend(backend, "backend").activation_named(name) for backend in backends]


def import_by_name(name: str) -> Any:
    """Import an object such as ``torch.nn.modules.activation.Tanh``, ``my_module.Agent.create`` or ``my_module:Agent``.

    Raises:
        UserError: if there is no such module or object; similar names are suggested.
    """
    parts = name.replace(":", ".").split(".")
    for count in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:count])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name and f"{module}.".startswith(f"{error.name}."):
                continue  # the rest of the name belongs to an object
            raise UserError(
                f"{name!r} cannot be imported: {module} needs {error.name!r}, not installed here."
            ) from None
        for depth, part in enumerate(parts[count:], count):
            if not hasattr(found, part):
                near = did_you_mean(part, dir(found))
                raise UserError(f"{name!r} cannot be imported: {'.'.join(parts[:depth])} has no {part!r}.{near}")
            found = getattr(found, part)
        return found
    near = did_you_mean(parts[0], [module.name for module in pkgutil.iter_modules([os.getcwd()])])
    raise UserError(
        f"{name!r} cannot be imported: there is no module {parts[0]!r}; install its package, or run from the folder "
        f"that contains it.{near}"
    )
