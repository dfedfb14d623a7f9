"""Several processes as one: data-parallel training over MPI, on one machine or many.

The launcher (``mpirun``, ``srun``) gives each process its number and their count; MPI connects them. A process
that is alone neither imports nor needs ``mpi4py``: every function here is then the identity, or plain NumPy.

All processes must call the functions that exchange something, in the same order. One that dies of an exception ends the
others too; where a custom script may call ``sys.exit`` in one of them, start it by ``python -m mpi4py``.
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

from spinup.errors import UserError

_LAUNCHERS = (  # variables by which each launcher says how many processes there are, and which one this is
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # Open MPI
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI, Microsoft MPI
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun; a batch script, which is one process, belongs to no step
)
_OF_AN_OUTER_LAUNCHER = ("SLURM_", "PMI", "OMPI_COMM_WORLD_")
_INSTALL = 'pip install "spinningup[mpi]"'


# ---- which process this is ----


def _placed() -> tuple[int, int]:
    """The number of this process and how many there are, from its launcher; (0, 1) without one."""
    for size, rank in _LAUNCHERS:
        if size in os.environ and rank in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def proc_id() -> int:
    """The number of this process (its rank), from 0."""
    return _placed()[0]


def num_procs() -> int:
    """How many processes train together."""
    return _placed()[1]


def num_procs_here() -> int:
    """How many of them run on this machine."""
    if num_procs() == 1:
        return 1
    world = _world()
    from mpi4py import MPI

    return world.Split_type(MPI.COMM_TYPE_SHARED).Get_size()


def process_seed(seed: int) -> int:
    """The seed of this process's own random numbers; the first process has ``seed`` itself."""
    return (seed + 10_000 * proc_id()) % 2**32


ONE_PROCESS = "JAX algorithms train in one process, which uses every core"


def refuse_processes(why: str, processes: int) -> None:
    """Raise UserError, which says ``why``, if there are several ``processes``."""
    if processes > 1:
        raise UserError(
            f"{why}, so {processes} processes are too many: use --num_envs {processes} to step several environments "
            f"at once, or --jobs {processes} to run several seeds in parallel."
        )


def only_first(function: Callable) -> Callable:
    """``function`` as the first process calls it; in the others it does nothing and returns None."""

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
        UserError: where there is no MPI, or it is another one than the launcher's, so that each process is on its own.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, but no MPI library
        raise UserError(f"Training with {num_procs()} processes needs MPI, which is not here: {_INSTALL}.") from error
    if (MPI.COMM_WORLD.Get_rank(), MPI.COMM_WORLD.Get_size()) != _placed():
        library = MPI.Get_library_version().partition(",")[0]
        raise UserError(
            f"{num_procs()} processes were started, but MPI does not connect them: start them with the mpirun of "
            f"{library}, which mpi4py has found here, or on Slurm with srun --mpi=pmix."
        )
    sys.excepthook = functools.partial(_report_and_end, sys.excepthook)
    MPI.COMM_WORLD.Barrier()  # Open MPI's launcher crashes, or hangs, where one process ends while another connects
    return MPI.COMM_WORLD


def connect() -> None:
    """Wait for the other processes, before anything can go wrong in one of them alone; alone, do nothing."""
    if num_procs() > 1:
        _world()


def mpi_op(x: Any, op: Any) -> Any:
    """Combine the numbers or arrays ``x`` of all processes; ``op`` is 'sum', 'min', 'max', or an operation of MPI."""
    if num_procs() == 1:
        return x
    x = np.asarray(x)
    result = np.empty_like(x)
    allreduce(np.ascontiguousarray(x), result, op)
    return result[()]  # an array of no dimension becomes a number


def allreduce(x: np.ndarray, result: np.ndarray, op: Any = "sum") -> None:
    """Write what ``op`` makes of the arrays ``x`` of all processes into ``result``; see :func:`mpi_op`."""
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
    """Their mean."""
    return x if num_procs() == 1 else mpi_sum(x) / num_procs()


