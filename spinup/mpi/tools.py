"""Data-parallel training over MPI, on one machine or several.

The launcher (``mpirun``, ``srun``) gives each process its number and their total; MPI connects them. A single process
neither imports nor needs ``mpi4py``: every function here is then the identity, or plain NumPy.

All processes must call the functions that exchange data, in the same order. An exception in one process ends the others
too; a custom script that may call ``sys.exit`` in one process must be started with ``python -m mpi4py``.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from spinup.errors import UserError, setting

_LAUNCHERS = (  # environment variables of each launcher: the number of processes, and the number of this one
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # Open MPI
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI, Microsoft MPI
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun; a batch script belongs to no step, and is a single process
)
_LAUNCHER_PREFIXES = ("SLURM_", "PMI", "OMPI_COMM_WORLD_")
_INSTALL = 'pip install "spinningup[mpi]"'


# ---- which process this is ----


def _rank_and_size() -> tuple[int, int]:
    """The number of this process and the number of processes, from the launcher; (0, 1) without one."""
    for size, rank in _LAUNCHERS:
        if size in os.environ and rank in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def proc_id() -> int:
    """The number of this process (its rank), from 0."""
    return _rank_and_size()[0]


def num_procs() -> int:
    """The number of processes that train together."""
    return _rank_and_size()[1]


def number_in_environment(variable: str) -> int | None:
    """The environment variable as a number; None if it is not set, or is no number."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else None


def usable_cores() -> int:
    """The number of logical cores that this process may use, or ``NPROC`` where that is set."""
    if (cores := number_in_environment("NPROC")) is not None:
        return cores
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def num_procs_here() -> int:
    """The number of those processes that run on this machine."""
    if num_procs() == 1:
        return 1
    world = _world()
    from mpi4py import MPI

    return world.Split_type(MPI.COMM_TYPE_SHARED).Get_size()


def process_seed(seed: int) -> int:
    """The seed of this process, derived from ``seed``; the first process uses ``seed`` itself."""
    return (int(seed) + 10_000 * proc_id()) % 2**32  # NumPy's integers would overflow, and random.seed() refuses them


ONE_PROCESS = "JAX algorithms train in one process, which uses every core"


def refuse_processes(why: str, processes: int) -> None:
    """Raise UserError, with the reason ``why``, if ``processes`` is more than 1."""
    if processes > 1:
        raise UserError(
            f"{why}, so {processes} processes are too many: use {setting(f'--num_envs {processes}')} to step several "
            f"environments at once, or {setting(f'--jobs {processes}')} to run several seeds in parallel."
        )


def only_first(function: Callable) -> Callable:
    """Let only the first process run ``function``; in the others it does nothing and returns None."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if proc_id() == 0 else None

    return wrapped


def msg(m: Any, string: str = "") -> None:
    """Print ``string`` and ``m`` with the number of this process."""
    print(f"process {proc_id()}: {string}{m}", flush=True)


# ---- exchange ----


@functools.cache
def _world() -> Any:
    """MPI's communicator of all processes.

    Raises:
        UserError: if MPI is missing, or is not the launcher's, so that it does not connect the processes.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is installed, but no MPI library
        raise UserError(f"Training with {num_procs()} processes needs MPI, not installed here: {_INSTALL}.") from error
    if (MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()) != _rank_and_size():
        library = MPI.Get_library_version().partition(",")[0]
        raise UserError(
            f"{num_procs()} processes were started, but MPI does not connect them: start them with the mpirun of "
            f"{library}, the MPI that mpi4py uses here, or on Slurm with srun --mpi=pmix."
        )
    sys.excepthook = functools.partial(_report_and_end, sys.excepthook)
    MPI.COMM_WORLD.Barrier()  # Open MPI's launcher crashes or hangs if one process ends while another connects
    return MPI.COMM_WORLD


def connect() -> None:
    """Wait until all processes are connected, so that none fails before; a single process returns at once."""
    if num_procs() > 1:
        _world()


def mpi_op(x: Any, op: Any) -> Any:
    """Reduce the numbers or arrays ``x`` of all processes; ``op`` is 'sum', 'min', 'max', or an MPI operation."""
    if num_procs() == 1:
        return x
    x = np.asarray(x)
    result = np.empty_like(x)
    allreduce(np.ascontiguousarray(x), result, op)
    return result[()]  # a zero-dimensional array becomes a number


def allreduce(x: np.ndarray, result: np.ndarray, op: Any = "sum") -> None:
    """Reduce the arrays ``x`` of all processes into ``result``; ``op`` as in :func:`mpi_op`."""
    if num_procs() == 1:
        result[...] = x
        return
    world = _world()
    from mpi4py import MPI

    world.Allreduce(x, result, getattr(MPI, op.upper()) if isinstance(op, str) else op)


def mpi_sum(x: Any) -> Any:
    """The sum of the numbers or arrays ``x`` of all processes."""
    return mpi_op(x, "sum")


def mpi_avg(x: Any) -> Any:
    """The mean of the numbers or arrays ``x`` of all processes."""
    return x if num_procs() == 1 else mpi_sum(x) / num_procs()


