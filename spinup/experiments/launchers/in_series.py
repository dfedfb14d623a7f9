"""Where experiments run: here, one after the other, each in a process (or several, over MPI) of its own.

The module ``parallel`` runs them side by side, ``ray_launcher`` on a Ray cluster.

A launcher takes a list of :class:`Experiment` and knows nothing of grids; what a grid is, and how experiments are
named and checked, is the business of ``run_utils``.
"""

import contextlib
import inspect
import io
import operator
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle

from spinup.hyperparameters import with_defaults
from spinup.mpi import tools as mpi_tools
from spinup.records.saving import holds_run, is_finished, last_epoch

MISTAKEN, INTERRUPTED = 2, 130  # exit statuses: of what the user has to mend, of what Ctrl-C stopped


@dataclass(frozen=True)
class Experiment:
    """One call ``thunk(**kwargs)``; ``config`` is how its settings are shown to the user before it starts.

    ``num_cpu`` processes make it together, connected by MPI.
    """

    name: str
    thunk: Callable
    kwargs: dict[str, Any]
    config: dict[str, Any]
    num_cpu: int = 1

    @property
    def output_dir(self) -> Path:
        return Path(self.kwargs["logger_kwargs"]["output_dir"])

    @property
    def can_resume(self) -> bool:
        """Whether its function goes on from its last checkpoint when it is given ``resume=True``."""
        return "resume" in inspect.signature(self.thunk).parameters

    @property
    def resumes(self) -> bool:
        """Whether it goes on with the run that its directory may hold."""
        return bool(self.kwargs.get("resume"))

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to go on with."""
        return self.resumes and is_finished(self.output_dir, self.epochs)

    @property
    def epochs(self) -> int | None:
        """How many it is to have; None if only its function knows."""
        return with_defaults(self.thunk, self.kwargs).get("epochs")

    def stamp(self) -> int | None:
        """When the run in its directory began, in nanoseconds; None if there is none."""
        try:
            return (self.output_dir / "config.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def is_untouched(self, stamp: int | None) -> bool:
        """Whether its directory still holds the older run whose ``stamp`` this is."""
        return stamp is not None and stamp == self.stamp()

    def again(self, stamp: int | None) -> "Experiment":
        """The experiment to run after a crash; ``stamp`` is the one from before the first attempt.

        It goes on from the last checkpoint. Where there is none, or the function knows no ``resume``, it begins again,
        and what the crash left is replaced. Unless the crash came before anything was written: then the directory is
        still as the first attempt found it, and so is the second.
        """
        if self.is_untouched(stamp):
            return self
        logger_kwargs = {key: value for key, value in self.kwargs["logger_kwargs"].items() if key != "overwrite"}
        if self.can_resume and (last_epoch(self.output_dir) is not None or not holds_run(self.output_dir)):
            return replace(self, kwargs=self.kwargs | {"resume": True, "logger_kwargs": logger_kwargs})
        kwargs = {key: value for key, value in self.kwargs.items() if key != "resume"}
        return replace(self, kwargs=kwargs | {"logger_kwargs": logger_kwargs | {"overwrite": True}})


def readable(value: Any) -> str:
    """Show a value to a person: callables by their dotted name, the rest as Python writes it."""
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def run_in_series(
    experiments: Sequence[Experiment],
    before: Callable[[Experiment], None],
    after: Callable[[Experiment], None],
    retries: int = 0,
) -> None:
    """Run ``experiments`` in order, calling ``before`` and ``after`` around each that ends well.

    One that crashes is tried ``retries`` times more, from its last checkpoint; one that has finished is passed over.

    Raises:
        SystemExit: with the status of the first experiment that fails (2 for a mistake of the user, 1 for a crash,
            130 for Ctrl-C); the experiments after it do not run.
    """
    for number, experiment in enumerate(experiments, start=1):
        if experiment.is_finished:
            print(f"Experiment {experiment.output_dir.name} has finished already: skipped.", flush=True)
            continue
        before(experiment)
        status = _run_with_retries(experiment, retries)
        if status in (MISTAKEN, INTERRUPTED):
            raise SystemExit(status)
        if status != 0:
            rest = len(experiments) - number
            unstarted = f"; {rest} more did not start" if rest else ""
            raise SystemExit(f"error: experiment {experiment.output_dir.name} failed ({_cause(status)}){unstarted}.")
        after(experiment)


def _run_with_retries(experiment: Experiment, retries: int) -> int:
    run = run_in_place if mpi_tools.num_procs() > 1 else run_in_process
    stamp, status = experiment.stamp(), run(experiment)
    for retry in range(1, retries + 1):
        if not is_crash(status):
            break
        print(f"Experiment {experiment.output_dir.name} failed ({_cause(status)}): retry {retry} of {retries}.")
        status = run(experiment.again(stamp))
    return status


def is_crash(status: int) -> bool:
    """Whether it makes sense to try again what ended with ``status``."""
    return status not in (0, MISTAKEN, INTERRUPTED)


def run_in_place(experiment: Experiment) -> int:
    """Run one experiment in this process, which MPI has connected with the others that run it: no other could join."""
    experiment.thunk(**experiment.kwargs)
    return 0


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


def _cause(status: int) -> str:
    signal = -status if status < 0 else status - 128  # mpirun tells it as shells do
    return f"killed by signal {signal}" if signal > 0 else "its traceback is above"
