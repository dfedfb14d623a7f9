"""One experiment in a separate Python process, and its exit status."""

import contextlib
import io
import operator
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cloudpickle

from spinup.errors import typed_program
from spinup.experiments.experiment import Experiment
from spinup.interrupts import accept_interrupts, hold_interrupts, interrupts_ignored
from spinup.mpi import tools as mpi_tools
from spinup.records.console import NOTEBOOK, flush, in_a_notebook

MISTAKEN, INTERRUPTED = 2, 130  # exit statuses: a user's mistake, and Ctrl-C


def is_crash(status: int) -> bool:
    """Whether a run with the exit status ``status`` should be retried."""
    return status not in (0, MISTAKEN, INTERRUPTED)


def run_in_process(experiment: Experiment) -> int:
    """Run one experiment in a fresh Python process, so that no state leaks from one to the next.

    It shares this process's stdout and stderr. Returns its exit status.
    """
    with tempfile.TemporaryDirectory(prefix="spinup-") as folder:
        command = write_call(pickle_call(experiment), Path(folder))
        variables = dict(os.environ) | ({NOTEBOOK: "1"} if in_a_notebook() else {})
        if experiment.num_cpu > 1:
            command = [*mpi_tools.launch_command(experiment.num_cpu), *command]
            variables = mpi_tools.launch_environment(experiment.num_cpu)
        flush()
        if experiment.num_cpu == 1:  # mpirun would hold them for ever
            hold_interrupts()
        process = subprocess.Popen(command, env=variables | import_path())
        try:
            accept_interrupts()
            return process.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired), interrupts_ignored():
                process.wait(timeout=5)  # Ctrl-C at a terminal reaches it too, and a second one ends it at once
            return INTERRUPTED
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def pickle_call(experiment: Experiment) -> bytes:
    """The call of an experiment, pickled for another process, and what the user types to give commands."""
    data = io.BytesIO()
    _Pickler(data).dump((experiment.thunk, experiment.kwargs, typed_program()))
    return data.getvalue()


def write_call(call: bytes, folder: Path) -> list[str]:
    """Write a pickled call to ``folder``, as it may exceed a command line; returns the command that runs it."""
    payload = folder / "experiment.pkl"
    payload.write_bytes(call)
    return [sys.executable, "-m", "spinup.commands.run_entrypoint", str(payload)]


def import_path() -> dict[str, str]:
    """The environment variable for this process's import path, for modules beside the user's script."""
    return {"PYTHONPATH": os.pathsep.join(os.path.abspath(p) for p in sys.path)}


class _Pickler(cloudpickle.Pickler):
    """Pickles the functions of JAX by name: a copy of ``jax.nn.elu`` would not be recognised as an activation."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__module__.startswith("jax") and hasattr(obj, "__qualname__"):
            return operator.attrgetter(obj.__qualname__), (sys.modules[obj.__module__],)
        return super().reducer_override(obj)


ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # of PyTorch: several lose much where a core is taken
OUTPUT = {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}  # written at once, or a killed run would lose the end
CORES = "NPROC"  # the environment variable from which XLA (JAX) takes the number of cores, and so do we


class ProcessAttempt:
    """An attempt in a process on this machine.

    Args:
        call: an experiment pickled by ``pickle_call``.
        run_dir: output directory, which replaces that of the call; printed output goes to its ``output.log``.
        cores: number of cores to compute on, unless the environment already sets it.
        append: keep the contents of ``output.log``.
    """

    def __init__(self, call: bytes, run_dir: Path, cores: int, append: bool = False):
        self._folder = tempfile.TemporaryDirectory(prefix="spinup-")
        command = [*write_call(call, Path(self._folder.name)), "--leash", "--output_dir", str(run_dir)]
        run_dir.mkdir(parents=True, exist_ok=True)
        with (run_dir / LOG).open("ab" if append else "wb") as log:
            defaults = {**ONE_THREAD, CORES: str(cores)}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=defaults | os.environ | import_path() | OUTPUT,
                start_new_session=True,  # so that Ctrl-C at a terminal reaches the launcher alone, which passes it on
            )

    def has_begun(self) -> bool:
        """Always true: a process starts at once."""
        return True

    def status(self) -> int | None:
        """The exit status of the process, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """The exit status, after waiting for up to ``seconds``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.status()

    def interrupt(self) -> None:
        """Stop the process as Ctrl-C would, by closing its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def close(self) -> None:
        """Kill the process if it still runs."""
        self.interrupt()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


LOG = "output.log"  # the printed output of a run, in its directory
