"""The number of cores, and of the processes and jobs to divide them among."""

import psutil

from spinup.errors import UserError
from spinup.mpi.tools import num_procs, usable_cores


def count_jobs(jobs: int | str) -> int:
    """``jobs`` as a number; 'auto' is the number of physical cores. Raises UserError if invalid."""
    wanted = physical_cores() if jobs == "auto" else jobs
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise UserError(f"jobs={jobs!r} is invalid: expected an integer >= 1, or 'auto'.")
    return wanted


def physical_cores() -> int:
    """The number of physical cores that this process may use."""
    return min(psutil.cpu_count(logical=False) or 1, usable_cores())


def check_num_cpu(num_cpu: int | str) -> int:
    """``num_cpu`` as a number of processes; 'auto': all that MPI has started, or else one for each physical core.

    Raises:
        UserError: if it is not an integer >= 1, or differs from the number of processes that MPI has already started.
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
