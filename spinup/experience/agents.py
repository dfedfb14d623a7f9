"""What an algorithm asks of an agent, and one check of it when the agent is built.

An algorithm states it in its constant ``AGENT``, such as

    pi(o) -> [B, act_dim]; q(o, a) -> [2, B]

``pi`` and ``q`` are parts of the agent. They take observations ``o`` ``[B, obs_dim]``, actions ``a`` as ``act`` returns
them, or Gaussian noise ``eps`` ``[B, act_dim]``, and return arrays of the shapes after the arrow. B is the number of
observations, act_dim the number of dimensions of an action in a bounded Box, n the number of Discrete actions. A
``distribution`` is one over the actions for each observation: its ``entropy()`` has shape ``[B]``. Every agent also has
``act(obs, deterministic=False)``, which maps NumPy observations to NumPy actions, one or a batch.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces

from spinup.errors import UserError, first_line
from spinup.experience.action_spaces import check_bounded, check_discrete
from spinup.experience.evaluation import deterministic_act
from spinup.experience.seeding import random_numbers_kept
from spinup.experience.vector_env import VectorEnv

ROWS = 5  # observations in the check; agents rarely have as many actions or action dimensions

Shape = tuple[int, ...]
Result = tuple[Shape | str, bool]  # the shape of an array (else the name of a type), and whether gradients can flow


def construct(actor_critic: Callable, envs: VectorEnv, ac_kwargs: Mapping[str, Any] | None) -> Any:
    """The agent that ``actor_critic`` builds for ``envs``; raises UserError if it does not take these arguments."""
    arguments, kwargs = (envs.observation_space, envs.action_space), ac_kwargs or {}
    try:
        inspect.signature(actor_critic).bind(*arguments, **kwargs)
    except TypeError as error:
        name = getattr(actor_critic, "__qualname__", repr(actor_critic))
        raise UserError(
            f"actor_critic={name} cannot be called as actor_critic(observation_space, action_space, **ac_kwargs) "
            f"({first_line(error)})."
        ) from None
    return actor_critic(*arguments, **kwargs)


def check_agent(agent: Any, asked: str, envs: VectorEnv, call: Callable[..., list[Result]]) -> None:
    """Check that ``agent`` acts in ``envs`` and has the parts that ``asked`` describes.

    The random numbers of NumPy and Python continue as if none had been drawn.

    Args:
        agent: for one whose class lists the name of a part in ``unchecked``, that part may return any shape.
        asked: the constant ``AGENT`` of an algorithm.
        envs: the environments to act in.
        call: ``call(function, *arrays)`` calls ``function`` with ``arrays`` in the types of the framework, and
            describes each item of the list that it returns.

    Raises:
        UserError: for the first call that is missing, fails or returns something else.
    """
    name, usages = type(agent).__name__, dict(re.findall(r"(\w+\(.*?\)) -> ([^;]+)", asked))
    parts = {usage: usage.partition("(")[0] for usage in usages}
    missing = [part for part in ("act", *parts.values()) if not callable(getattr(agent, part, None))]
    if missing:
        raise UserError(
            f"actor_critic built a {name}, which has no {' and no '.join(missing)}: this algorithm needs "
            f"act(obs, deterministic=False); {asked}."
        )
    if "q(o, a)" in usages and hasattr(type(agent), "pi"):
        raise UserError(
            f"{name}.pi is a method: this algorithm improves pi through q without moving q, so pi must be a network of "
            "its own, with its own parameters."
        )
    sizes = _sizes(asked, envs.action_space)
    with random_numbers_kept():
        o = _observations(envs.observation_space)
        a = _check_act(agent, o, envs.action_space)
        arrays = {"o": o, "a": a, "eps": np.zeros(a.shape, np.float32)}
        for usage, results in usages.items():
            if parts[usage] not in getattr(agent, "unchecked", ()):
                _check_part(agent, usage, results, arrays, sizes, call)


def _observations(space: Any) -> np.ndarray:
    """Observations ``[B, obs_dim]`` within the bounds of ``space``, near 0 but not all alike."""
    o = np.random.default_rng(0).standard_normal((ROWS, *space.shape))
    return np.clip(o, space.low, space.high).astype(np.float32)


def _sizes(asked: str, space: Any) -> dict[str, int]:
    """The numbers that the names in shapes stand for; raises UserError if ``space`` has no such number."""
    names, sizes = re.findall(r"\w+", asked), {"B": ROWS}
    if "act_dim" in names:
        check_bounded(space)
        sizes["act_dim"] = space.shape[0]
    if "n" in names:
        check_discrete(space)
        sizes["n"] = int(space.n)
    return sizes


def _check_act(agent: Any, o: np.ndarray, space: Any) -> np.ndarray:
    """The actions of ``agent`` for observations ``o`` ``[B, obs_dim]``; also tries a single observation."""
    name = f"{type(agent).__name__}.act(obs)"
    for act in (deterministic_act(agent), agent.act):
        for obs in (o[0], o):
            expected = obs.shape[:-1] + space.shape
            with _reported(f"{name} fails for the NumPy observation{'s' * (obs.ndim - 1)} {_text(obs.shape)}", _ACT):
                a = act(obs)
            if not isinstance(a, np.ndarray | np.generic | int | float):
                raise UserError(f"{name} returned a {type(a).__name__}: {_ACT}.")
            if np.shape(a) != expected:
                raise UserError(
                    f"{name} returned shape {_text(np.shape(a))} for observations of shape {_text(obs.shape)}, "
                    f"expected {_text(expected)}: {_ACT}."
                )
            if isinstance(space, spaces.Discrete) and not np.issubdtype(np.asarray(a).dtype, np.integer):
                raise UserError(f"{name} returned {np.asarray(a).dtype}, expected integers: its actions are {space}.")
    return a.astype(np.float32) if np.issubdtype(a.dtype, np.floating) else a


_ACT = "act takes one observation or a batch of them as a NumPy array, and returns as many actions as a NumPy array"


def _check_part(
    agent: Any, usage: str, results: str, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int], call: Callable
) -> None:
    """Call a part of ``agent`` by its ``usage``, such as ``q(o, a)``, and compare with ``results``, such as ``[B]``."""
    kinds = re.findall(r"\[.+?\]|\w+", results)
    name, *inputs = re.findall(r"\w+", usage)

    def values(*inputs):
        found = getattr(agent, name)(*inputs)
        found = [*found] if isinstance(found, tuple | list) else [found]
        if len(found) != len(kinds):
            raise ValueError(f"the number of results is {len(found)}")
        return [x.entropy() if kind == "distribution" else x for kind, x in zip(kinds, found)]

    told = f"{type(agent).__name__}.{usage}"
    with _reported(f"{told} fails for {ROWS} observations", f"expected {results}, where B={ROWS}"):
        found = call(values, *(arrays[x] for x in inputs))
    for kind, (shape, learns) in zip(kinds, found):
        _check_result(told, kind, shape, (ROWS,) if kind == "distribution" else _shape(kind, sizes))
        if not learns and kind != "distribution":  # whose entropy may be constant
            raise UserError(f"{told} returned {kind} that no gradient flows through: remove no_grad() or detach().")


def _check_result(told: str, kind: str, found: Shape | str, expected: Shape) -> None:
    if found == expected:
        return
    what = f"a {found}" if isinstance(found, str) else f"shape {_text(found)}"
    remedy = f"this algorithm needs {kind}"
    if kind == "distribution":
        what = f"a distribution whose entropy has {what}"
        remedy = "sum it over the dimensions of an action, as torch.distributions.Independent(..., 1) does"
    elif found == (*expected, 1):
        remedy = "squeeze the last dimension, or losses would compare every value with every target"
    raise UserError(f"{told} returned {what} for {ROWS} observations, expected {_text(expected)}: {remedy}.")


def _shape(kind: str, sizes: Mapping[str, int]) -> Shape:
    """``[2, B]`` as numbers."""
    return tuple(int(size) if size.isdecimal() else sizes[size] for size in re.findall(r"\w+", kind))


def _text(shape: Shape) -> str:
    return str([*shape])


@contextmanager
def _reported(what: str, expected: str) -> Iterator[None]:
    """Any error in the block as a UserError; an agent may raise anything."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{what} ({first_line(error)}): {expected}.") from error
