"""How many processes and jobs this machine has cores for."""

import os

import psutil

from spinup.errors import UserError
from spinup.mpi.tools import num_procs


def count_jobs(jobs: int | str) -> int:
    """``jobs``, an integer >= 1 or 'auto' for the number of physical cores, as a number."""
    wanted = physical_cores() if jobs == "auto" else jobs
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise UserError(f"jobs={jobs!r} is invalid: expected an integer >= 1, or 'auto'.")
    return wanted


def physical_cores() -> int:
    """How many physical cores this process may use."""
    return min(psutil.cpu_count(logical=False) or 1, logical_cores())


def logical_cores() -> int:
    """How many logical cores this process may use: as many as it can have threads at work."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_num_cpu(num_cpu: int | str) -> int:
    """How many processes ``num_cpu`` asks for: 'auto' is the number of physical cores, or of the processes there are.

    Raises:
        UserError: if it is no integer >= 1, or if MPI has already started another number.
    """
    started = num_procs()
    wanted = num_cpu
    if num_cpu == "auto":
        wanted = started if started > 1 else physical_cores()
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise UserError(f"num_cpu={num_cpu!r} is invalid: expected an integer >= 1, or 'auto'.")
    if started > 1 and wanted not in (1, started):
        raise UserError(f"num_cpu={num_cpu} does not fit the {started} processes that MPI has started: leave it out.")
    return max(wanted, started)
