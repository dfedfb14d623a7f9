"""Environments as the algorithms see them.

``EnvFn`` builds an environment by name; ``make_env`` flattens its observations and adds a time limit.
"""

import math
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from spinup.errors import UserError, did_you_mean, first_line
from spinup.experience.contract import check_env, name_of
from spinup.experience.registration import import_module_of, needed_package, with_module

_WARNED: set[str] = set()  # warnings already shown, which every copy of an environment would repeat


class EnvFn:
    """A picklable function that builds the environment ``env_name`` (``'CartPole-v1'``, ``'my_module:MyEnv-v0'``).

    Args:
        env_name: a Gymnasium id; a module before a colon is imported first, to register its environments.
        env_kwargs: keyword arguments for the environment.

    Raises:
        UserError: if ``env_kwargs`` is not a dict; when called, for an unknown name (similar ones are suggested), a
            missing module, or keyword arguments that the environment rejects.
    """

    def __init__(self, env_name: str, env_kwargs: Mapping[str, Any] | None = None):
        if not isinstance(env_kwargs, Mapping | None):
            raise UserError(f"env_kwargs={env_kwargs!r} is invalid: expected a dict of arguments for the environment.")
        self.env_name, self.env_kwargs = env_name, dict(env_kwargs or {})

    def __call__(self, **kwargs: Any) -> gym.Env:
        if not isinstance(self.env_name, str) or not self.env_name:
            raise UserError(f"{self.env_name!r} is not the name of an environment: give one such as CartPole-v1.")
        import_module_of(self.env_name)
        try:
            with warnings.catch_warnings(record=True) as raised:  # shown below, if the environment is built
                env = gym.make(self.env_name, **self.env_kwargs, **kwargs)
        except (ImportError, gym.error.Error) as error:
            known = self.env_name.rpartition(":")[2] in gym.registry
            if known:
                problem = f"cannot be built ({reason_of(error)}).{_suggest_env(self.env_name)}"
            else:
                problem = needed_package(self.env_name) or f"does not exist.{_suggest_env(self.env_name)}"
            raise UserError(f"The environment {self.env_name!r} {problem}") from error
        except Exception as error:  # an environment may raise anything for arguments that it rejects
            if self.env_kwargs:
                raise UserError(f"{self.env_name} rejects env_kwargs {self.env_kwargs}: {reason_of(error)}.") from error
            if not is_raised_by_gymnasium(error):
                raise
            raise UserError(f"The environment {self.env_name!r} cannot be built ({reason_of(error)}).") from error
        for warning in raised:
            if str(warning.message) not in _WARNED:
                _WARNED.add(str(warning.message))
                warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
        return env

    def __getstate__(self) -> dict[str, Any]:
        # another process has not imported what this one has
        return vars(self) | {"env_name": with_module(self.env_name)}

    def __repr__(self) -> str:
        return f"EnvFn({self.env_name!r}, {self.env_kwargs!r})"


def reason_of(error: Exception) -> str:
    """The first line of ``error``, without Gymnasium's remark on how the environment was created."""
    return first_line(error).partition(" was raised from the environment creator")[0]


def _suggest_env(env_name: str) -> str:
    """A hint at the current version of ``env_name`` or at similar names; empty if it is the current version."""
    newest: dict[str, gym.envs.registration.EnvSpec] = {}
    for spec in gym.registry.values():
        if spec.namespace is None and (spec.version or 0) >= (newest.get(spec.name, spec).version or 0):
            newest[spec.name] = spec
    module, colon, env_id = env_name.rpartition(":")
    wanted = re.sub(r"-v\d+$", "", env_id)
    for name, spec in newest.items():
        if name.lower() == wanted.lower():
            return f" Did you mean {module + colon + spec.id!r}?" if spec.id != env_id else ""
    ids = {name.lower(): spec.id for name, spec in newest.items()}
    hint = did_you_mean(wanted.lower(), ids)
    for name, near in ids.items():
        hint = hint.replace(repr(name), repr(module + colon + near))
    return hint or " Write custom environments as module:EnvId."


