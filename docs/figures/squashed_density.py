"""Densities of a Gaussian after tanh."""

import math

import torch

from docs.figures.style import BLUE, GREEN, ORANGE, PURPLE, new_figure
from spinup.algos.pytorch.core import gaussian_log_density, squashed_log_density

SHAPES = [(0, 0.5, BLUE), (0, 1.0, GREEN), (0, 2.0, ORANGE), (1, 0.5, PURPLE)]


def draw():
    """Draw it."""
    u = torch.linspace(-4.5, 4.5, 181, dtype=torch.float64)[:, None]
    a = torch.tanh(u[:, 0])
    figure = new_figure(height=3.2)
    before, after = figure.subplots(1, 2)
    for mean, std, colour in SHAPES:
        mu, log_std = torch.full_like(u, mean), torch.full_like(u, math.log(std))
        label = f"μ = {mean}, \N{GREEK SMALL LETTER SIGMA} = {std}"
        before.plot(u[:, 0], gaussian_log_density(u, mu, log_std).exp(), color=colour, label=label)
        after.plot(a, squashed_log_density(u, mu, log_std).exp(), color=colour)
    before.set(xlabel="u", title="before tanh", xlim=(-4.5, 4.5), ylim=(0, 0.85))
    after.set(xlabel="a = tanh(u)", title="after tanh", xlim=(-1, 1), ylim=(0, 2.5), xticks=[-1, 0, 1])
    figure.legend(loc="outside lower center", ncols=2)
    return figure
