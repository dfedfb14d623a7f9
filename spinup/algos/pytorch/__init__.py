"""The PyTorch backend: what is known of it without importing PyTorch."""

PACKAGES = ("torch",)  # what it needs
INSTALL = "pip install torch"  # how to get it
DATA_PARALLEL = True  # whether on-policy algorithms can share one run among processes (MPI)
