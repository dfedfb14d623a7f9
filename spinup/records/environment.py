"""The environment of a run: ``env.json`` describes it; ``vars.pkl`` holds a pickle if JSON cannot."""

import copy
import functools
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, WrapperSpec
from gymnasium.wrappers.utils import RunningMeanStd

from spinup.errors import UserError, first_line, setting
from spinup.experience.envs import EnvFn, is_raised_by_gymnasium, make_env, reason_of
from spinup.experience.normalization import as_numbers, freeze, from_numbers
from spinup.experience.registration import import_module_of, with_module
from spinup.records.directory import find_run
from spinup.records.files import versions, write_atomically


def save_env(path: Path, env_fn: Callable[..., gym.Env], env: gym.Env | None = None) -> str | None:
    """Write ``env.json``, or ``vars.pkl`` if JSON cannot describe the environment; returns a warning if both fail.

    ``env`` is an environment that ``env_fn`` has built; None: build one, and close it.
    """
    spec = _describe_env(env_fn, env)
    if spec is not None:
        write_atomically(path / "env.json", lambda file: file.write_text(spec, encoding="utf-8"))
        return None
    if problem := save_vars(path, {"env_fn": env_fn}).get("env_fn"):
        return f"The environment could not be saved ({problem}); pass it to run_policy to run the agent."
    (path / "env.json").unlink(missing_ok=True)  # of another environment, and it would take precedence
    return None


def refuse_another_env(path: Path, env_fn: Callable[..., gym.Env], env: gym.Env | None = None) -> None:
    """Raise UserError if ``env_fn`` builds an environment other than the one in ``env.json``; ``env`` as above."""
    was, described = _in_one_line(_read_spec(path / "env.json")), _describe_env(env_fn, env)
    wanted = f"the environment of {env_fn!r}" if described is None else _in_one_line(EnvSpec.from_json(described))
    if was != wanted:
        raise UserError(f"{str(path)!r} was trained in {was} and cannot be resumed in {wanted}.")


def env_name_of(run: Path) -> str:
    """The id of the environment in ``env.json``, with its arguments if it has any; empty if there is none to read."""
    try:
        spec = _read_spec(run / "env.json")
    except UserError:
        return ""
    arguments = {key: value for key, value in spec.kwargs.items() if key != "render_mode"}
    return f"{spec.id} {arguments}" if arguments else spec.id


def _in_one_line(spec: EnvSpec) -> str:
    """The id of an environment and all settings that it is rebuilt from."""
    settings = {key: value for key, value in spec.kwargs.items() if key != "render_mode"}
    settings["max_episode_steps"] = spec.max_episode_steps
    if spec.additional_wrappers:
        settings["wrappers"] = [[wrapper.entry_point, wrapper.kwargs] for wrapper in spec.additional_wrappers]
    return f"{spec.id.rpartition(':')[2]} {json.dumps(settings, sort_keys=True)}"


def _describe_env(env_fn: Callable[..., gym.Env], env: gym.Env | None) -> str | None:
    """The EnvSpec of the environment that ``env_fn`` builds, as JSON; None if it has none that can rebuild it."""
    built = env_fn() if env is None else env
    spec = copy.deepcopy(built.spec)
    if env is None:
        built.close()
    if spec is None or any(w.kwargs is None or w.entry_point.startswith("__main__:") for w in spec.additional_wrappers):
        return None
    named = isinstance(env_fn, EnvFn) and env_fn.env_name.rpartition(":")[0]
    spec.id = f"{named}:{spec.id}" if named else with_module(spec.id)
    spec.entry_point = spec.vector_entry_point = None  # rebuilt by name; JSON cannot hold a class
    try:
        return json.dumps(json.loads(spec.to_json()), indent=4)
    except (TypeError, ValueError):  # a keyword argument or a wrapper that JSON cannot hold
        return None


def load_env(path: str | Path, trust: bool = False, render_mode: str | None = None, itr: int | str = "last") -> gym.Env:
    """Rebuild the environment of the run at ``path``, as its agent sees it.

    Wrappers of Gymnasium that normalise do so by the statistics saved with the agent, and change them no more.

    Args:
        path: output directory of a run.
        trust: allow code to run: the module of ``module:EnvId``, wrappers from outside Gymnasium, and the pickle
            ``vars.pkl``.
        render_mode: 'human', 'rgb_array', or None.
        itr: which snapshot's statistics; -1 or 'last' is the most recent save.

    Raises:
        UserError: if it cannot be rebuilt or drawn, or needs ``trust``.
    """
    run = find_run(path)
    env_fn = load_env_fn(run, trust)
    try:
        env = make_env(env_fn, render_mode=render_mode) if render_mode else make_env(env_fn)
    except TypeError as error:
        if "render_mode" not in str(error):
            raise
        raise UserError(f"The environment of {str(path)!r} cannot be drawn, as it takes no render_mode.") from error
    if statistics := _read_normalization(run, itr):
        freeze(env, statistics)
    return env


def save_normalization(run: Path, statistics: list[RunningMeanStd], itr: int | None = None) -> None:
    """Write the ``statistics`` of normalising wrappers as ``normalization.json``, and ``normalization<itr>.json``."""
    text = json.dumps([as_numbers(found) for found in statistics])
    for which in versions(itr) if statistics else ():
        write_atomically(run / f"normalization{which}.json", lambda file: file.write_text(text, encoding="utf-8"))


