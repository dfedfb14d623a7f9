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
