"""What an environment remembers beyond an episode: running statistics, counters, generators of its own.

Replaying an episode rebuilds the state of a simulator, but not what earlier episodes left behind. Such things are found
among the attributes that an environment and its wrappers have when they are built, and the attributes of those.
"""

import random
from collections.abc import Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

import gymnasium as gym
import numpy as np

_NORMALISERS = ("obs_rms", "return_rms", "discounted_reward")  # all that Gymnasium's own wrappers keep
_GENERATOR, _PYTHON = "generator", "python_generator"
_LARGEST = 4096  # numbers in an array; larger ones are tables rather than memory


class Memory:
    """Reads and writes what the ``layers`` of an environment keep: numbers, texts, small arrays, random generators.

    Lists, dicts and other objects are left alone.
    """

    def __init__(self, layers: Sequence[gym.Env]):
        self._places = list(_places_in(layers))

    def read(self) -> dict[str, Any]:
        """The present values by name, as numbers, texts and arrays."""
        values = ((name, _taken(vars(owner).get(key))) for name, owner, key in self._places)
        return {name: value for name, value in values if value is not _UNKNOWN}

    def write(self, saved: dict[str, Any]) -> None:
        """Set all values to those that :meth:`read` gave, in another copy of the same environment."""
        for name, owner, key in self._places:
            if name in saved:
                _put(owner, key, saved[name])


_UNKNOWN: Any = object()


def layers_of(env: gym.Env) -> list[gym.Env]:
    """``env``, its wrappers first, and the environment that they wrap last."""
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def _places_in(layers: Sequence[gym.Env]) -> Iterator[tuple[str, Any, str]]:
    """A name, an object and an attribute of it, for everything that may be memory."""
    for depth, layer in enumerate(layers):
        own = not type(layer).__module__.startswith("gymnasium.")
        for key in [*vars(layer)] if own else [key for key in _NORMALISERS if key in vars(layer)]:
            yield from _places_of(f"{depth}.{key}", layer, key)


def _places_of(name: str, owner: Any, key: str) -> Iterator[tuple[str, Any, str]]:
    value = vars(owner)[key]
    if _taken(value) is not _UNKNOWN:
        yield name, owner, key
    elif isinstance(value, gym.Space):
        yield f"{name}._np_random", value, "_np_random"
    elif hasattr(value, "__dict__") and not isinstance(value, gym.Env | type | FunctionType | ModuleType):
        yield from ((f"{name}.{part}", value, part) for part, x in vars(value).items() if _taken(x) is not _UNKNOWN)


def _taken(value: Any) -> Any:
    """A copy of ``value`` that a checkpoint can hold, or ``_UNKNOWN``."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufU" and value.size <= _LARGEST:
        return np.array(value)
    if isinstance(value, np.random.Generator):
        return {_GENERATOR: value.bit_generator.state}
    if isinstance(value, random.Random):
        return {_PYTHON: value.getstate()}
    return _UNKNOWN


def _put(owner: Any, key: str, saved: Any) -> None:
    value = vars(owner).get(key)
    if not isinstance(saved, dict):
        setattr(owner, key, saved[()] if isinstance(saved, np.ndarray) else saved)  # [()]: 0-d arrays are numbers
    elif _GENERATOR in saved and isinstance(value, np.random.Generator):
        value.bit_generator.state = saved[_GENERATOR]
    elif _PYTHON in saved and isinstance(value, random.Random):
        set_python_state(value, saved[_PYTHON])


def set_python_state(generator: Any, state: Any) -> None:
    """Set ``generator``, a ``random.Random`` or the module ``random``, to a ``getstate()`` that a file has held."""
    version, numbers, gauss_next = state
    generator.setstate((version, tuple(numbers), gauss_next))
