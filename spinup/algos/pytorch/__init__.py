"""The PyTorch backend: what is known of it without importing PyTorch."""

PACKAGES = ("torch",)  # what it needs
INSTALL = "pip install torch"  # how to get it
DATA_PARALLEL = True  # whether on-policy algorithms can share one run among processes (MPI)
MODEL_FILE = "pyt_save/model{}.pt"  # in the directory of a run; {} is the number of a snapshot
