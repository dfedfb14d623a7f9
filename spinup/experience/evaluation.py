"""Whole episodes of a trained agent: their returns and lengths."""

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import Any

import numpy as np

from spinup.experience.vector_env import VectorEnv


def run_episodes(
    act: Callable[[np.ndarray], np.ndarray], envs: VectorEnv, seed: int | Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Run one episode in each environment, in parallel; returns ``(ep_ret, ep_len)``, ``[N]`` each.

    Args:
        act: maps observations ``[N, obs_dim]`` to actions.
        envs: environments to run in, reset with ``seed``.
        seed: int >= 0, or several; the same seed gives the same initial states.
    """
    ep_ret, ep_len = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=int)
    o, running = envs.reset(seed), np.ones(envs.num_envs, dtype=bool)
    while running.any():
        step = envs.step(act(o))
        first = running & step.ended
        ep_ret[first], ep_len[first] = step.ep_ret[first[step.ended]], step.ep_len[first[step.ended]]
        running &= ~step.ended
        o = step.o
    return ep_ret, ep_len


def deterministic_act(agent: Any) -> Callable[[np.ndarray], np.ndarray]:
    """``agent.act`` without exploration; unchanged if it takes no ``deterministic``, as in some custom agents."""
    takes = signature(agent.act).parameters
    return partial(agent.act, deterministic=True) if "deterministic" in takes else agent.act


def test_agent(agent: Any, envs: VectorEnv, seed: int | Sequence[int]) -> dict[str, np.ndarray]:
    """:func:`run_episodes` without exploration, as the columns ``TestEpRet`` and ``TestEpLen``, ``[N]`` each."""
    ep_ret, ep_len = run_episodes(deterministic_act(agent), envs, seed)
    return {"TestEpRet": ep_ret, "TestEpLen": ep_len}
