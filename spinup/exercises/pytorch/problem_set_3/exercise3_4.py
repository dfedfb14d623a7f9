"""Exercise 3.4: the squashed Gaussian and the entropy of SAC.

    log pi(a) = log N(u) - sum_i log(1 - tanh(u_i)^2),  a = tanh(u)                      (2) squashed Gaussian

    y       = r + gamma (1 - d) (min_i Q_targ,i(o2, a2) - alpha log pi(a2|o2)),  a2 ~ pi(.|o2)     (1) soft target
    L_pi    = E[alpha log pi(a'|o) - min_i Q_i(o, a')],  a' ~ pi(.|o)                              (3) actor loss

The first is (2) of core.py; the others are (1) and (3) of sac.py. u: a sample of the Gaussian, a: action, r: reward,
o2: next observation, d: terminated. ``pi(o, eps)`` gives an action for each observation, drawn with the noise eps, and
its log-density: ``[B, act_dim]`` and ``[B]``. ``q(o, a)`` gives ``[2, B]``.

Write the three functions; ``gaussian_log_density``, of exercise 1.1, is given. Beware of large u, where float32 rounds
tanh(u) to 1. To check them, run this file.
"""

import math

import torch
import torch.nn.functional as F

from spinup.algos.pytorch.core import gaussian_log_density


def squashed_log_density(u, mu, log_std):  # (2)  [B]; all [B, dim]
    """The log-density of tanh(u), where u ~ N(mu, diag(exp(log_std)^2)), summed over the last dimension."""
    raise NotImplementedError("YOUR CODE HERE")


@torch.no_grad()
def td_target(pi, q_targ, batch, eps, gamma, alpha):  # (1)  [B]; q_targ gives [2, B]
    raise NotImplementedError("YOUR CODE HERE")


def pi_loss(pi, q, batch, eps, alpha):  # (3)  returns the loss and log pi [B]
    raise NotImplementedError("YOUR CODE HERE")


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("3.4", "pytorch", __file__)
