"""MPI tools, at their documented address; they live in :mod:`spinup.mpi.tools`."""

from spinup.mpi.tools import (
    allreduce,
    broadcast,
    mpi_avg,
    mpi_fork,
    mpi_op,
    mpi_statistics_scalar,
    mpi_sum,
    msg,
    num_procs,
    proc_id,
)

__all__ = [
    "allreduce",
    "broadcast",
    "mpi_avg",
    "mpi_fork",
    "mpi_op",
    "mpi_statistics_scalar",
    "mpi_sum",
    "msg",
    "num_procs",
    "proc_id",
]
