"""From the ``config.json`` of a run back to the call that made it."""

import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spinup.utils.errors import UserError, first_line
from spinup.utils.saving import env_settings
from spinup.utils.values import MODULES

_MADE_ANEW = {"algorithm", "env_fn", "exp_name", "logger_kwargs", "resume"}  # not given as they are written


def read_call(run: Path, trust: bool = False, with_env: bool = True) -> tuple[Callable, dict[str, Any], dict[str, Any]]:
    """The training function of the run in ``run``, its hyperparameters, and those that build its environment.

    Functions and classes come back by their dotted names, the environment from ``env.json``.

    Args:
        run: output directory of a run of one of our algorithms.
        trust: allow names from packages other than this one and the frameworks, whose import runs code.
        with_env: whether its environment is wanted.

    Raises:
        UserError: if the directory does not say how to make the run again, or if that needs ``trust``.
    """
    config = read_config(run)
    if not isinstance(config.get("algorithm"), str):
        raise UserError(f"{str(run / 'config.json')!r} does not name its algorithm, so the run cannot be made again.")
    algorithm = _named(config["algorithm"], trust)
    kwargs = {key: config[key] for key in inspect.signature(algorithm).parameters if key in config.keys() - _MADE_ANEW}
    if isinstance(kwargs.get("actor_critic"), str):
        kwargs["actor_critic"] = _named(kwargs["actor_critic"], trust)
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


def settings_of(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments with the items of dicts apart, as the command line names them: ``ac_kwargs:activation``."""
    flat: dict[str, Any] = {}
    for key, value in kwargs.items():
        flat |= {f"{key}:{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _value(value: Any, trust: bool) -> Any:
    """``value``, or what it names if it looks like the dotted name of something in a framework."""
    if isinstance(value, str) and "." in value and value.split(".")[0] in MODULES:
        return _named(value, trust)
    return value


def _named(dotted: str, trust: bool) -> Any:
    """``torch.nn.modules.activation.Tanh``, ``spinup.algos.jax.core.TD3ActorCritic.create``: what has this name."""
    package = dotted.partition(".")[0]
    if package not in {"spinup", *MODULES.values()} and not trust:
        raise UserError(f"{dotted!r} comes from {package!r}, whose import runs code: add --trust if the run is yours.")
    if package in ("__main__", "builtins") or "<" in dotted:
        raise UserError(f"{dotted!r} has no name that leads back to it: call the training function from your script.")
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
