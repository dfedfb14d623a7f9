"""The target's value as a function of the target policy's action, with and without smoothing noise.

The critic is a smooth hill with one narrow peak where it errs; ``td_target`` averages it over the noise.
"""

import numpy as np
import torch

from docs.figures.style import BLUE, MUTED, ORANGE, new_figure
from spinup.algos.pytorch.td3 import td_target
from spinup.experience.buffers import Batch

GRID = np.linspace(-1, 1, 201)
NOISE = 0.2 * np.random.default_rng(0).standard_normal(2000)  # target_noise at its default
BOUNDS = dict(act_low=torch.tensor([-1.0]), act_high=torch.tensor([1.0]))


def q(o2, a):
    """Both critics: a hill about 0.3, and a peak at -0.6."""
    values = 1 - (a - 0.3) ** 2 + 1.1 * torch.exp(-(((a + 0.6) / 0.05) ** 2))
    return values.squeeze(-1).expand(2, -1)


def mean_target(action, noise_clip):
    """The target for one action of the target policy, averaged over the noise."""
    eps = torch.tensor(NOISE)[:, None]
    zeros = torch.zeros(len(eps))
    batch = Batch(o=zeros, a=zeros, r=zeros, o2=zeros, d=zeros)
    chosen = torch.full_like(eps, action)
    return td_target(lambda o2: chosen, q, batch, eps, 1.0, noise_clip, **BOUNDS).mean().item()


def draw():
    """Draw it."""
    figure = new_figure(height=2.9)
    axes = figure.subplots()
    lines = [("without noise", 0.0, ORANGE, "-"), ("averaged over the noise", 0.5, BLUE, "-")]
    for name, noise_clip, colour, style in lines:
        targets = np.array([mean_target(action, noise_clip) for action in GRID])
        best = targets.argmax()
        axes.plot(GRID, targets, style, color=colour, label=name)
        axes.plot(GRID[best], targets[best], "o", color=colour)
    axes.plot(GRID, 1 - (GRID - 0.3) ** 2, ":", color=MUTED, linewidth=1.2, label="truth")
    axes.set(xlabel="action of the target policy", ylabel="target", xlim=(-1, 1))
    axes.legend(loc="lower right")
    return figure
