"""Exercise 1.2: a Gaussian policy for PPO.

    log N(x)  = -sum_i [((x_i - mu_i) / std_i)^2 / 2 + log std_i + log(2 pi) / 2]        (1) diagonal Gaussian

A network gives the mean mu of each dimension i of the action; the logarithms of the standard deviations are parameters
that do not depend on the observation. PPO samples actions from this policy, and differentiates (1) of those it took.

Write the two methods: a multilayer perceptron with ``hidden_sizes`` and ``activation`` (a class such as torch.nn.Tanh)
between its layers, and nothing after the last; and the distribution with its log-density. It is one of whole actions:
its entropy, too, is one number for each. To check the methods, run this file: it compares their numbers, then trains
PPO on InvertedPendulum with your policy.
"""

import torch
from torch import nn
from torch.distributions import Independent, Normal

from spinup.algos.pytorch.core import gaussian_log_density, mlp


class MLPGaussianActor(nn.Module):
    """pi(a|o): a diagonal Gaussian whose standard deviation does not depend on the state."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__()
        # the number of dimensions of an action is action_space.shape[0]; let the log stds start at -0.5
        raise NotImplementedError("YOUR CODE HERE")

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-density ``[B]`` of ``act`` ``[B, act_dim]``."""
        # without act, return None in the place of the log-density
        raise NotImplementedError("YOUR CODE HERE")

    @torch.no_grad()
    def act(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        pi, _ = self(torch.as_tensor(obs))
        return (pi.mean if deterministic else pi.sample()).numpy()


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("1.2", "pytorch", __file__)
