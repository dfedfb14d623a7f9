"""Experiments and grids of experiments: their names, checks and launchers."""
