"""The trained agent of a run: saved in its backend's format, loaded whatever that is.

Loading executes nothing that the directory brings along, unless ``trust``.
"""

import copy
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spinup.backends import backend_of, import_backend, missing_packages
from spinup.errors import UserError, first_line
from spinup.records.directory import find_run
from spinup.records.files import versions, write_atomically

_MODELS = {"pytorch": "pyt_save/model{}.pt", "jax": "jax_save/model{}.safetensors"}  # by backend


class ForeignAgent(UserError):
    """A saved agent is made of classes from outside the package."""


def save_pytorch(path: Path, model: Any, itr: int | None = None) -> None:
    """Write a PyTorch model as ``pyt_save/model.pt`` (and ``model<itr>.pt``), on the CPU wherever it trains.

    Raises:
        UserError: if parameters of it are not finite.
    """
    import cloudpickle  # it keeps the code of classes that a user's script defines, which nothing could import later
    import torch

    if isinstance(model, torch.nn.Module):
        refuse_diverged(model.parameters())
        if any(p.device.type != "cpu" for p in model.parameters()):
            model = copy.deepcopy(model).cpu()
    data = io.BytesIO()  # given a file's name, torch.save() would write it into the file
    torch.save(model, data, pickle_module=cloudpickle)
    _write_model(path, "pytorch", data.getbuffer(), itr)


def refuse_diverged(parameters: Iterable[Any]) -> None:
    """Raise UserError where any of the arrays or tensors, an agent's parameters, holds NaN or infinity."""
    if not all(bool((abs(x) < float("inf")).all()) for x in parameters):
        raise UserError(
            "The agent has diverged (its parameters are not finite): training stops here and the last save is kept; "
            "lower the learning rate."
        )


def save_jax(path: Path, model: Callable[[], Any], itr: int | None = None) -> None:
    """Write the JAX agent that ``model()`` gives as ``jax_save/model.safetensors`` (and ``model<itr>.safetensors``)."""
    _write_model(path, "jax", import_backend("jax", "core").to_bytes(model()), itr)


def _write_model(run: Path, backend: str, data: bytes | memoryview, itr: int | None) -> None:
    for which in versions(itr):
        file = run / _MODELS[backend].format(which)
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
    agent = _load_jax(file) if file.suffix == ".safetensors" else _load_pytorch(file, trust)
    if not hasattr(agent, "act"):
        raise UserError(f"{str(file)!r} holds no agent but a {type(agent).__name__}.")
    return agent


def saved_models(run: Path, itr: int | str = -1) -> dict[str, Path]:
    """The file that holds the agent, or its snapshot ``itr``, for each backend that has saved one."""
    which = "" if itr in (-1, "last") else itr
    files = {backend: run / name.format(which) for backend, name in _MODELS.items()}
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
    stems = {file.stem.removeprefix("model") for name in _MODELS.values() for file in run.glob(name.format("*"))}
    kept = sorted(int(stem) for stem in stems if stem.isdecimal())
    which = (
        f"it has {', '.join(map(str, kept))}" if kept else "it kept only the last: train with --snapshots to keep more"
    )
    raise UserError(f"{str(run)!r} has no snapshot {itr}: {which}.")


def _backend_of_run(run: Path) -> str:
    """The backend whose algorithm ``config.json`` names; empty where there is none, as after a loop of one's own."""
    try:
        return backend_of(json.loads((run / "config.json").read_text(encoding="utf-8"))["algorithm"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _load_pytorch(file: Path, trust: bool) -> Any:
    import_backend("pytorch", "core")  # registers the classes that a saved agent is made of
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=not trust)
    except Exception as error:  # where a file is damaged, unpickling may raise anything
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign and not trust:
            raise ForeignAgent(
                f"The agent {str(file)!r} is made of {foreign[1]}, which is not part of this package and would run "
                "code when loaded: add --trust (trust=True) if the run is your own."
            ) from error
        missing = f", or needs code that is not here ({first_line(error)})" if trust else ""
        raise UserError(f"{str(file)!r} is no saved agent, or damaged{missing}.") from error


def _load_jax(file: Path) -> Any:
    core = import_backend("jax", "core")
    try:
        return core.from_file(file)
    except ForeignAgent:
        raise
    except Exception as error:  # where a file is damaged or made by others, anything may be missing or of another kind
        raise UserError(f"{str(file)!r} is no saved agent, or damaged ({first_line(error)}).") from error
