"""The JAX backend: what is known of it without importing JAX."""

PACKAGES = ("jax", "optax", "safetensors")  # what it needs
INSTALL = 'pip install "spinningup[jax]"'  # how to get it
DATA_PARALLEL = False  # whether on-policy algorithms can share one run among processes (MPI)
MODEL_FILE = "jax_save/model{}.safetensors"  # in the directory of a run; {} is the number of a snapshot
