"""Several processes as one: data-parallel training over MPI."""