def mpi_statistics_scalar(x: Any, with_min_and_max: bool = False) -> tuple:
    """Mean and standard deviation (ddof 0) of all numbers in the arrays ``x`` of all processes.

    Args:
        x: an array or list of numbers; may be empty in some processes. If it is empty in all, the results are NaN.
        with_min_and_max: also return the minimum and the maximum.

    Example:
        >>> "mean {:g}, std {:.3f}, min {:g}, max {:g}".format(*mpi_statistics_scalar([1, 2, 3], with_min_and_max=True))
        'mean 2, std 0.816, min 1, max 3'
    """
    x = np.ravel(x)
    if num_procs() > 1:
        return _statistics_over_processes(x.astype(float), with_min_and_max)
    if not x.size:
        return (np.nan,) * (4 if with_min_and_max else 2)
    return (x.mean(), x.std(), x.min(), x.max()) if with_min_and_max else (x.mean(), x.std())


def _statistics_over_processes(x: np.ndarray, with_min_and_max: bool) -> tuple:
    total, count = mpi_sum(np.array([x.sum(), x.size]))
    mean = total / count if count else np.nan
    std = np.sqrt(mpi_sum(((x - mean) ** 2).sum()) / count) if count else np.nan
    if not with_min_and_max:
        return mean, std
    low, high = (mpi_op(getattr(x, op)(initial=start), op) for op, start in (("min", np.inf), ("max", -np.inf)))
    return (mean, std, low, high) if count else (np.nan,) * 4


def broadcast(x: Any, root: int = 0) -> Any:
    """The value of ``x`` in the process ``root``; an array ``x`` is also overwritten in place."""
    if num_procs() == 1:
        return x
    received = _world().bcast(x, root)
    if isinstance(x, np.ndarray):
        x[...] = received
    return received


def gather(x: Any) -> list | None:
    """The values of ``x`` in all processes, as a list in the first process; None in the others."""
    return [x] if num_procs() == 1 else _world().gather(x)


def scatter(xs: Any) -> Any:
    """This process's item of the first process's list ``xs``, one per process; the others' ``xs`` is ignored."""
    return xs[0] if num_procs() == 1 else _world().scatter(xs)


# ---- the end ----


def end_job(status: int | BaseException) -> None:
    """Let the exit of this process end all processes that MPI connects with it, as they may be waiting for it.

    Args:
        status: the exit status, or a SystemExit or KeyboardInterrupt that holds it; 0 has no effect.
    """
    if num_procs() > 1 and "mpi4py.MPI" in sys.modules:
        from mpi4py.run import set_abort_status

        set_abort_status(status)


def let_first_speak() -> None:
    """Delay the error report of every process but the first: most errors hit all alike, and one report is enough.

    Normally the first process ends the job meanwhile, and so the others; if not, they report their own errors.
    """
    if proc_id() > 0:
        time.sleep(3)


def _report_and_end(report: Callable, *error: Any) -> None:
    let_first_speak()
    report(*error)
    end_job(1)


# ---- launching ----


def mpi_fork(n: int, bind_to_core: bool = False) -> None:
    """Restart the running script as ``n`` processes connected by MPI, and exit with their status.

    Returns at once in those processes, and if ``n`` is 1.

    Args:
        n: number of processes.
        bind_to_core: bind each process to one core.

    Raises:
        UserError: if mpi4py or its launcher is missing.
    """
    if n <= 1 or num_procs() > 1:
        return
    command = [*launch_command(n, bind_to_core), sys.executable, *sys.orig_argv[1:]]
    sys.exit(subprocess.run(command, env=launch_environment(n)).returncode)


def launch_command(n: int, bind_to_core: bool = False) -> list[str]:
    """The words to put before a command to run it as ``n`` connected processes on this machine.

    Raises:
        UserError: if mpi4py or its launcher is missing.
    """
    return [find_launcher(), "-n", str(n), *(["--bind-to", "core"] if bind_to_core else [])]


def find_launcher() -> str:
    """The path of ``mpirun``, preferably the one of this Python environment.

    Raises:
        UserError: if it or mpi4py is missing.
    """
    intel = os.path.join(sys.prefix, "Library", "bin")  # programs of impi-rt, on Windows
    places = os.pathsep.join([sysconfig.get_path("scripts"), intel, os.environ.get("PATH", os.defpath)])
    launcher = shutil.which("mpiexec" if os.name == "nt" else "mpirun", path=places)
    if launcher is None or importlib.util.find_spec("mpi4py") is None:
        missing = "mpi4py" if launcher else "mpirun"
        raise UserError(f"Training with several processes needs {missing}, not installed here: {_INSTALL}.")
    return launcher


def launch_environment(n: int) -> dict[str, str]:
    """The environment variables for ``n`` processes on this machine, with one thread for each.

    They let Open MPI start more processes than cores, move processes between cores, yield the core while waiting, and
    run as root, as in a container. Its command-line options differ between versions, and other launchers lack them.
    """
    defaults = {
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_hwloc_base_binding_policy": "none",
    }
    inherited = {key: val for key, val in os.environ.items() if not key.startswith(_LAUNCHER_PREFIXES)}
    return defaults | inherited
