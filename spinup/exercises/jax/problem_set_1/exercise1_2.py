"""Exercise 1.2: a Gaussian policy for PPO.

    log N(x)  = -sum_i [((x_i - mu_i) / std_i)^2 / 2 + log std_i + log(2 pi) / 2]        (1) diagonal Gaussian

A network gives the mean mu of each dimension i of the action; the logarithms of the standard deviations are parameters
that do not depend on the observation. PPO samples actions from this policy, and differentiates (1) of those it took.

Write the two methods: a multilayer perceptron with ``hidden_sizes`` and ``activation`` (a function such as
jax.nn.tanh) between its layers, and nothing after the last; and the distribution with its log-density. ``core.MLP`` is
such a network, made by ``core.MLP.create(sizes, activation)``. To check them, run this file: it compares their
numbers, then trains PPO on InvertedPendulum with your policy.
"""

import jax
import jax.numpy as jnp
import numpy as np

from spinup.algos.jax import core
from spinup.algos.jax.core import gaussian_log_density


@core.pytree()
class MLPGaussianActor:
    """pi(a|o): a diagonal Gaussian whose standard deviation does not depend on the state."""

    mu_net: core.MLP
    log_std: jax.Array  # [act_dim]

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        # the number of dimensions of an action is action_space.shape[0]; let the log stds start at -0.5
        raise NotImplementedError("YOUR CODE HERE")

    def __call__(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-density ``[B]`` of ``act`` ``[B, act_dim]``."""
        # the distribution is core.Gaussian(mu, log_std); without act, return None in the place of the log-density
        raise NotImplementedError("YOUR CODE HERE")

    def act(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        mu = self.mu_net.forward_numpy(obs)
        noise = 0 if deterministic else np.random.standard_normal(mu.shape).astype(mu.dtype)
        return mu + np.exp(np.asarray(self.log_std)) * noise


if __name__ == "__main__":
    from spinup.commands.exercise import check_file

    check_file("1.2", "jax", __file__)
