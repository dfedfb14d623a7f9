"""The policy that SAC's loss asks for in one state, for three temperatures, with the action values given."""

import torch

from docs.figures.style import MUTED, new_figure
from spinup.algos.pytorch import core, sac, training
from spinup.experience.buffers import Batch

TEMPERATURES = 0.05, 0.2, 1.0
NOISE = torch.special.ndtri((torch.arange(100, dtype=torch.float64) + 0.5) / 100)[:, None]  # evenly over its quantiles
STATE = Batch(*[torch.zeros(100, 1, dtype=torch.float64)] * 5)


def q(_, a):
    """Two critics that agree: the best action is 0.4."""
    return (-3 * (a - 0.4) ** 2).squeeze(-1).expand(2, -1)


def policy(theta):
    """The squashed Gaussian with mean ``theta[0]`` and log standard deviation ``theta[1]``, in every state."""

    def pi(_, eps):
        u = theta[0] + theta[1].exp() * eps
        return torch.tanh(u), core.squashed_log_density(u, theta[0], theta[1])

    return pi


def fitted(alpha):
    """The parameters that minimise the loss of the policy, and its entropy."""
    theta = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    optimizer = training.Adam(0.05, theta)
    for _ in range(300):
        loss, logp = sac.pi_loss(policy(theta), q, STATE, NOISE, alpha)
        training.minimize(optimizer, loss)
    return theta.detach(), -logp.mean().item()


def draw():
    """The densities over the actions, and the action values."""
    figure = new_figure(5.0, 3.0)
    axes = figure.subplots()
    a = torch.linspace(-0.98, 0.98, 99, dtype=torch.float64)[:, None]
    for alpha in TEMPERATURES:
        theta, entropy = fitted(alpha)
        density = core.squashed_log_density(torch.atanh(a), *theta.round(decimals=2)).exp()  # the same on any machine
        axes.plot(a.squeeze(-1), density, label=f"{alpha}: {entropy:.2f}")
    axes.plot(a.squeeze(-1), q(None, a)[0], color=MUTED, linestyle="--", label="Q(s, a)")
    axes.set(xlabel="action", ylabel="density", xlim=(-1, 1), ylim=(-2, 5))
    axes.legend(title="temperature: entropy", loc="upper left")
    return figure
