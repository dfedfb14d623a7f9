"""Solution of exercise 3.4: the package's own functions."""

from spinup.algos.pytorch.core import squashed_log_density as squashed_log_density
from spinup.algos.pytorch.sac import pi_loss as pi_loss
from spinup.algos.pytorch.sac import td_target as td_target
