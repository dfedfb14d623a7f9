"""Solution of exercise 3.4: the package's own functions."""

from spinup.algos.jax.core import squashed_log_density as squashed_log_density
from spinup.algos.jax.sac import pi_loss as pi_loss
from spinup.algos.jax.sac import td_target as td_target
