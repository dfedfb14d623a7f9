"""Environments as the algorithms see them.

``EnvFn`` builds one by name; ``make_env`` adds what every agent needs: flat observations and a time limit.
"""

import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from spinup.errors import UserError, did_you_mean, first_line

_TOLD: set[str] = set()  # warnings of environments, which every copy would repeat


class EnvFn:
    """A picklable function that builds the environment ``env_name`` (``'CartPole-v1'``, ``'my_module:MyEnv-v0'``).

    Args:
        env_name: a Gymnasium id; a module before a colon is imported first, to register its environments.
        env_kwargs: keyword arguments for the environment.

    Raises:
        UserError: if ``env_kwargs`` is not a dict; when called, for an unknown name (near ones are suggested), a
            missing module, or keyword arguments it does not take.
    """

    def __init__(self, env_name: str, env_kwargs: Mapping[str, Any] | None = None):
        if not isinstance(env_kwargs, Mapping | None):
            raise UserError(f"env_kwargs={env_kwargs!r} is invalid: expected a dict of arguments for the environment.")
        self.env_name, self.env_kwargs = env_name, dict(env_kwargs or {})

    def __call__(self, **kwargs: Any) -> gym.Env:
        if not isinstance(self.env_name, str) or not self.env_name:
            raise UserError(f"{self.env_name!r} is not the name of an environment; give one such as CartPole-v1.")
        import_module_of(self.env_name)
        try:
            with warnings.catch_warnings(record=True) as raised:  # told only if the environment is built after all
                env = gym.make(self.env_name, **self.env_kwargs, **kwargs)
        except (ImportError, gym.error.Error) as error:
            known = self.env_name.rpartition(":")[2] in gym.registry
            problem = f"cannot be built ({_reason(error)})" if known else "does not exist"
            raise UserError(f"The environment {self.env_name!r} {problem}.{_suggest_env(self.env_name)}") from error
        except Exception as error:  # an environment may raise anything about arguments that it does not like
            if not self.env_kwargs:
                raise
            raise UserError(f"{self.env_name} refuses env_kwargs {self.env_kwargs}: {_reason(error)}.") from error
        for warning in raised:
            if str(warning.message) not in _TOLD:
                _TOLD.add(str(warning.message))
                warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
        return env

    def __repr__(self) -> str:
        return f"EnvFn({self.env_name!r}, {self.env_kwargs!r})"


def import_module_of(env_name: str) -> None:
    """Import ``my_module`` of ``'my_module:MyEnv-v0'``, whose import registers the environment."""
    module, colon, _ = env_name.rpartition(":")
    if not colon:
        return
    if not all(module.split(".")):
        raise UserError(f"{env_name!r} names no module before its colon: give it as my_module:MyEnv-v0.")
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"There is no module {error.name!r} to import for the environment {env_name!r}; "
            "install it, or run from the folder that holds it."
        ) from error


def _reason(error: Exception) -> str:
    """What went wrong, without what Gymnasium appends about how it was called."""
    return first_line(error).partition(" was raised from the environment creator")[0]


def _suggest_env(env_name: str) -> str:
    """The current version of ``env_name``, or the names that come near it; nothing if it is the current version."""
    newest: dict[str, gym.envs.registration.EnvSpec] = {}
    for spec in gym.registry.values():
        if spec.namespace is None and (spec.version or 0) >= (newest.get(spec.name, spec).version or 0):
            newest[spec.name] = spec
    env_id = env_name.rpartition(":")[2]
    wanted = re.sub(r"-v\d+$", "", env_id)
    for name, spec in newest.items():
        if name.lower() == wanted.lower():
            return f" Did you mean {spec.id!r}?" if spec.id != env_id else ""
    ids = {name.lower(): spec.id for name, spec in newest.items()}
    hint = did_you_mean(wanted.lower(), ids)
    for name, near in ids.items():
        hint = hint.replace(repr(name), repr(near))
    return hint or " Custom environments are given as module:EnvId."


def make_env(env_fn: Callable[..., gym.Env], max_ep_len: int | None = None, **kwargs: Any) -> gym.Env:
    """Build an environment as the agents see it: one flat observation vector, actions counted from 0, a time limit.

    Args:
        env_fn: builds the environment; ``kwargs`` (``render_mode``) are passed on.
        max_ep_len: truncate episodes after this many steps, where the environment's own limit is not shorter.

    Raises:
        UserError: for observations that no flat network can use (images, text, graphs, sequences).
    """
    env = env_fn(**kwargs)
    limit = env.spec.max_episode_steps if env.spec else None
    if max_ep_len is not None and (limit is None or max_ep_len < limit):
        env = gym.wrappers.TimeLimit(env, max_ep_len)
    env = _count_actions_from_zero(env)
    space, name = env.observation_space, env.spec.id if env.spec else type(env.unwrapped).__name__
    leaves = list(_leaves(space))
    if any(map(_is_image, leaves)):
        raise UserError(
            f"{name} observes images ({space}), which these fully connected networks cannot use: wrap it to return "
            "float32 (it is then flattened) and pass a custom actor_critic that reshapes and convolves."
        )
    if not space.is_np_flattenable or any(isinstance(leaf, spaces.Text) for leaf in leaves):
        raise UserError(f"{name} observes {space}, which has no flat form: wrap it to return a Box of fixed shape.")
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return env
    return gym.wrappers.FlattenObservation(env)


def _count_actions_from_zero(env: gym.Env) -> gym.Env:
    space = env.action_space
    if not isinstance(space, spaces.Discrete) or space.start == 0:
        return env
    return gym.wrappers.TransformAction(env, lambda a: a + space.start, spaces.Discrete(int(space.n)))


def _leaves(space: spaces.Space) -> Iterator[spaces.Space]:
    """The spaces that ``space`` is composed of."""
    if not isinstance(space, spaces.Dict | spaces.Tuple | spaces.OneOf):
        yield space
        return
    for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
        yield from _leaves(part)


def _is_image(space: spaces.Space) -> bool:
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) >= 2


def clip_action(a: np.ndarray, space: spaces.Space) -> np.ndarray:
    """Clip ``a`` (one action or a batch) to the bounds of a Box; other spaces leave it as it is.

    A Gaussian policy is unbounded: its log-probabilities are those of the action it drew, and only what the
    environment is given is clipped.
    """
    return np.clip(a, space.low, space.high) if isinstance(space, spaces.Box) else a
