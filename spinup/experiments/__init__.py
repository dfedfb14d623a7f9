"""Many runs: grids, their names, their launchers."""
