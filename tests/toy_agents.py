"""An agent and a batch small enough to work an update out by hand."""

import torch
from torch import nn

from spinup.algos.pytorch import core
from spinup.utils.buffers import Rollout


class TwoActions(nn.Module):
    """A policy with logits ``w o + b`` for two actions, and a value ``w o + b``; all parameters start at 0."""

    def __init__(self):
        super().__init__()
        self.pi = core.MLPCategoricalActor(1, 2, [], nn.Tanh)
        self.v = core.MLPCritic(1, [], nn.Tanh)
        for p in self.parameters():
            nn.init.zeros_(p)


def batch_of_two():
    """Observing 1, action 0 turned out well and action 1 badly; both were thought to be worth 0, and returned 2."""
    one = torch.ones(2)
    return Rollout(o=one[:, None], a=torch.tensor([0, 1]), ret=2 * one, adv=torch.tensor([1.0, -1.0]), v=0 * one)


def adams(ac, lr=0.1):
    """Optimisers of policy and value. Adam's first step moves every parameter by ``lr`` against its gradient's sign."""
    return torch.optim.Adam(ac.pi.parameters(), lr), torch.optim.Adam(ac.v.parameters(), lr)


def is_untouched(module):
    """Whether no parameter of a :class:`TwoActions` part has moved or met a gradient."""
    return all(p.eq(0).all() and p.grad is None for p in module.parameters())
