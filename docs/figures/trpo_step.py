"""One step of TRPO on a policy with two parameters: gradient, natural gradient, trust region and line search."""

import math

import numpy as np
import torch
from torch.distributions import Normal

from docs.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, new_figure
from spinup.algos.pytorch import trpo

DELTA, BACKTRACK_COEFF, BACKTRACK_ITERS = 0.06, 0.8, 10
OLD = torch.tensor([0.0, math.log(0.5)])
ACTIONS, ADVANTAGES = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])


def policy(theta):
    """A Gaussian that ignores the state; ``theta`` is its mean and the logarithm of its standard deviation."""
    return Normal(theta[0], theta[1].exp())


def evaluate(theta):
    """The surrogate and the divergence from the old policy."""
    pi, pi_old = policy(theta), policy(OLD)
    return trpo.surrogate(pi.log_prob(ACTIONS), pi_old.log_prob(ACTIONS), ADVANTAGES), trpo.mean_kl(pi, pi_old)


def steps():
    """The gradient and the natural step, both as long as the quadratic model allows, and the new parameters."""
    theta = OLD.clone().requires_grad_()
    surrogate, kl = evaluate(theta)
    (g,) = torch.autograd.grad(surrogate, theta, retain_graph=True)

    def hvp(v):
        return trpo.hessian_vector_product(kl, [theta], v, damping_coeff=0.0)

    x = trpo.conjugate_gradient(hvp, g, cg_iters=10)
    natural = trpo.natural_step(x, hvp(x), DELTA)
    plain = trpo.natural_step(g, hvp(g), DELTA)
    new, _ = trpo.line_search(evaluate, OLD, natural, DELTA, BACKTRACK_COEFF, BACKTRACK_ITERS)
    return plain, natural, new, torch.stack([hvp(v) for v in torch.eye(2)])


def draw():
    """The trust region, true and modelled, with both steps."""
    figure = new_figure(5.6, 4.2)
    axes = figure.subplots()
    plain, natural, new, hessian = steps()
    mu, log_std = np.linspace(-0.3, 0.3, 61), np.linspace(-1.0, -0.38, 63)
    grid = [[torch.tensor([m, s], dtype=torch.float32) for m in mu] for s in log_std]
    true = [[evaluate(theta)[1].item() for theta in row] for row in grid]
    model = [[((theta - OLD) @ hessian @ (theta - OLD) / 2).item() for theta in row] for row in grid]
    axes.contour(mu, log_std, true, [DELTA], colors=[BLUE])
    axes.contour(mu, log_std, model, [DELTA], colors=[MUTED], linestyles="dashed")
    for step, colour in (plain, ORANGE), (natural, GREEN):
        arrow = dict(arrowstyle="->", color=colour, lw=2, shrinkA=0, shrinkB=0)
        axes.annotate("", (OLD + step).tolist(), OLD.tolist(), arrowprops=arrow)
    axes.plot(*OLD.tolist(), "o", color=INK)
    axes.plot(*new.tolist(), "o", color=GREEN)
    for text, place, colour in (
        ("old policy", (0.012, -0.69), INK),
        ("new policy", (-0.065, -0.86), GREEN),
        ("gradient", (-0.235, -0.845), ORANGE),
        ("natural gradient", (-0.255, -0.925), GREEN),
        ("true KL = 0.06", (0.165, -0.53), BLUE),
        ("quadratic model", (0.13, -0.9), MUTED),
    ):
        axes.annotate(text, place, color=colour)
    axes.set(xlabel="mean μ", ylabel="log std", aspect="equal")
    return figure
