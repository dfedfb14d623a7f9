"""MPI with PyTorch, at its documented address; it lives in :mod:`spinup.mpi.pytorch`."""

from spinup.mpi.pytorch import mpi_avg_grads, setup_pytorch_for_mpi, sync_params

__all__ = ["mpi_avg_grads", "setup_pytorch_for_mpi", "sync_params"]
