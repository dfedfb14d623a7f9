"""The ``config.json`` of a run: what is written there, and the way back to the call that made it."""

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinup.backends import FRAMEWORKS, about, algorithms, backend_of, import_backend
from spinup.errors import UserError, first_line
from spinup.records.directory import last_epoch
from spinup.records.environment import env_settings, refuse_another_env

# What may change when a run is resumed: how long it trains, and what does not affect the numbers.
MAY_CHANGE = {"epochs", "save_freq", "snapshots", "resume", "device", "logger_kwargs", "exp_name"}
_NOT_REUSED = {"algorithm", "env_fn", "exp_name", "logger_kwargs", "resume"}  # not given as they are written


def convert_json(obj: Any) -> Any:
    """``obj`` as JSON can hold it: functions and classes by their dotted names, other objects by their ``repr``."""
    if isinstance(obj, Mapping):
        return {str(key): convert_json(val) for key, val in obj.items()}
    if isinstance(obj, list | tuple | set | frozenset):
        return [convert_json(val) for val in obj]
    if isinstance(obj, np.generic | np.ndarray):
        return convert_json(obj.tolist())
    if isinstance(obj, float) and not np.isfinite(obj):
        return str(obj)
    if obj is None or isinstance(obj, str | int | float | bool):
        return obj
    if hasattr(obj, "__qualname__"):
        module = getattr(obj, "__module__", None)  # methods of builtin classes have none
        return f"{module}.{obj.__qualname__}" if module else obj.__qualname__
    return repr(obj)


def read_call(run: Path, trust: bool = False, with_env: bool = True) -> tuple[Callable, dict[str, Any], dict[str, Any]]:
    """The training function of the run in ``run``, its hyperparameters, and those that build its environment.

    Functions and classes come back by their dotted names, the environment from ``env.json``. What a stranger's file
    names is called later, with arguments from the same file: so it may name our algorithms, their agents and the
    activations of the frameworks, and nothing else.

    Args:
        run: output directory of a run of one of our algorithms.
        trust: allow any other name.
        with_env: whether its environment is wanted.

    Raises:
        UserError: if the directory does not say how to make the run again, or if that needs ``trust``.
    """
    config = read_config(run)
    if not isinstance(config.get("algorithm"), str):
        raise UserError(f"{str(run / 'config.json')!r} does not name its algorithm, so the run cannot be made again.")
    algorithm = _find(config["algorithm"], _algorithms_beside(config["algorithm"]), "algorithms", trust)
    kwargs = {key: config[key] for key in inspect.signature(algorithm).parameters if key in config.keys() - _NOT_REUSED}
    if isinstance(kwargs.get("actor_critic"), str):
        agents = map(_agent_of, _algorithms_beside(kwargs["actor_critic"]))
        kwargs["actor_critic"] = _find(kwargs["actor_critic"], agents, "algorithms' agents", trust)
    if isinstance(kwargs.get("ac_kwargs"), dict):
        kwargs["ac_kwargs"] = {key: _value(value, trust) for key, value in kwargs["ac_kwargs"].items()}
    return algorithm, kwargs, env_settings(run, trust) if with_env else {}


def read_config(run: Path) -> dict[str, Any]:
    """What ``config.json`` in ``run`` says; raises UserError if it is missing or damaged."""
    file = run / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        raise UserError(f"{str(file)!r} cannot be read as a configuration ({first_line(error)}).") from error
    return config


def refuse_changes(run: Path, config: Mapping[str, Any]) -> None:
    """Check that ``run`` can be resumed with ``config``; a run that has not begun always can.

    Raises:
        UserError: if its algorithm, environment or hyperparameters were others, or if it has more epochs already.
    """
    if not (run / "config.json").is_file():
        return
    old, new, free = read_config(run), convert_json(config), MAY_CHANGE
    if "env_fn" in config and (run / "env.json").is_file():  # which says more than the name of a function
        refuse_another_env(run, config["env_fn"])
        free = free | {"env_fn"}
    for key in sorted(old.keys() & new.keys() - free, key=lambda key: (key != "algorithm", key)):
        was, wanted = (re.sub(r" at 0x[0-9a-fA-F]+", "", json.dumps(c[key], sort_keys=True)) for c in (old, new))
        if was != wanted:
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


def flat_settings(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments with the items of dicts apart, as the command line names them: ``ac_kwargs:activation``."""
    flat: dict[str, Any] = {}
    for key, value in kwargs.items():
        flat |= {f"{key}:{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _value(value: Any, trust: bool) -> Any:
    """``value``, or what it names if it looks like the dotted name of something in a framework."""
    if isinstance(value, str) and "." in value and value.split(".")[0] in FRAMEWORKS:
        return _find(value, _activations_like(value), "activations of torch.nn and jax.nn", trust)
    return value


def _find(dotted: str, known: Iterable[Any], kind: str, trust: bool) -> Any:
    """The one of ``known`` that ``config.json`` calls ``dotted``; if ``trust``, anything that has this name."""
    if dotted.partition(".")[0] in ("__main__", "builtins") or "<" in dotted:
        raise UserError(f"{dotted!r} has no name that leads back to it: call the training function from your script.")
    for candidate in known:
        if convert_json(candidate) == dotted:
            return candidate
    if not trust:
        raise UserError(f"{dotted!r} is none of the {kind}, and might run any code: add --trust if the run is yours.")
    return _named(dotted)


def _algorithms_beside(dotted: str) -> list[Callable]:
    """The training functions of the backend that ``dotted`` belongs to; none if it is not of ours."""
    backend = backend_of(dotted)
    return [getattr(import_backend(backend, algo), algo) for algo in algorithms().get(backend, ())]


def _agent_of(algorithm: Callable) -> Any:
    return inspect.signature(algorithm).parameters["actor_critic"].default


def _activations_like(dotted: str) -> list[Any]:
    """The activation of that name in ``torch.nn`` or ``jax.nn``; the path before its name is not followed."""
    package, name = dotted.partition(".")[0], dotted.rpartition(".")[2]
    backends = [backend for backend in algorithms() if about(backend).PACKAGES[0] == package]
    return [import_backend(backend, "backend").activation_named(name) for backend in backends]


def _named(dotted: str) -> Any:
    """``torch.nn.modules.activation.Tanh``, ``my_module.MyAgent.create``: what has this name."""
    parts = dotted.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for name in parts[count:]:
            found = getattr(found, name, None)
        if found is not None:
            return found
    raise UserError(f"There is no {dotted!r} here: install what it belongs to, or run from the folder that holds it.")