def _read_normalization(run: Path, itr: int | str) -> list[RunningMeanStd]:
    file = run / f"normalization{'' if itr in (-1, 'last') else itr}.json"
    if not file.is_file():
        return []
    try:
        return [from_numbers(numbers) for numbers in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{str(file)!r} does not hold the statistics of a normalisation ({first_line(error)})."
        ) from error


def env_settings(run: Path, trust: bool = False) -> dict[str, Any]:
    """The settings that build the environment of ``run``: ``env_name`` and ``env_kwargs``, or else ``env_fn``.

    Raises:
        UserError: see :func:`load_env`.
    """
    if not (run / "env.json").is_file() or (spec := _read_spec(run / "env.json")).additional_wrappers:
        return {"env_fn": load_env_fn(run, trust)}
    load_env_fn(run, trust)().close()  # imports the module that registers it, if trusted
    kwargs = {key: value for key, value in spec.kwargs.items() if key != "render_mode"}
    if spec.max_episode_steps != gym.registry[spec.id.rpartition(":")[2]].max_episode_steps:
        kwargs["max_episode_steps"] = spec.max_episode_steps
    return {"env_name": spec.id, **({"env_kwargs": kwargs} if kwargs else {})}


def load_env_fn(run: Path, trust: bool = False) -> Callable[..., gym.Env]:
    """A function that rebuilds the environment of ``run``; both raise the errors of :func:`load_env`."""
    if (run / "env.json").is_file():
        return functools.partial(_make_from_spec, _read_spec(run / "env.json"), trust)
    if not (run / "vars.pkl").is_file():
        raise UserError(f"{str(run)!r} holds no environment: make it yourself and pass it to run_policy.")
    if not trust:
        raise UserError(
            f"The environment of {str(run)!r} is a pickle (vars.pkl), which runs code when loaded: add "
            f"{setting('--trust')} if the run is your own."
        )
    try:
        state = dict(pickle.loads((run / "vars.pkl").read_bytes()))
    except Exception as error:  # unpickling runs arbitrary code
        raise UserError(f"{str(run / 'vars.pkl')!r} holds no environment ({first_line(error)}).") from error
    if "env_fn" in state:
        return state["env_fn"]
    if isinstance(state.get("env"), gym.Env):  # saved by a custom training loop: logger.save_state({"env": env}, None)
        return lambda **_: state["env"]
    found = ", ".join(map(repr, state)) or "nothing"
    raise UserError(f"{str(run / 'vars.pkl')!r} holds no environment (expected 'env' or 'env_fn', found {found}).")


def _read_spec(file: Path) -> EnvSpec:
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        name = written["id"]  # with its module, whose dots an EnvSpec does not allow
        spec = EnvSpec.from_json(json.dumps(written | {"id": name.rpartition(":")[2]}))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{str(file)!r} does not describe an environment ({first_line(error)}).") from error
    spec.id = name
    return spec


def _make_from_spec(saved: EnvSpec, trust: bool, **kwargs: Any) -> gym.Env:
    """Build from the *registered* spec of the same name: a file must not choose the code to run."""
    module, _, name = saved.id.rpartition(":")
    foreign = [w.entry_point for w in saved.additional_wrappers if not _is_harmless(w)]
    if module and module not in sys.modules:  # importing it runs its code, even if the environment is registered
        foreign.append(module)
    if foreign and not trust:
        raise UserError(
            f"The environment {saved.id!r} needs code from {', '.join(foreign)}: add {setting('--trust')} to import "
            "it, if you trust the run."
        )
    if name not in gym.registry:
        import_module_of(saved.id)
    if name not in gym.registry:
        raise UserError(f"The environment {name!r} is not registered here: import the package that registers it first.")
    spec: EnvSpec = copy.deepcopy(gym.registry[name])
    spec.kwargs.update({key: val for key, val in saved.kwargs.items() if key != "render_mode"})
    spec.max_episode_steps, spec.additional_wrappers = saved.max_episode_steps, saved.additional_wrappers
    try:
        return gym.make(spec, **kwargs)
    except Exception as error:  # an environment may raise anything for arguments that it rejects
        if "render_mode" in str(error) or not is_raised_by_gymnasium(error):
            raise
        raise UserError(f"The environment {name!r} of the run cannot be built here ({reason_of(error)}).") from error


def _is_harmless(wrapper: WrapperSpec) -> bool:
    module, _, name = wrapper.entry_point.partition(":")
    found = vars(gym.wrappers).get(name)
    known = isinstance(found, type) and issubclass(found, gym.Wrapper) and found.__module__ == module
    return known and name != "RecordVideo"  # it writes to a path from the file


def save_vars(path: Path, state: Mapping[str, Any], itr: int | None = None) -> dict[str, str]:
    """Pickle ``state`` as ``vars.pkl`` (and ``vars<itr>.pkl``), except what cannot be pickled.

    An empty ``state`` is not written.

    Returns:
        The keys that are left out, with the reason of each.
    """
    if not state:
        return {}
    data, problem = _pickle(dict(state))
    if problem:
        problems = {key: why for key, value in state.items() if (why := _pickle(value)[1])}
        problems = problems or dict.fromkeys(state, problem)
        return problems | save_vars(path, {key: state[key] for key in state if key not in problems}, itr)
    for which in versions(itr):
        write_atomically(path / f"vars{which}.pkl", lambda file: file.write_bytes(data))
    return {}


def _pickle(value: Any) -> tuple[bytes, str]:
    """``value`` as a pickle, and the reason if it cannot be one."""
    import cloudpickle

    try:
        return cloudpickle.dumps(value), ""
    except Exception as error:  # pickling runs the user's code, which may raise anything
        return b"", first_line(error)
