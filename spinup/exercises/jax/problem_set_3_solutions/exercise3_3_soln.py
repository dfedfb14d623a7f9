"""Solution of exercise 3.3: the loss of the package's PPO."""

from spinup.algos.jax.ppo import policy_loss as policy_loss
