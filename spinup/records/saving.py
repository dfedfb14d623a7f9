"""What a run directory holds, and how to get it back.

    config.json  progress.txt      written by the logger
    env.json                       how to rebuild the environment; vars.pkl holds a pickle where this cannot say it
    pyt_save/model.pt              the trained agent; model<itr>.pt are snapshots
    jax_save/model.safetensors     the same, of JAX
    checkpoint/                    what resuming needs: see checkpoints.py
    tensorboard/  wandb/           what trackers leave

Every file is written whole or not at all. Loading executes nothing that the directory brings along, unless ``trust``.
"""

import contextlib
import copy
import functools
import io
import json
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, WrapperSpec

from spinup.backends import backend_of, import_backend, missing_packages
from spinup.errors import UserError, first_line
from spinup.experience.envs import EnvFn, import_module_of, make_env

_PROGRESS = "progress.txt"
CHECKPOINTS = "checkpoint"
_CONTENTS = ("config.json", "env.json", "vars.pkl", "vars[0-9]*.pkl", "pyt_save", "jax_save", "tf1_save", CHECKPOINTS)
_TRACKED = ("tensorboard", "wandb")


# ---- the directory ----


def holds_run(path: str | Path) -> bool:
    """Whether ``path`` is the output directory of a run."""
    return (Path(path) / _PROGRESS).is_file()


def refuse_existing_run(
    path: str | Path, overwrite: bool = False, resume: bool = False, progress: str = _PROGRESS
) -> None:
    """Raise UserError if ``path`` is a file or holds a run already, with diagnostics in a file named ``progress``.

    Either ``overwrite`` or ``resume`` allows a run to be there; both together contradict each other.
    """
    if overwrite and resume:
        raise UserError(
            f"overwrite and resume contradict each other: should the run in {str(path)!r} be replaced, or go on? "
            "Leave one of the two out."
        )
    if overwrite or resume:
        return
    if (Path(path) / progress).is_file():
        raise UserError(
            f"{str(path)!r} already holds a run: add --resume to go on with it, --overwrite to replace it, --dt to put "
            "the date in the new one's name, or choose another --exp_name or --data_dir."
        )
    if Path(path).exists() and not Path(path).is_dir():
        raise UserError(f"{str(path)!r} is a file; results need a directory: choose another --exp_name or --data_dir.")


def make_run_dir(
    path: Path, overwrite: bool = False, resume: bool = False, progress: str = _PROGRESS
) -> filelock.BaseFileLock:
    """Make the output directory of a run, which writes its diagnostics to the file ``progress`` in it.

    ``overwrite`` removes what an earlier run left there, and nothing else; ``resume`` leaves it for the run to go on
    with.

    Returns:
        A lock, which is free once nobody in this process refers to it, or the process is gone.

    Raises:
        UserError: if it already holds a run and both are false, if both are true, if another process trains that run,
            or if it cannot be made.
    """
    refuse_existing_run(path, overwrite, resume, progress)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The output directory {str(path)!r} cannot be made: {error.strerror}.") from error
    lock = filelock.FileLock(path / ".lock", is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(f"{str(path)!r} is being trained by another process: wait for it, or end it first.") from None
    if overwrite:
        for old in (found for pattern in (progress, *_CONTENTS, *_TRACKED) for found in path.glob(pattern)):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    return lock


def find_run(path: str | Path) -> Path:
    """``path``, if it is the output directory of a run.

    Raises:
        UserError: if it is not; runs below it are named.
    """
    path = Path(path)
    if holds_run(path):
        return path
    below = sorted(str(found.parent) for found in path.rglob(_PROGRESS))
    if not below:
        what = f"holds no {_PROGRESS}" if path.exists() else "does not exist"
        raise UserError(f"{str(path)!r} is not a run: it {what}. Give the output directory of one.")
    more = f" and {len(below) - 3} more" if len(below) > 3 else ""
    raise UserError(f"{str(path)!r} is not a run, but there are runs below it: {', '.join(below[:3])}{more}. Give one.")


# ---- its checkpoints ----


def checkpoint_files(run: Path) -> dict[int, Path]:
    """The files of ``run`` by their epochs, the last one first."""
    numbered = ((re.fullmatch(r"epoch(\d+)\.npz", file.name), file) for file in (run / CHECKPOINTS).glob("epoch*.npz"))
    return dict(sorted(((int(name[1]), file) for name, file in numbered if name), reverse=True))


def last_epoch(run: str | Path) -> int | None:
    """The epoch, counted from 0, after which ``run`` was last checkpointed; None if it never was."""
    return next(iter(checkpoint_files(Path(run))), None)


def is_finished(run: str | Path, epochs: int | None = None) -> bool:
    """Whether ``run`` has been trained for ``epochs`` epochs; None means as many as its ``config.json`` says."""
    done = last_epoch(run)
    if done is None:
        return False
    if epochs is None:
        epochs = json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))["epochs"]
    return done + 1 >= epochs


