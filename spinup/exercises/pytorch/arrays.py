"""Tensors of PyTorch, to and from the NumPy arrays of a grader."""

import torch

NAME, ARRAY = "PyTorch", "a tensor"


def array(x):
    """The array ``x`` as a tensor of float32."""
    return torch.tensor(x, dtype=torch.float32)


def is_array(x):
    """Whether ``x`` is a tensor."""
    return isinstance(x, torch.Tensor)


def to_numpy(x):
    """The tensor ``x`` as an array of float64."""
    return x.detach().double().numpy()


def gradient(f, x):
    """The gradient of ``f`` at the tensor ``x``; zeros if ``f`` does not depend on it, or is detached from it."""
    x = x.clone().requires_grad_()
    y = f(x)
    return torch.autograd.grad(y, x, materialize_grads=True)[0] if y.requires_grad else torch.zeros_like(x)


@torch.no_grad()
def policy(cls, obs_dim, action_space, hidden_sizes, fill):
    """A policy of class ``cls``, all parameters ``fill``: (obs, act) -> mean, deviation, log-density, entropy."""
    pi = cls(obs_dim, action_space, hidden_sizes, torch.nn.Tanh)
    for parameter in pi.parameters():
        parameter.fill_(fill)

    def numbers(obs, act):
        distribution, logp = pi(obs, act)
        return distribution.mean, distribution.stddev.expand(act.shape), logp, distribution.entropy()

    return numbers


@torch.no_grad()
def critic(cls, obs_dim, action_space, hidden_sizes, fill):
    """An action-value function of the class ``cls`` whose parameters are all ``fill``."""
    q = cls(obs_dim, action_space, hidden_sizes, torch.nn.ReLU)
    for parameter in q.parameters():
        parameter.fill_(fill)
    return q
