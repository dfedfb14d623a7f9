"""Why DDPG can die on Hopper: how far a tanh policy saturates, and whether it comes back."""