# ---- writing ----


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file, then rename it to ``path``: readers see the old file or the new one.

    Its folder is made if it is missing. Even a loss of power leaves one of the two.

    Raises:
        UserError: if it cannot be written, because the disk is full for instance; the old file is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with saying_what_failed(path):
        path.parent.mkdir(exist_ok=True)
        try:
            write(temporary)
            with temporary.open("rb+") as file:  # "rb" would be enough, but not on Windows
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def saying_what_failed(path: Path) -> Iterator[None]:
    """Turn an error of the system about ``path`` into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): what was saved before is still there; "
            "mend this, then go on with --resume."
        ) from error


# ---- the environment ----


def save_env(path: Path, env_fn: Callable[..., gym.Env]) -> str | None:
    """Write ``env.json``, or ``vars.pkl`` for what it cannot describe; returns a sentence if neither worked."""
    spec = _describe_env(env_fn)
    if spec is not None:
        write_atomically(path / "env.json", lambda file: file.write_text(spec, encoding="utf-8"))
        return None
    try:
        save_vars(path, {"env_fn": env_fn})
    except Exception as error:  # pickling runs code of the user's own classes: anything may come out of it
        return f"The environment could not be saved ({first_line(error)}); test_policy will need it from you."
    (path / "env.json").unlink(missing_ok=True)  # another environment's, which would be believed first
    return None


def refuse_another_env(path: Path, env_fn: Callable[..., gym.Env]) -> None:
    """Raise UserError if ``env_fn`` builds another environment than the one that ``env.json`` describes."""
    was, described = _in_a_line(_read_spec(path / "env.json")), _describe_env(env_fn)
    wanted = f"what {env_fn!r} builds" if described is None else _in_a_line(EnvSpec.from_json(described))
    if was != wanted:
        raise UserError(f"{str(path)!r} was trained in {was} and cannot be resumed in {wanted}.")


def _in_a_line(spec: EnvSpec) -> str:
    """The name of an environment and all else that it is rebuilt from."""
    settings = {key: value for key, value in spec.kwargs.items() if key != "render_mode"}
    settings["max_episode_steps"] = spec.max_episode_steps
    if spec.additional_wrappers:
        settings["wrappers"] = [[wrapper.entry_point, wrapper.kwargs] for wrapper in spec.additional_wrappers]
    return f"{spec.id.rpartition(':')[2]} {json.dumps(settings, sort_keys=True)}"


def _describe_env(env_fn: Callable[..., gym.Env]) -> str | None:
    """The EnvSpec of what ``env_fn`` builds, as JSON, or None where it has none that could rebuild it."""
    env = env_fn()
    spec = copy.deepcopy(env.spec)
    env.close()
    if spec is None or any(w.kwargs is None or w.entry_point.startswith("__main__:") for w in spec.additional_wrappers):
        return None
    if isinstance(env_fn, EnvFn) and ":" in env_fn.env_name:
        spec.id = f"{env_fn.env_name.rpartition(':')[0]}:{spec.id}"
    spec.entry_point = spec.vector_entry_point = None  # rebuilt by name; a class is nothing that JSON could hold
    try:
        return json.dumps(json.loads(spec.to_json()), indent=4)
    except (TypeError, ValueError):  # a keyword argument or a wrapper that JSON cannot hold
        return None


def load_env(path: str | Path, trust: bool = False, render_mode: str | None = None) -> gym.Env:
    """Rebuild the environment of the run at ``path``, as its agent sees it.

    Args:
        path: output directory of a run.
        trust: allow what executes code: importing the module of ``module:EnvId``, wrappers from outside Gymnasium, and
            the pickle ``vars.pkl``.
        render_mode: 'human', 'rgb_array', or None.

    Raises:
        UserError: if it cannot be rebuilt or drawn, or needs ``trust``.
    """
    env_fn = load_env_fn(find_run(path), trust)
    if render_mode is None:
        return make_env(env_fn)
    try:
        return make_env(env_fn, render_mode=render_mode)
    except TypeError as error:
        if "render_mode" not in str(error):
            raise
        raise UserError(f"The environment of {str(path)!r} cannot be drawn, as it takes no render_mode.") from error


def env_settings(run: Path, trust: bool = False) -> dict[str, Any]:
    """The environment of ``run`` as settings of an experiment: ``env_name`` and ``env_kwargs``, or else ``env_fn``.

    Raises:
        UserError: see :func:`load_env`.
    """
    if not (run / "env.json").is_file() or (spec := _read_spec(run / "env.json")).additional_wrappers:
        return {"env_fn": load_env_fn(run, trust)}
    load_env_fn(run, trust)().close()  # imports the module that registers it, if that may be trusted
    kwargs = {key: value for key, value in spec.kwargs.items() if key != "render_mode"}
    if spec.max_episode_steps != gym.registry[spec.id.rpartition(":")[2]].max_episode_steps:
        kwargs["max_episode_steps"] = spec.max_episode_steps
    return {"env_name": spec.id, **({"env_kwargs": kwargs} if kwargs else {})}


def load_env_fn(run: Path, trust: bool = False) -> Callable[..., gym.Env]:
    """A function that rebuilds the environment of ``run``; it and this raise what :func:`load_env` does."""
    if (run / "env.json").is_file():
        return functools.partial(_make_from_spec, _read_spec(run / "env.json"), trust)
    if not (run / "vars.pkl").is_file():
        raise UserError(f"{str(run)!r} holds no environment: make it yourself and pass it to run_policy.")
    if not trust:
        raise UserError(
            f"The environment of {str(run)!r} is a pickle (vars.pkl), which runs code when loaded: add --trust "
            "(trust=True) if the run is your own."
        )
    try:
        state = dict(pickle.loads((run / "vars.pkl").read_bytes()))
    except Exception as error:  # unpickling runs the code of others
        raise UserError(f"{str(run / 'vars.pkl')!r} gives no environment ({first_line(error)}).") from error
    if "env_fn" in state:
        return state["env_fn"]
    if isinstance(state.get("env"), gym.Env):  # by a loop of one's own: logger.save_state({"env": env}, None)
        return lambda **_: state["env"]
    found = ", ".join(map(repr, state)) or "nothing"
    raise UserError(f"{str(run / 'vars.pkl')!r} gives no environment (it holds {found}; expected 'env' or 'env_fn').")


def _read_spec(file: Path) -> EnvSpec:
    try:
        return EnvSpec.from_json(file.read_text(encoding="utf-8"))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{str(file)!r} does not describe an environment ({first_line(error)}).") from error


def _make_from_spec(saved: EnvSpec, trust: bool, **kwargs: Any) -> gym.Env:
    """Build from the *registered* spec of the same name: a file must not say which code to run."""
    module, _, name = saved.id.rpartition(":")
    foreign = [w.entry_point for w in saved.additional_wrappers if not _is_harmless(w)]
    if module and module not in sys.modules:  # whoever is given its name may import it, however known the rest of it is
        foreign.append(module)
    if foreign and not trust:
        raise UserError(
            f"The environment {saved.id!r} needs code from {', '.join(foreign)}: add --trust (trust=True) "
            "to import it, if you trust the run."
        )
    if name not in gym.registry:
        import_module_of(saved.id)
    if name not in gym.registry:
        raise UserError(f"The environment {name!r} is not registered here: import the package that offers it first.")
    spec: EnvSpec = copy.deepcopy(gym.registry[name])
    spec.kwargs.update({key: val for key, val in saved.kwargs.items() if key != "render_mode"})
    spec.max_episode_steps, spec.additional_wrappers = saved.max_episode_steps, saved.additional_wrappers
    return gym.make(spec, **kwargs)


def _is_harmless(wrapper: WrapperSpec) -> bool:
    module, _, name = wrapper.entry_point.partition(":")
    found = vars(gym.wrappers).get(name)
    known = isinstance(found, type) and issubclass(found, gym.Wrapper) and found.__module__ == module
    return known and name != "RecordVideo"  # which writes where it is told to


def save_vars(path: Path, state: Mapping[str, Any], itr: int | None = None) -> None:
    """Pickle ``state`` as ``vars.pkl`` (and ``vars<itr>.pkl``); nothing is written for an empty one."""
    if not state:
        return
    import cloudpickle

    data = cloudpickle.dumps(dict(state))
    for which in _versions(itr):
        write_atomically(path / f"vars{which}.pkl", lambda file: file.write_bytes(data))


def _versions(itr: int | None) -> list[str]:
    """What follows the name of each file that a save writes: the snapshot's number, and nothing for the last one."""
    return [""] if itr is None else [str(itr), ""]


# ---- the agent ----

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
    for which in _versions(itr):
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
