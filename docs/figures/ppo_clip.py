"""PPO's objective of one action against the ratio of its probabilities, and where it has a gradient."""

import numpy as np
import torch

from docs.figures.style import BLUE, INK, MUTED, ORANGE, new_figure
from spinup.algos.pytorch.ppo import policy_loss

EPS = 0.2
RATIOS = torch.linspace(0.4, 1.6, 241, dtype=torch.float64)


def objective(ratio, adv):
    """Minus the loss of one action, and the slope in ``ratio``."""
    ratio = ratio.clone().requires_grad_()
    value = -policy_loss(ratio.log()[None], torch.zeros(1), torch.tensor([float(adv)]), EPS)
    (slope,) = torch.autograd.grad(value, ratio)
    return value.item(), slope.item()


def draw():
    """Draw it."""
    figure = new_figure(height=2.9)
    x = RATIOS.numpy()
    for axes, adv, name in zip(figure.subplots(1, 2, sharex=True), [1, -1], ["A > 0", "A < 0"], strict=True):
        values, slopes = np.array([objective(ratio, adv) for ratio in RATIOS]).T
        axes.plot(x, adv * x, ":", color=MUTED, linewidth=1.5)
        axes.plot(x, np.where(slopes == 0, np.nan, values), color=BLUE, linewidth=2.5)
        axes.plot(x, np.where(slopes == 0, values, np.nan), color=ORANGE, linewidth=2.5)
        axes.plot(1, adv, "o", color=INK, zorder=3)
        axes.set(title=name, xlabel="ratio w", xticks=[1 - EPS, 1, 1 + EPS], xticklabels=["1 - ε", "1", "1 + ε"])
        axes.set(yticks=[adv], yticklabels=["A"], ylim=(min(adv * 0.3, adv * 1.7), max(adv * 0.3, adv * 1.7)))
    left, right = figure.axes
    left.set_ylabel("objective of one action")
    left.text(1.58, 1.13, "no gradient", color=ORANGE, ha="right", va="top")
    left.text(0.92, 0.82, "gradient", color=BLUE, ha="left", va="top")
    right.text(0.42, -0.87, "no gradient", color=ORANGE, ha="left", va="top")
    right.text(1.08, -1.03, "gradient", color=BLUE, ha="left", va="bottom")
    return figure
