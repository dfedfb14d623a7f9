"""How much a reward counts that comes later, for three discount factors, and how far each looks ahead."""

import numpy as np

from docs.figures.style import COLOURS, MUTED, new_figure
from spinup.experience.buffers import discount_cumsum

STEPS = 300
FACTORS = 0.9, 0.98, 0.99


def weights(gamma):
    """gamma^0, gamma^1, ...: the return at step 0 of a single reward of 1, 0, 1, ... steps later."""
    reward_at_the_end = np.eye(STEPS)[-1]
    return discount_cumsum(reward_at_the_end, gamma, np.zeros(STEPS))[::-1]


def draw():
    """The weights over time, each with a dot at its effective horizon of 1 / (1 - gamma) steps."""
    figure = new_figure(5.0, 3.0)
    axes = figure.subplots()
    axes.axhline(np.exp(-1), color=MUTED, linestyle=":", linewidth=1)
    for gamma, colour in zip(FACTORS, COLOURS):
        w, horizon = weights(gamma), round(1 / (1 - gamma))
        axes.plot(w, color=colour, label=f"{gamma}: {horizon} steps")
        axes.plot(horizon, w[horizon], "o", color=colour)
    axes.set(xlabel="steps until the reward", ylabel="its weight now", xlim=(0, STEPS - 1), ylim=(0, 1))
    axes.legend(title="discount factor: effective horizon")
    return figure
