"""What a critic learns in a corridor with a time limit, where the time limit is treated in four ways.

The agent walks from position 0 to 9, and stays there. Every step that ends in 9 pays 1, for ever; after 15 steps the
episode is truncated. With gamma = 0.9, position 9 is worth 10.
"""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from docs.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, new_figure
from spinup.experience.buffers import RolloutBuffer
from spinup.experience.vector_env import VectorEnv

GAMMA, LIMIT, EPISODES, SWEEPS, DOOR = 0.9, 15, 20, 60, 3
TREATMENTS = [
    ("V of the true successor", lambda step: step, BLUE, "-"),
    ("V of the next start", lambda step: step._replace(o2=step.o), GREEN, "-"),
    ("rewards of the next episode", lambda step: step._replace(ended=step.d), PURPLE, "--"),
    ("0, as after a death", lambda step: step._replace(d=step.ended), ORANGE, "-"),
]


class Corridor(gym.Env):
    """See the module."""

    observation_space, action_space = spaces.Box(0, 9, (1,)), spaces.Discrete(1)

    def reset(self, seed=None, options=None):
        """Start at 0."""
        super().reset(seed=seed)
        self.x = 0
        return np.float32([0]), {}

    def step(self, a):
        """Walk one step to the right."""
        self.x = min(self.x + 1, 9)
        return np.float32([self.x]), float(self.x == 9), False, False, {}


def experience():
    """Observations and the steps that they led to."""
    envs = VectorEnv(Corridor, num_envs=1, seed=0, max_ep_len=LIMIT)
    envs.reset()
    return [(envs.o, envs.step(np.zeros(1, int))) for _ in range(EPISODES * LIMIT)]


def learned(steps, treat):
    """The values of positions 0 to 9: the mean targets of each, fitted again and again until they stay."""
    v, buffer = np.zeros(10), RolloutBuffer(GAMMA, lam=1)
    for _ in range(SWEEPS):
        for o, step in steps:
            buffer.store(o, np.zeros(1), treat(step))
        rollout = buffer.finish(lambda o, v=v: v[o[:, 0].astype(int)])
        x = rollout.o[:, 0].astype(int)
        v = np.bincount(x, rollout.ret, 10) / np.bincount(x, minlength=10)
    return v


def draw():
    """Draw it."""
    steps, x = experience(), np.arange(10)
    figure = new_figure(height=3.6)
    axes = figure.subplots()
    for name, treat, colour, line in TREATMENTS:
        axes.plot(x, learned(steps, treat), line, color=colour, label=name)
    truth = GAMMA ** np.array([8, 7, 6, 5, 4, 3, 2, 1, 0, 0]) / (1 - GAMMA)
    axes.plot(x, truth, "o", color=INK, label="true value")
    axes.axhline(DOOR, color=MUTED, linewidth=1, linestyle=":")
    axes.text(5, DOOR - 0.2, "what the door at 0 pays", color=INK, ha="center", va="top")
    axes.set(xlabel="position", ylabel="learned value", xticks=x, ylim=(0, 10.5))
    figure.legend(loc="outside lower center", ncols=2)
    return figure
