"""Solution of exercise 3.2: the target of the package's DQN."""

from spinup.algos.jax.dqn import td_target as td_target
