"""Arrays of JAX, to and from the NumPy arrays of a grader."""

import jax
import jax.numpy as jnp
import numpy as np

NAME, ARRAY = "JAX", "an array of JAX"


def array(x):
    """The array ``x`` in float32."""
    return jnp.asarray(x, jnp.float32)


def is_array(x):
    """Whether ``x`` is an array of JAX."""
    return isinstance(x, jax.Array)


def to_numpy(x):
    """The array ``x`` as one of NumPy, float64."""
    return np.asarray(x, np.float64)


def gradient(f, x):
    """The gradient of ``f`` at the array ``x``."""
    return jax.grad(f)(x)


def policy(cls, obs_dim, action_space, hidden_sizes, fill):
    """A policy of class ``cls``, all parameters ``fill``: (obs, act) -> mean, deviation, log-density, entropy."""
    pi = cls.create(obs_dim, action_space, hidden_sizes, jax.nn.tanh)
    pi = jax.tree.map(lambda x: jnp.full_like(x, fill), pi)

    def numbers(obs, act):
        distribution, logp = pi(obs, act)
        std = jnp.broadcast_to(jnp.exp(distribution.log_std), act.shape)
        return distribution.mu, std, logp, distribution.entropy()

    return numbers


def critic(cls, obs_dim, action_space, hidden_sizes, fill):
    """An action-value function of the class ``cls`` whose parameters are all ``fill``."""
    return jax.tree.map(lambda x: jnp.full_like(x, fill), cls.create(obs_dim, action_space, hidden_sizes, jax.nn.relu))
