"""Experience buffers, with the rewards-to-go and advantages computed before learning. NumPy only.

    y_t     = x_t + discount (1 - ended_t) y_{t+1}                                       (1) discounted sum
    delta_t = r_t + gamma (1 - d_t) V(o2_t) - V(o_t)                                     (2) temporal difference
    adv_t   = delta_t + gamma lam (1 - ended_t) adv_{t+1}                                (3) GAE-lambda
    ret_t   = r_t + gamma ret_{t+1}, or where an episode or the rollout ended
    ret_t   = r_t + gamma (1 - d_t) V(o2_t)                                              (4) reward-to-go

o: observation, a: action, r: reward, o2: its true successor, d: terminated, ended: terminated or truncated,
V: the value function. (2) and (3) are equations 11 and 16 of Schulman et al. 2016, arXiv:1506.02438.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from spinup.errors import UserError
from spinup.experience.vector_env import Step
from spinup.mpi.tools import mpi_statistics_scalar


def discount_cumsum(x: np.ndarray, discount: float, ended: np.ndarray) -> np.ndarray:  # (1)
    """Discounted sums of future values: ``y[t] = x[t] + discount * (1 - ended[t]) * y[t + 1]``.

    Args:
        x: ``[T, ...]``, time first.
        discount: factor a step.
        ended: ``[T, ...]``, bool or 0 and 1: true where an episode ended, which cuts the sum.

    Example:
        >>> discount_cumsum(np.array([1.0, 2.0, 4.0]), 0.5, ended=np.array([0, 1, 0]))
        array([2., 2., 4.])
    """
    y = np.zeros(x.shape, np.result_type(x, np.float32))
    running = np.zeros_like(y[0])
    for t in reversed(range(len(x))):
        y[t] = running = x[t] + discount * (1 - ended[t]) * running
    return y


def gae(
    r: np.ndarray, v: np.ndarray, v2: np.ndarray, d: np.ndarray, ended: np.ndarray, gamma: float, lam: float
) -> np.ndarray:  # (2), (3)
    """Generalised advantage estimates (Schulman et al. 2016, arXiv:1506.02438, equations 11 and 16), ``[T, ...]``.

    ``delta = r + gamma (1 - d) V(o2) - V(o)``, summed with discount ``gamma lam`` up to the end of the episode or of
    the rollout. Where an episode is truncated, not terminated, the last delta keeps its bootstrap ``V(o2)``.

    Args:
        r: rewards ``[T, ...]``.
        v: values ``V(o)`` of the observations acted on.
        v2: values ``V(o2)`` of their true successors.
        d: terminated, bool or 0 and 1.
        ended: terminated or truncated, bool or 0 and 1.
        gamma: discount factor.
        lam: 0 gives the one-step advantage, 1 the full return minus the value.
    """
    delta = r + gamma * (1 - d) * v2 - v  # (2)
    return discount_cumsum(delta, gamma * lam, ended)  # (3)


class Rollout(NamedTuple):
    """One epoch of on-policy experience; ``B`` is ``steps_per_epoch``, or this process's share of it."""

    o: np.ndarray  # [B, obs_dim] float32
    a: np.ndarray  # [B, act_dim] float32, or [B] int64 for discrete actions
    ret: np.ndarray  # [B] float32: rewards-to-go, bootstrapped where the episode ended without terminating
    adv: np.ndarray  # [B] float32: advantages, normalised to mean 0 and standard deviation 1
    v: np.ndarray  # [B] float32: V(o) before the update


class RolloutBuffer:
    """Collects the steps of one epoch and turns them into a :class:`Rollout`.

    Args:
        gamma: discount factor.
        lam: lambda of :func:`gae`.
    """

    def __init__(self, gamma: float, lam: float):
        self._gamma, self._lam = gamma, lam
        self._steps: list[tuple[np.ndarray, ...]] = []

    def store(self, o: np.ndarray, a: np.ndarray, step: Step) -> None:
        """Store observations ``o`` ``[N, obs_dim]``, actions ``a`` ``[N, ...]`` and the ``step`` that they led to."""
        self._steps.append((o, a, step.r, step.o2, step.d, step.ended))

    def finish(self, value: Callable[[np.ndarray], np.ndarray]) -> Rollout:
        """Turn the steps stored since the last call into a :class:`Rollout`, and clear them.

        Sums stop where an episode or the rollout ended; unless the episode terminated there, they are bootstrapped from
        ``V`` of the true successor.

        Args:
            value: maps observations ``[M, obs_dim]`` to ``V``, ``[M]``.

        Raises:
            UserError: if rewards-to-go overflow float32.
        """
        o, a, r, o2, d, ended = map(np.stack, zip(*self._steps, strict=True))  # each [T, N, ...]
        self._steps.clear()
        ended[-1] = True
        v, v2 = (value(x.reshape(-1, x.shape[-1])).reshape(r.shape) for x in (o, o2))
        adv = gae(r, v, v2, d, ended, self._gamma, self._lam)
        ret = discount_cumsum(r + self._gamma * (ended & ~d) * v2, self._gamma, ended)  # (4)
        mean, std = mpi_statistics_scalar(adv)
        adv = (adv - mean) / (std + 1e-8)  # equal advantages become 0, not a division by 0
        if np.isfinite(ret).all() and (largest := np.abs(ret).max()) > np.finfo(np.float32).max:
            raise UserError(
                f"The rewards add up to {largest:.3g}, which overflows float32: training stops and the last save is "
                "kept; scale the rewards down."
            )
        flat = (x.reshape(r.size, *x.shape[2:]) for x in (o, a))
        return Rollout(*flat, *(x.ravel().astype(np.float32) for x in (ret, adv, v)))


