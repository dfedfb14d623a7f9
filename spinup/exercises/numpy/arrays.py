"""Arrays of NumPy, in which graders are written."""

import numpy as np

NAME, ARRAY = "NumPy", "an array of NumPy"


def array(x):
    """``x``, a float array."""
    return np.array(x)


def is_array(x):
    """Whether ``x`` is an array, or a number of NumPy."""
    return isinstance(x, np.ndarray | np.generic)


def to_numpy(x):
    """``x`` in float64."""
    return np.asarray(x, np.float64)


def gradient(f, x, h=1e-5):
    """The gradient of ``f`` at ``x``, by central differences."""
    steps = h * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + step) - f(x - step)) / (2 * h) for step in steps]).reshape(x.shape)


def policy(function, obs_dim, action_space, hidden_sizes, fill):
    """What stands for a policy here: ``function(obs, act, sizes, fill)`` -> what (1) needs, and the entropy."""
    sizes = [obs_dim, *hidden_sizes, *action_space.shape]
    return lambda obs, act: function(obs, act, sizes, fill)


def critic(function, obs_dim, action_space, hidden_sizes, fill):
    """What stands for an action-value function here: ``function(obs, act, sizes, fill)``."""
    sizes = [obs_dim + action_space.shape[0], *hidden_sizes, 1]
    return lambda obs, act: function(obs, act, sizes, fill)
