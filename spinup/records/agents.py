"""The trained agent of a run: saved in the format of its backend, loaded from any format.

Loading executes no code from the run directory unless ``trust`` is true.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spinup.backends import about, algorithms, backend_of, import_backend, missing_packages
from spinup.errors import UserError, setting
from spinup.records.directory import find_run
from spinup.records.files import versions, write_atomically


class ForeignAgent(UserError):
    """A saved agent contains classes from outside the package."""


def refuse_diverged(parameters: Iterable[Any]) -> None:
    """Raise UserError if any of an agent's ``parameters`` (arrays or tensors) is NaN or infinite."""
    if not all(bool((abs(x) < float("inf")).all()) for x in parameters):
        raise UserError(
            "The agent has diverged (its parameters are not finite): training stops and the last save is kept; "
            "lower the learning rate, or scale the rewards down if they are large."
        )


def save_agent(run: Path, backend: str, agent: Any, itr: int | None = None) -> None:
    """Write ``agent`` to the directory ``run`` in the format of ``backend``; also as snapshot ``itr``, if given.

    Raises:
        UserError: if any parameter is not finite.
    """
    data = import_backend(backend, "backend").to_bytes(agent)
    for which in versions(itr):
        file = run / about(backend).MODEL_FILE.format(which)
        write_atomically(file, lambda temporary: temporary.write_bytes(data))


def load(path: str | Path, itr: int | str = -1, trust: bool = False) -> Any:
    """Load a trained agent, of any backend.

    If a run holds it in two formats, one of them converted, the one that it was trained in is preferred, provided that
    its framework is installed.

    Args:
        path: output directory of a run, or a model file.
        itr: which snapshot; -1 or 'last' is the most recent save.
        trust: allow classes from outside the package, whose loading runs code.

    Returns:
        The actor-critic; its ``act(obs, deterministic=False)`` maps NumPy observations to actions.

    Raises:
        UserError: if the run or snapshot does not exist, is damaged, or needs ``trust``.
    """
    path = Path(os.path.expanduser(path))
    file = path if path.is_file() else _model_file(find_run(path), itr)
    agent = import_backend(_backend_of_file(file), "backend").from_file(file, trust)
    if not hasattr(agent, "act"):
        raise UserError(f"{str(file)!r} holds an object of type {type(agent).__name__}, not an agent.")
    return agent


def saved_models(run: Path, itr: int | str = -1) -> dict[str, Path]:
    """The existing files of the agent, or of its snapshot ``itr``, by backend."""
    which = "" if itr in (-1, "last") else itr
    files = {backend: run / about(backend).MODEL_FILE.format(which) for backend in algorithms()}
    return {backend: file for backend, file in files.items() if file.is_file()}


def _model_file(run: Path, itr: int | str) -> Path:
    """The file to load: of an installed backend if possible, then of the one that trains the run.

    A converted file may be older than the original. If no backend is installed, loading the original reports it.
    """
    if files := saved_models(run, itr):
        trained_in = _backend_of_run(run)
        return files[min(files, key=lambda backend: (bool(missing_packages(backend)), backend != trained_in))]
    if not saved_models(run):
        raise UserError(f"{str(run)!r} holds no saved agent yet.")
    snapshots = (file for backend in algorithms() for file in run.glob(about(backend).MODEL_FILE.format("*")))
    stems = {file.stem.removeprefix("model") for file in snapshots}
    kept = sorted(int(stem) for stem in stems if stem.isdecimal())
    only_last = f"it kept only the last: train with {setting('--snapshots')} to keep more"
    which = f"it has {', '.join(map(str, kept))}" if kept else only_last
    raise UserError(f"{str(run)!r} has no snapshot {itr}: {which}.")


def _backend_of_file(file: Path) -> str:
    """The backend with the suffix of ``file``; PyTorch for any other suffix."""
    suffixes = {Path(about(backend).MODEL_FILE).suffix: backend for backend in algorithms()}
    return suffixes.get(file.suffix, "pytorch")


def _backend_of_run(run: Path) -> str:
    """The backend of the algorithm in ``config.json``; empty if it names none, as after a custom training loop."""
    try:
        return backend_of(json.loads((run / "config.json").read_text(encoding="utf-8"))["algorithm"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