class Batch(NamedTuple):
    """Transitions for off-policy learning; ``[K, B]`` leading dimensions from the buffer, ``[B]`` in the equations."""

    o: np.ndarray  # [..., obs_dim] float32
    a: np.ndarray  # [..., act_dim] float32, or [...] int64 for discrete actions
    r: np.ndarray  # [...] float32
    o2: np.ndarray  # [..., obs_dim] float32: the true successor
    d: np.ndarray  # [...] float32: 1 where the episode terminated; 0 elsewhere, so that a truncated one is bootstrapped


class ReplayBuffer:
    """The last ``size`` transitions, sampled uniformly.

    Memory: ``size * (8 obs_dim + 4 act_dim + 8)`` bytes (8 for the action if it is discrete), allocated as it fills:
    0.88 GB for a million transitions of Ant-v5 (105 observations, 8 actions).

    Args:
        observation_space: a Box of one dimension.
        action_space: a Box of one dimension, or Discrete.
        size: capacity in transitions.

    ``stored`` counts all transitions ever stored, including overwritten ones.

    Raises:
        UserError: if ``size`` transitions do not fit into memory.

    Example:
        >>> buffer = ReplayBuffer(spaces.Box(-1, 1, (3,)), spaces.Discrete(2), size=4)
        >>> o, ones = np.zeros((6, 3)), np.ones(6)
        >>> buffer.extend(0, Batch(o, a=np.array([0, 1, 0, 1, 0, 1]), r=ones, o2=o, d=1 - ones))
        >>> buffer.stored, len(buffer)
        (6, 4)
        >>> batches = buffer.sample(k=5, batch_size=32, rng=np.random.default_rng(0))
        >>> batches.o.shape, batches.a.shape, batches.d.shape
        ((5, 32, 3), (5, 32), (5, 32))
    """

    def __init__(self, observation_space: spaces.Space, action_space: spaces.Space, size: int):
        obs, act = ((size, *(space.shape or ())) for space in (observation_space, action_space))
        act_dtype = np.int64 if isinstance(action_space, spaces.Discrete) else np.float32
        try:  # zeros(), unlike zeros_like(), only reserves address space; memory is allocated on first write
            self._data = Batch(
                o=np.zeros(obs, np.float32),
                a=np.zeros(act, act_dtype),
                r=np.zeros(size, np.float32),
                o2=np.zeros(obs, np.float32),
                d=np.zeros(size, np.float32),
            )
        except (MemoryError, ValueError):  # ValueError: more than any machine can address
            raise UserError(f"replay_size={size} transitions do not fit into memory: choose a smaller one.") from None
        self._size, self.stored = size, 0

    def __len__(self) -> int:
        return min(self.stored, self._size)

    def store(self, o: np.ndarray, a: np.ndarray, step: Step) -> None:
        """Store ``N`` transitions, with leaves ``[N, ...]``; a full buffer overwrites its oldest."""
        self.extend(self.stored, Batch(o, a, step.r, step.o2, step.d))

    def extend(self, start: int, transitions: Batch) -> None:
        """Store ``transitions``, with leaves ``[N, ...]``, as numbers ``start`` and up of all ever stored."""
        self.stored = start + len(transitions.o)
        rows = np.arange(start, self.stored) % self._size
        for column, values in zip(self._data, transitions, strict=True):
            column[rows] = values

    def since(self, start: int) -> tuple[int, Batch]:
        """The transitions from number ``start`` of all ever stored, or from the oldest left, and the first's number."""
        start = max(start, self.stored - self._size)
        rows = np.arange(start, self.stored) % self._size
        return start, Batch(*(column[rows] for column in self._data))

    def sample(self, k: int, batch_size: int, rng: np.random.Generator) -> Batch:
        """``k`` minibatches of uniformly drawn transitions, as leaves ``[k, batch_size, ...]``."""
        rows = rng.integers(len(self), size=(k, batch_size))
        return Batch(*(column[rows] for column in self._data))
