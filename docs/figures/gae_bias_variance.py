"""Bias and standard deviation of GAE against lambda, in a random walk whose values are known.

States 0 to 10, a step left or right with probability 1/2; 0 and 10 end the walk, 10 pays 1. So V(s) = s / 10, and the
advantage of a step to the right is 0.1 everywhere. ``gae`` estimates it from walks that start in 5 with such a step.
"""

import numpy as np

from docs.figures.style import BLUE, GREEN, MUTED, ORANGE, new_figure
from spinup.experience.buffers import gae

STEPS, WALKS, AVERAGED, TRUE = 300, 4000, 100, 0.1
LAMBDAS = np.append(np.linspace(0, 0.9, 19), np.linspace(0.91, 1, 10))
CRITICS = [("exact critic", 1.0, BLUE), ("half the slope", 0.5, GREEN), ("no slope", 0.0, ORANGE)]


def walks():
    """Rewards, states, successors and ends of the walks, ``[STEPS, WALKS]`` each; beyond an end they mean nothing."""
    moves = np.random.default_rng(0).choice([-1, 1], (STEPS, WALKS))
    moves[0] = 1
    s2 = 5 + moves.cumsum(0)
    return (s2 >= 10).astype(float), s2 - moves, s2, (s2 <= 0) | (s2 >= 10)


def value(s, slope):
    """A critic that is right in the middle, and knows the share ``slope`` of how the value rises."""
    return 0.5 + slope * (s - 5) / 10


def mean_advantage(lam, slope):
    """The exact expectation of ``gae``: it is linear in its inputs, so their expectations may be put in."""
    s = np.arange(11)
    inside = np.zeros((STEPS, 11))  # probability of each state, of walks that have not ended
    arrived = np.zeros((STEPS, 11))
    inside[0, 5] = arrived[0, 6] = 1
    for t in range(1, STEPS):
        inside[t, 1:10] = arrived[t - 1, 1:10]
        arrived[t, 1:] += inside[t, :-1] / 2
        arrived[t, :-1] += inside[t, 1:] / 2
    v, v2 = inside @ value(s, slope), arrived[:, 1:10] @ value(s[1:10], slope)
    none = np.zeros(STEPS)
    return gae(arrived[:, 10], v, v2, none, none, gamma=1, lam=lam)[0]


def draw():
    """Draw it."""
    r, s, s2, d = walks()
    figure = new_figure(height=2.7)
    means, spreads, errors = figure.subplots(1, 3, sharex=True)
    for name, slope, colour in CRITICS:
        mean = np.array([mean_advantage(lam, slope) for lam in LAMBDAS])
        std = np.array([gae(r, value(s, slope), value(s2, slope), d, d, 1, lam)[0].std() for lam in LAMBDAS])
        error = np.sqrt((mean - TRUE) ** 2 + std**2 / AVERAGED)
        means.plot(LAMBDAS, mean, color=colour, label=name)
        spreads.plot(LAMBDAS, std, color=colour)
        errors.plot(LAMBDAS, error, color=colour)
        errors.plot(LAMBDAS[error.argmin()], error.min(), "o", color=colour, clip_on=False)
    means.axhline(TRUE, color=MUTED, linewidth=1, linestyle=":")
    for axes, title in [(means, "mean (true: 0.1)"), (spreads, "standard deviation"), (errors, "error, 100 averaged")]:
        axes.set(title=title, xlabel="λ", xlim=(0, 1), xticks=[0, 0.5, 1])
        axes.set_ylim(bottom=0)
    for axes in (means, errors):
        axes.set(yticks=[0, 0.05, 0.1])
    figure.legend(loc="outside lower center", ncols=3)
    return figure
