"""An agent and a batch small enough to work an update out by hand."""

import torch
from gymnasium import spaces
from torch import nn

from spinup.algos.pytorch import core, training
from spinup.experience.buffers import Batch, Rollout


class TwoActions(nn.Module):
    """A policy with logits ``w o + b`` for two actions, and a value ``w o + b``; all parameters start at 0."""

    def __init__(self):
        super().__init__()
        self.pi = core.MLPCategoricalActor(1, spaces.Discrete(2), [], nn.Tanh)
        self.v = core.MLPCritic(1, [], nn.Tanh)
        for p in self.parameters():
            nn.init.zeros_(p)


def batch_of_two():
    """Observing 1, action 0 turned out well and action 1 badly; both were thought to be worth 0, and returned 2."""
    one = torch.ones(2)
    return Rollout(o=one[:, None], a=torch.tensor([0, 1]), ret=2 * one, adv=torch.tensor([1.0, -1.0]), v=0 * one)


def adams(ac, lr=0.1):
    """Optimisers of policy and value. Adam's first step moves every parameter by ``lr`` against its gradient's sign."""
    return training.Adam(lr, ac.pi), training.Adam(lr, ac.v)


def is_untouched(module):
    """Whether no parameter of a :class:`TwoActions` part has moved or met a gradient."""
    return all(p.eq(0).all() and p.grad is None for p in module.parameters())


# ---- off-policy ----


def transitions(o, a, r, o2, d):
    """A minibatch from lists of one number for each transition; actions that are int are discrete."""
    column = [torch.tensor(x)[:, None] for x in (o, o2)]
    a = torch.tensor(a)
    return Batch(column[0], a[:, None] if a.is_floating_point() else a, torch.tensor(r), column[1], torch.tensor(d))


def phase(*minibatches):
    """Minibatches as the leaves ``[K, B, ...]`` of one update phase."""
    return Batch(*map(torch.stack, zip(*minibatches, strict=True)))


class Policy(nn.Module):
    """``mu(o) = w o``."""

    def __init__(self, w=1.0):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, o):
        return self.w * o


class NoisyPolicy(Policy):
    """``a = w o + eps``, said to have ``log pi = 2 w o``."""

    def forward(self, o, eps):
        return self.w * o + eps, (2 * self.w * o).squeeze(-1)


class Value(nn.Module):
    """``Q(o, a) = w a``."""

    def __init__(self, w=1.0):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, o, a):
        return (self.w * a).squeeze(-1)


class Parts(nn.Module):
    """An agent of these parts, such as ``Parts(pi=Policy(), q=Value())``; calling it gives the ``w`` of each."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self):
        return weights(self)


def weights(module):
    """The ``w`` of each part of ``module``, by the part's own name."""
    return {name.split(".")[-2]: p.item() for name, p in module.named_parameters()}


def gradients(module):
    """The last gradient of the ``w`` of each part; None where none arrived."""
    return {name.split(".")[-2]: None if p.grad is None else p.grad.item() for name, p in module.named_parameters()}


class Sgd:
    """Moves every parameter by a tenth of its gradient, and leaves that in ``grad``."""

    def __init__(self, params):
        self.params = [*params]

    def step(self, grads):
        for p, grad in zip(self.params, grads, strict=True):
            p.grad = grad
            p.data -= 0.1 * grad
