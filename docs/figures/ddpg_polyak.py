"""A target network that follows a noisy, moving parameter, for three values of polyak."""

import numpy as np
import torch

from docs.figures.style import MUTED, new_figure
from spinup.algos.pytorch import training

STEPS, SHOWN = 2000, 10


def follow(values, polyak):
    """Where ``polyak_update`` moves a target of one parameter whose network takes on ``values``, one after another."""
    net = torch.nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(values[0])
    target = training.target_of(net)
    path = []
    for value in values:
        net.weight.data.fill_(value)
        training.polyak_update(target, net, polyak)
        path.append(target.weight.item())
    return path


def moving_value():
    """A value that jumps at step 300, and climbs from step 1000 on; noise as of gradient steps on minibatches."""
    steps = np.arange(STEPS)
    noise = 0.1 * np.random.default_rng(0).standard_normal(STEPS)
    return (steps >= 300) + np.clip(steps - 1000, 0, None) / 500 + noise


def draw():
    figure = new_figure()
    axes = figure.subplots()
    values = moving_value()
    axes.plot(range(0, STEPS, 4), values[::4], color=MUTED, lw=0.6, label="the learning network")
    for polyak in (0.95, 0.995, 0.999):
        axes.plot(range(0, STEPS, SHOWN), follow(values, polyak)[::SHOWN], label=f"target, polyak = {polyak}")
    axes.set_xlabel("gradient steps")
    axes.set_ylabel("a parameter")
    axes.legend(loc="upper left", fontsize=9)
    return figure
