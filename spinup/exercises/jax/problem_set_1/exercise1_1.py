"""Exercise 1.1: the log-likelihood of a diagonal Gaussian.

    log N(x)  = -sum_i [((x_i - mu_i) / std_i)^2 / 2 + log std_i + log(2 pi) / 2]        (1) diagonal Gaussian

x: samples, mu and std: mean and standard deviation of each dimension i. A policy with continuous actions is such a
Gaussian for each observation, and a policy gradient needs this log-likelihood of the actions taken.

Write the function: from a batch of samples, means and *logarithms* of standard deviations, all ``[B, dim]``, one number
for each row, ``[B]``. Do without ready-made distributions the first time. To check it, run this file.
"""

import math

import jax.numpy as jnp


def gaussian_log_density(x, mu, log_std):  # (1)  [B]; x, mu: [B, dim], log_std: [B, dim] or [dim]
    """log N(x; mu, diag(exp(log_std)^2)), summed over the last dimension."""
    raise NotImplementedError("YOUR CODE HERE")


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("1.1", "jax", __file__)