def mpi_statistics_scalar(x: Any, with_min_and_max: bool = False) -> tuple:
    """Mean and standard deviation (ddof 0) of all numbers in the arrays ``x`` of all processes.

    Args:
        x: an array or list of numbers, which may be empty in some processes; where it is in all, the results are NaN.
        with_min_and_max: return the least and the greatest of them too.
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
    """What the process ``root`` has for ``x``; an array is also overwritten by it in place."""
    if num_procs() == 1:
        return x
    received = _world().bcast(x, root)
    if isinstance(x, np.ndarray):
        x[...] = received
    return received


def gather(x: Any) -> list | None:
    """What every process has for ``x``, as a list in the first process; None in the others."""
    return [x] if num_procs() == 1 else _world().gather(x)


def scatter(xs: Any) -> Any:
    """This process's item of the list that the first process gives, one for each; what the others give is ignored."""
    return xs[0] if num_procs() == 1 else _world().scatter(xs)


# ---- the end ----


def end_job(status: int | BaseException) -> None:
    """Where MPI connects this process with others, which may wait for it, let its exit end them all.

    Args:
        status: the exit status, or a SystemExit or KeyboardInterrupt that holds it; for 0 nothing happens.
    """
    if num_procs() > 1 and "mpi4py.MPI" in sys.modules:
        from mpi4py.run import set_abort_status

        set_abort_status(status)


def let_first_speak() -> None:
    """Call this before reporting an error: most hit all processes alike, and one report is enough.

    The others wait until the first process has ended the job, which ends them too; after that they report their own
    errors.
    """
    if proc_id() > 0:
        time.sleep(3)


def _report_and_end(report: Callable, *error: Any) -> None:
    let_first_speak()
    report(*error)
    end_job(1)


# ---- launching ----


def mpi_fork(n: int, bind_to_core: bool = False) -> None:
    """Start the running script again, as ``n`` processes connected by MPI, and exit when they have.

    In those processes, and for ``n`` of 1, it returns at once.

    Args:
        n: how many.
        bind_to_core: keep each process on its own core.

    Raises:
        UserError: without mpi4py or a launcher.
    """
    if n <= 1 or num_procs() > 1:
        return
    command = [*launch_command(n, bind_to_core), sys.executable, *sys.orig_argv[1:]]
    sys.exit(subprocess.run(command, env=launch_environment(n)).returncode)


def launch_command(n: int, bind_to_core: bool = False) -> list[str]:
    """What stands before a command to run it as ``n`` connected processes on this machine.

    Raises:
        UserError: without mpi4py or a launcher.
    """
    return [find_launcher(), "-n", str(n), *(["--bind-to", "core"] if bind_to_core else [])]


def find_launcher() -> str:
    """The path of ``mpirun``: that of this Python environment, where it has one.

    Raises:
        UserError: without it, or without mpi4py.
    """
    intel = os.path.join(sys.prefix, "Library", "bin")  # where impi-rt puts its programs, on Windows
    places = os.pathsep.join([sysconfig.get_path("scripts"), intel, os.environ.get("PATH", os.defpath)])
    launcher = shutil.which("mpiexec" if os.name == "nt" else "mpirun", path=places)
    if launcher is None or importlib.util.find_spec("mpi4py") is None:
        missing = "mpi4py" if launcher else "mpirun"
        raise UserError(f"Training with several processes needs {missing}, not installed here: {_INSTALL}.")
    return launcher


def launch_environment(n: int) -> dict[str, str]:
    """The environment variables for ``n`` processes on this machine, with an equal share of threads for each.

    Open MPI is told by variables, as its options go by other names in every version and other launchers lack them: more
    processes than cores are fine, processes may move between cores, one that waits lets others run, and root may start
    them, as in a container.
    """
    ours = {
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // n)),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_hwloc_base_binding_policy": "none",
    }
    inherited = {key: val for key, val in os.environ.items() if not key.startswith(_OF_AN_OUTER_LAUNCHER)}
    return ours | inherited
