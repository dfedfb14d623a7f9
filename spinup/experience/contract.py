"""What an environment must be, and what its ``reset`` and ``step`` must return.

The first results of every copy are checked as they come. Nothing is called in advance, so a well-formed environment
behaves as if it had not been checked. An exception that the environment's own code raises keeps its traceback.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from spinup.errors import UserError
from spinup.experience.memory import layers_of

_CONTRACT = "reset must return (observation, info), and step (observation, reward, terminated, truncated, info)"
_NUMBERS = "biuf"  # kinds of NumPy's types: bool, signed, unsigned, floating


def check_env(env: Any) -> None:
    """Check ``env`` itself now, and the results of its first ``reset`` and first ``step`` when they are called.

    Raises:
        UserError: if ``env`` is not one ``gymnasium.Env``, lacks a space, or has a ``reset`` without ``seed`` or
            ``options``. The first ``reset`` and ``step`` raise it for a result of the wrong form, and for an
            observation whose shape or type is not that of the observation space.
    """
    if not isinstance(env, gym.Env):
        raise UserError(f"An environment must be a gymnasium.Env, not {_describe_other(env)}; its {_CONTRACT}.")
    for layer in layers_of(env):
        for name in ("observation_space", "action_space"):
            space = getattr(layer, name, None)
            if not isinstance(space, spaces.Space):
                raise _refusal(layer, f"has the {name} {_describe(space)}: set it to one of gymnasium.spaces")
        if type(layer).__module__.startswith("gymnasium.wrappers."):
            continue
        if not _takes(layer.reset, "seed", "options"):
            wanted = "reset(self, *, seed=None, options=None)"
            raise _refusal(layer, f"has a reset without seed or options: define {wanted}; {_CONTRACT}")
        _FirstCall.await_(layer, "reset", _check_reset)
        _FirstCall.await_(layer, "step", _check_step)


def name_of(env: gym.Env) -> str:
    """The id of ``env``; without one, the name of its class."""
    return env.spec.id if env.spec else type(env.unwrapped).__name__


class _FirstCall:
    """Stands in for a method of an environment for one call, to ``check`` what it returns."""

    __slots__ = ("_check", "_env", "_method", "_own")  # without a dict it is no part of what the environment remembers

    def __init__(self, env: gym.Env, method: str, check: Callable[[gym.Env, Any], None]):
        self._env, self._method, self._check = env, method, check
        self._own = vars(env).get(method)  # an instance may have a method that its class has not

    @classmethod
    def await_(cls, env: gym.Env, method: str, check: Callable[[gym.Env, Any], None]) -> None:
        """Check the next result of ``method``, once."""
        if not isinstance(vars(env).get(method), cls):
            setattr(env, method, cls(env, method, check))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._own is None:
            delattr(self._env, self._method)
        else:
            setattr(self._env, self._method, self._own)
        result = getattr(self._env, self._method)(*args, **kwargs)
        self._check(self._env, result)
        return result


def _check_reset(env: gym.Env, result: Any) -> None:
    if not _is_row(2, result) or not isinstance(result[1], Mapping):
        raise _refusal(env, f"returned {_describe(result)} from reset: {_CONTRACT}")
    _check_observation(env, "reset", result[0])


def _check_step(env: gym.Env, result: Any) -> None:
    if not _is_row(5, result) or not isinstance(result[4], Mapping):
        raise _refusal(env, f"returned {_describe(result)} from step: {_CONTRACT}")
    o2, *numbers, _ = result
    _check_observation(env, "step", o2)
    for name, x in zip(("reward", "terminated", "truncated"), numbers, strict=True):
        if np.ndim(x) or np.asarray(x).dtype.kind not in _NUMBERS:
            expected = "one number" if name == "reward" else "True or False"
            raise _refusal(env, f"returned {_describe(x)} as {name} from step: expected {expected}; {_CONTRACT}")


def _check_observation(env: gym.Env, method: str, o: Any) -> None:
    if not _fits(o, env.observation_space):
        space = env.observation_space
        raise _refusal(env, f"returned {_describe(o)} as observation from {method}: its observation_space is {space}")


def _fits(x: Any, space: spaces.Space) -> bool:
    """Whether ``x`` has the form of ``space``; the bounds of a Box are not checked, as many simulators exceed them."""
    match space:
        case spaces.Dict():
            return isinstance(x, Mapping) and all(key in x and _fits(x[key], part) for key, part in space.items())
        case spaces.Tuple():
            return _is_row(len(space), x) and all(map(_fits, x, space))
        case spaces.Box():
            try:
                array = np.asarray(x)
            except ValueError:  # lists of different lengths
                return False
            return array.shape == space.shape and np.can_cast(array.dtype, space.dtype, "same_kind")
    return bool(space.contains(x))


def _is_row(length: int, x: Any) -> bool:
    return isinstance(x, tuple | list) and len(x) == length


def _takes(function: Callable, *names: str) -> bool:
    parameters = inspect.signature(function).parameters
    return {*names} <= {*parameters} or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _refusal(env: gym.Env, problem: str) -> UserError:
    name, owner = name_of(env.unwrapped), type(env).__name__
    return UserError(f"The environment {name if name == owner else f'{name} ({owner})'} {problem}.")


def _describe(x: Any) -> str:
    """``x`` in a few words: its parts, its shape, its value or its type."""
    if isinstance(x, tuple | list) and len(x) <= 8:
        return f"({', '.join(type(part).__name__ for part in x)})"
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape} and type {x.dtype}"
    if x is None or isinstance(x, int | float | np.generic):
        return str(x)
    return f"a {type(x).__module__}.{type(x).__qualname__}".replace("a builtins.", "a ")


def _describe_other(env: Any) -> str:
    """What is not one environment, and what to do about it."""
    if isinstance(env, gym.vector.VectorEnv):
        return f"{env.num_envs} at once (a {type(env).__name__}): return one, and set num_envs={env.num_envs}"
    if isinstance(env, type):
        return f"the class {env.__name__}: call it"
    return _describe(env)
