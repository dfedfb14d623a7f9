"""The trained agent of a run: saved in its backend's format, loaded whatever that is.

Loading executes nothing that the directory brings along, unless ``trust``.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spinup.backends import about, algorithms, backend_of, import_backend, missing_packages
from spinup.errors import UserError
from spinup.records.directory import find_run
from spinup.records.files import versions, write_atomically


class ForeignAgent(UserError):
    """A saved agent is made of classes from outside the package."""


def refuse_diverged(parameters: Iterable[Any]) -> None:
    """Raise UserError where any of the arrays or tensors, an agent's parameters, holds NaN or infinity."""
    if not all(bool((abs(x) < float("inf")).all()) for x in parameters):
        raise UserError(
            "The agent has diverged (its parameters are not finite): training stops here and the last save is kept; "
            "lower the learning rate."
        )


def save_agent(run: Path, backend: str, agent: Any, itr: int | None = None) -> None:
    """Write ``agent`` in the format of ``backend`` into the directory ``run``; also as snapshot ``itr``, if given.

    Raises:
        UserError: if parameters of it are not finite.
    """
    data = import_backend(backend, "backend").to_bytes(agent)
    for which in versions(itr):
        file = run / about(backend).MODEL_FILE.format(which)
        write_atomically(file, lambda temporary: temporary.write_bytes(data))


def load(path: str | Path, itr: int | str = -1, trust: bool = False) -> Any:
    """Load a trained agent, of any backend.

    Where a run holds it in two formats, one of them converted, it is loaded in the one that it is trained in, if that
    framework is installed.

    Args:
        path: output directory of a run, or a model file.
        itr: which snapshot; -1 or 'last' is the most recent save.
        trust: allow classes from outside the package, whose loading runs code.

    Returns:
        The actor-critic; its ``act(obs, deterministic=False)`` maps NumPy observations to actions.

    Raises:
        UserError: if there is no such run or snapshot, or if it is damaged or needs ``trust``.
    """
    path = Path(path)
    file = path if path.is_file() else _model_file(find_run(path), itr)
    agent = import_backend(_backend_of_file(file), "backend").from_file(file, trust)
    if not hasattr(agent, "act"):
        raise UserError(f"{str(file)!r} holds no agent but a {type(agent).__name__}.")
    return agent


def saved_models(run: Path, itr: int | str = -1) -> dict[str, Path]:
    """The file that holds the agent, or its snapshot ``itr``, for each backend that has saved one."""
    which = "" if itr in (-1, "last") else itr
    files = {backend: run / about(backend).MODEL_FILE.format(which) for backend in algorithms()}
    return {backend: file for backend, file in files.items() if file.is_file()}


def _model_file(run: Path, itr: int | str) -> Path:
    """The file of the backend that trains the run, as a converted one may be older, unless only the other is installed.

    Where none is installed, it is the same one, as its backend will complain.
    """
    if files := saved_models(run, itr):
        trained_in = _backend_of_run(run)
        return files[min(files, key=lambda backend: (bool(missing_packages(backend)), backend != trained_in))]
    if not saved_models(run):
        raise UserError(f"{str(run)!r} holds no saved agent yet.")
    snapshots = (file for backend in algorithms() for file in run.glob(about(backend).MODEL_FILE.format("*")))
    stems = {file.stem.removeprefix("model") for file in snapshots}
    kept = sorted(int(stem) for stem in stems if stem.isdecimal())
    which = (
        f"it has {', '.join(map(str, kept))}" if kept else "it kept only the last: train with --snapshots to keep more"
    )
    raise UserError(f"{str(run)!r} has no snapshot {itr}: {which}.")


def _backend_of_file(file: Path) -> str:
    """The backend that writes files of this name; PyTorch for any other name."""
    suffixes = {Path(about(backend).MODEL_FILE).suffix: backend for backend in algorithms()}
    return suffixes.get(file.suffix, "pytorch")


def _backend_of_run(run: Path) -> str:
    """The backend whose algorithm ``config.json`` names; empty where there is none, as after a custom training loop."""
    try:
        return backend_of(json.loads((run / "config.json").read_text(encoding="utf-8"))["algorithm"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
