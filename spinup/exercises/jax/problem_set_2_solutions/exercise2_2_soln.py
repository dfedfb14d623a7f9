"""Solution of exercise 2.2: repaired, the class is that of the package, whose last line removes the last dimension."""

from spinup.algos.jax.core import MLPQFunction as BuggedMLPQFunction
