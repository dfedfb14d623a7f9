"""Solution of exercise 3.2: the target of the package's DDPG."""

from spinup.algos.jax.ddpg import td_target as td_target
