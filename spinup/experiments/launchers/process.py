"""One experiment in its own Python process, and what its exit status means."""

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

from spinup.experiments.experiment import Experiment
from spinup.mpi import tools as mpi_tools

MISTAKEN, INTERRUPTED = 2, 130  # exit statuses: a mistake of the user, and Ctrl-C


def is_crash(status: int) -> bool:
    """Whether it makes sense to try again what ended with ``status``."""
    return status not in (0, MISTAKEN, INTERRUPTED)


def run_in_process(experiment: Experiment) -> int:
    """Run one experiment in a fresh Python process, so that no state leaks from one to the next.

    Output goes to our own stdout and stderr. Returns the exit status of the process.
    """
    with tempfile.TemporaryDirectory(prefix="spinup-") as folder:
        command, variables = write_call(pickle_call(experiment), Path(folder)), dict(os.environ)
        if experiment.num_cpu > 1:
            command = [*mpi_tools.launch_command(experiment.num_cpu), *command]
            variables = mpi_tools.launch_environment(experiment.num_cpu)
        sys.stdout.flush()
        process = subprocess.Popen(command, env=variables | import_path())
        try:
            return process.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)  # Ctrl-C at a terminal has reached it too
            return INTERRUPTED
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def pickle_call(experiment: Experiment) -> bytes:
    """The call of an experiment, for another process to make."""
    data = io.BytesIO()
    _Pickler(data).dump((experiment.thunk, experiment.kwargs))
    return data.getvalue()


def write_call(call: bytes, folder: Path) -> list[str]:
    """Write a pickled call into ``folder``, as command lines may be too short; returns the command to make it."""
    payload = folder / "experiment.pkl"
    payload.write_bytes(call)
    return [sys.executable, "-m", "spinup.commands.run_entrypoint", str(payload)]


def import_path() -> dict[str, str]:
    """The variable that gives another process our import path, for modules beside the user's script."""
    return {"PYTHONPATH": os.pathsep.join(os.path.abspath(p) for p in sys.path)}


class _Pickler(cloudpickle.Pickler):
    """Names the functions of JAX rather than copying them: a copy of ``jax.nn.elu`` is not known by its name."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__module__.startswith("jax") and hasattr(obj, "__qualname__"):
            return operator.attrgetter(obj.__qualname__), (sys.modules[obj.__module__],)
        return super().reducer_override(obj)


# What OpenMP, MKL and the thread pool of XLA (JAX) take for the number of cores.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


class ProcessAttempt:
    """A try in a process of this machine.

    Args:
        call: what ``pickle_call`` made of an experiment.
        run_dir: where it saves, whatever the call says. What it prints goes to ``output.log`` there.
        threads: how many threads it may compute with, unless the environment says so already.
        append: keep what ``output.log`` holds.
    """

    def __init__(self, call: bytes, run_dir: Path, threads: int, append: bool = False):
        self._folder = tempfile.TemporaryDirectory(prefix="spinup-")
        command = [*write_call(call, Path(self._folder.name)), "--leash", "--output_dir", str(run_dir)]
        run_dir.mkdir(parents=True, exist_ok=True)
        with (run_dir / LOG).open("ab" if append else "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict.fromkeys(THREADS, str(threads)) | os.environ | import_path() | {"PYTHONIOENCODING": "utf-8"},
                start_new_session=True,  # so that Ctrl-C at a terminal reaches the launcher alone, which passes it on
            )

    def has_begun(self) -> bool:
        """Always: a process runs at once."""
        return True

    def status(self) -> int | None:
        """The exit status of the process, negative for a signal."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """The exit status, for which this waits so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.status()

    def interrupt(self) -> None:
        """Let go of the leash."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def close(self) -> None:
        """Kill the process if it is still there."""
        self.interrupt()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


LOG = "output.log"  # in the directory of a run: all that it printed
