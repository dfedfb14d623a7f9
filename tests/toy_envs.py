"""Environments whose right answers are known, small enough to learn in seconds."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces


def _ways(end):
    return end in ("terminate", "both"), end in ("truncate", "both")


class Counter(gym.Env):
    """Observes the time ``t``, pays ``t + 1`` a step, and ends after ``length`` steps in the way that ``end`` says.

    ``end`` is 'terminate', 'truncate', 'both' (at the same step), or None for an episode that never ends by itself.
    """

    def __init__(self, end="terminate", length=3, action_space=None):
        self.observation_space = spaces.Box(0, np.inf, (1,), np.float32)
        self.action_space = action_space or spaces.Discrete(2)
        self._length, self._terminates, self._truncates = length, *_ways(end)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return self._observation(), {}

    def step(self, action):
        self._t += 1
        last = self._t == self._length
        return self._observation(), float(self._t), last and self._terminates, last and self._truncates, {}

    def _observation(self):
        return np.array([self._t], np.float32)


class Steady(gym.Env):
    """Pays 1 a step and looks the same all the time; arguments as for :class:`Counter`."""

    def __init__(self, end=None, length=1, action_space=None):
        self.observation_space = spaces.Box(0, 1, (1,), np.float32)
        self.action_space = action_space or spaces.Discrete(2)
        self._length, self._terminates, self._truncates = length, *_ways(end)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return np.ones(1, np.float32), {}

    def step(self, action):
        self._t += 1
        last = self._t == self._length
        return np.ones(1, np.float32), 1.0, last and self._terminates, last and self._truncates, {}


class Identity(gym.Env):
    """One-step episodes that pay 1 for naming the digit shown one-hot, and 0 otherwise."""

    def __init__(self, n=3):
        self.observation_space = spaces.Box(0, 1, (n,), np.float32)
        self.action_space = spaces.Discrete(n)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._digit = self.np_random.integers(self.action_space.n)
        return np.eye(self.action_space.n, dtype=np.float32)[self._digit], {}

    def step(self, action):
        return np.zeros(self.action_space.n, np.float32), float(action == self._digit), True, False, {}


class Target(gym.Env):
    """One-step episodes that pay ``-|(a - goal) / unit|^2`` for an action between ``low`` and ``high``."""

    def __init__(self, low=(-1.0, 0.0), high=(3.0, 0.5), goal=(2.0, 0.1), unit=1.0):
        self.observation_space = spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = spaces.Box(np.float32(low), np.float32(high), dtype=np.float32)
        self._goal, self._unit = np.asarray(goal), np.asarray(unit)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        return np.ones(1, np.float32), -float((((action - self._goal) / self._unit) ** 2).sum()), True, False, {}


class RewardNaN(Counter):
    """An endless :class:`Counter` whose reward at step ``at``, counted from 1, is not a number."""

    def __init__(self, at=5):
        super().__init__(end=None)
        self._at = at

    def step(self, action):
        o2, r, d, truncated, info = super().step(action)
        return o2, float("nan") if self._t == self._at else r, d, truncated, info