def as_env_fn(env_fn: Callable[..., gym.Env] | str) -> Callable[..., gym.Env]:
    """``env_fn``, or the function that builds the environment of this name."""
    return EnvFn(env_fn) if isinstance(env_fn, str) else env_fn


def build_env(env_fn: Callable[..., gym.Env] | str) -> gym.Env:
    """The environment that ``env_fn`` builds; raises UserError if Gymnasium refuses to build it."""
    try:
        return as_env_fn(env_fn)()
    except Exception as error:
        if isinstance(error, UserError) or not is_raised_by_gymnasium(error):
            raise
        unknown = isinstance(error, gym.error.UnregisteredEnv)
        hint = ": check its name, and import the module that registers it inside env_fn" if unknown else ""
        raise UserError(f"env_fn cannot build its environment ({reason_of(error)}){hint}.") from error


def is_raised_by_gymnasium(error: BaseException) -> bool:
    """Whether Gymnasium's code raised ``error``: what the user's own code raises keeps its traceback."""
    if error.__cause__ is not None:
        return is_raised_by_gymnasium(error.__cause__)
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(modules) and modules[-1].startswith("gymnasium.")


def make_env(env_fn: Callable[..., gym.Env] | str, max_ep_len: float | None = None, **kwargs: Any) -> gym.Env:
    """Build an environment, given by a function or by its name, and :func:`adapt` it.

    ``kwargs`` (``render_mode``) are passed on to the function.
    """
    return adapt(as_env_fn(env_fn)(**kwargs), max_ep_len)


def adapt(env: gym.Env, max_ep_len: float | None = None) -> gym.Env:
    """``env`` with one flat observation vector, actions counted from 0 and a time limit.

    Args:
        env: an environment, as the user built it.
        max_ep_len: truncate episodes after this many steps, unless the environment's own limit is shorter; None and
            infinity: never.

    Raises:
        UserError: if it is no environment (see :func:`check_env`), or for observations that no flat network can use
            (images, text, graphs, sequences, nothing at all).
    """
    check_env(env)
    limit = env.spec.max_episode_steps if env.spec else None
    if max_ep_len is not None and max_ep_len < (math.inf if limit is None else limit):
        env = gym.wrappers.TimeLimit(env, int(max_ep_len))
    env = _count_actions_from_zero(env)
    space, name = env.observation_space, name_of(env)
    leaves = list(_leaves(space))
    if any(map(_is_image, leaves)):
        raise UserError(
            f"{name} observes images ({space}), which fully connected networks cannot use: wrap it to return "
            "float32 (it is then flattened) and pass a custom actor_critic that reshapes and convolves."
        )
    if not space.is_np_flattenable or any(isinstance(leaf, spaces.Text) for leaf in leaves):
        raise UserError(f"{name} observes {space}, which cannot be flattened: wrap it to return a Box of fixed shape.")
    if spaces.flatdim(space) == 0:
        raise UserError(f"{name} observes {space}, which holds no number: wrap it to return at least one.")
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return env
    return gym.wrappers.FlattenObservation(env)


def _count_actions_from_zero(env: gym.Env) -> gym.Env:
    space = env.action_space
    if not isinstance(space, spaces.Discrete) or space.start == 0:
        return env
    return gym.wrappers.TransformAction(env, lambda a: a + space.start, spaces.Discrete(int(space.n)))


def _leaves(space: spaces.Space) -> Iterator[spaces.Space]:
    """The elementary spaces of ``space``, which may be nested."""
    if not isinstance(space, spaces.Dict | spaces.Tuple | spaces.OneOf):
        yield space
        return
    for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
        yield from _leaves(part)


def _is_image(space: spaces.Space) -> bool:
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) >= 2


def clip_action(a: np.ndarray, space: spaces.Space) -> np.ndarray:
    """Clip ``a`` (one action or a batch) to the bounds of a Box; actions of other spaces stay as they are.

    A Gaussian policy is unbounded: log-probabilities are those of the sampled action, and only the action passed to
    the environment is clipped.
    """
    return np.clip(a, space.low, space.high) if isinstance(space, spaces.Box) else a
