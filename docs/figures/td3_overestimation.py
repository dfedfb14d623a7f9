"""Targets of DDPG and TD3 where every action is worth 0 and critics err by Gaussian noise, against how many actions.

The policy has found the action that the first critic rates highest: that is what the actor's loss asks of it.
"""

import numpy as np
import torch

from docs.figures.style import BLUE, GREEN, MUTED, ORANGE, new_figure
from spinup.algos.pytorch import ddpg, td3
from spinup.experience.buffers import Batch

STATES, MOST = 4_000, 128
ACTIONS = 2 ** np.arange(8)
NO_NOISE = dict(eps=torch.zeros(STATES, 1), noise_clip=0.0)


def mean_targets(errors, actions, correlation):
    """The mean targets of DDPG, with the first critic, and of TD3, with both; errors have deviation 1."""
    *own, common = errors[..., :actions]
    values = torch.tensor(np.sqrt(1 - correlation) * np.array(own) + np.sqrt(correlation) * common)

    def pi(o2):
        return values[0].argmax(-1, keepdim=True).double()

    def q(o2, a):
        return values.gather(-1, a.long().expand(2, -1, -1)).squeeze(-1)

    zeros = torch.zeros(STATES)
    batch = Batch(o=zeros, a=zeros, r=zeros, o2=zeros, d=zeros)
    bounds = dict(act_low=torch.tensor([0.0]), act_high=torch.tensor([actions - 1.0]))
    single = ddpg.td_target(pi, lambda o2, a: q(o2, a)[0], batch, gamma=1.0)
    return single.mean().item(), td3.td_target(pi, q, batch, gamma=1.0, **NO_NOISE, **bounds).mean().item()


def draw():
    """Draw it."""
    errors = np.random.default_rng(0).standard_normal((3, STATES, MOST))  # of each critic, and in common
    independent = np.array([mean_targets(errors, n, 0.0) for n in ACTIONS])
    alike = np.array([mean_targets(errors, n, 0.5) for n in ACTIONS])
    figure = new_figure(height=3.4)
    axes = figure.subplots()
    axes.axhline(0, color=MUTED, linewidth=1, linestyle=":")
    axes.plot(ACTIONS, independent[:, 0], "o-", color=ORANGE, label="one critic (DDPG)")
    axes.plot(ACTIONS, alike[:, 1], "s-", color=GREEN, label="lower of two, errors half in common")
    axes.plot(ACTIONS, independent[:, 1], "^-", color=BLUE, label="lower of two (TD3), independent errors")
    axes.set_xscale("log", base=2, nonpositive="mask")
    axes.set(xticks=ACTIONS, xticklabels=ACTIONS, xlabel="actions that the policy chooses among")
    axes.set_ylabel("mean target (truth: 0)")
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=1)
    return figure
