"""Learning curves, and episodes of trained agents."""
