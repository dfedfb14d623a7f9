"""Experiments side by side on this machine, each in a process of its own."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from spinup.errors import UserError
from spinup.experiments.launchers.in_series import Experiment, import_path, pickle_call, write_call
from spinup.experiments.launchers.supervisor import LOG, supervise

# What OpenMP, MKL and the thread pool of XLA (JAX) take for the number of cores.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


def run_in_parallel(experiments: Sequence[Experiment], jobs: int, retries: int = 0) -> None:
    """Run ``experiments``, ``jobs`` at a time; the cores are divided among those. See ``supervisor.supervise``."""
    side_by_side = min(jobs, sum(not experiment.is_finished for experiment in experiments))
    threads = max(1, physical_cores() // max(1, side_by_side))

    def start(experiment: Experiment, is_retry: bool) -> ProcessAttempt:
        append = is_retry or experiment.resumes
        return ProcessAttempt(pickle_call(experiment), experiment.output_dir, threads, append)

    supervise(experiments, start, jobs, retries)


def count_jobs(jobs: int | str) -> int:
    """``jobs``, an integer >= 1 or 'auto' for the number of physical cores, as a number."""
    wanted = physical_cores() if jobs == "auto" else jobs
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise UserError(f"jobs={jobs!r} will not do: expected an integer >= 1, or 'auto'.")
    return wanted


def physical_cores() -> int:
    """How many physical cores this process may use."""
    return min(psutil.cpu_count(logical=False) or 1, logical_cores())


def logical_cores() -> int:
    """How many logical cores this process may use: as many as it can have threads at work."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
