"""Where experiments run. Today: here, one after the other, each in a process of its own.

A launcher takes a list of :class:`Experiment` and knows nothing of grids; what a grid is, and how experiments are
named and checked, is the business of ``run_utils``.
"""

import contextlib
import operator
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

INTERRUPTED = 130  # the exit status of what Ctrl-C stopped


@dataclass(frozen=True)
class Experiment:
    """One call ``thunk(**kwargs)``; ``config`` is how its settings are shown to the user before it starts."""

    name: str
    thunk: Callable
    kwargs: dict[str, Any]
    config: dict[str, Any]

    @property
    def output_dir(self) -> Path:
        return Path(self.kwargs["logger_kwargs"]["output_dir"])


def readable(value: Any) -> str:
    """Show a value to a person: callables by their dotted name, the rest as Python writes it."""
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def run_in_series(
    experiments: Sequence[Experiment], before: Callable[[Experiment], None], after: Callable[[Experiment], None]
) -> None:
    """Run ``experiments`` in order, calling ``before`` and ``after`` around each that ends well.

    Raises:
        SystemExit: with the status of the first experiment that fails (2 for a mistake of the user, 1 for a crash,
            130 for Ctrl-C); the experiments after it do not run.
    """
    for number, experiment in enumerate(experiments, start=1):
        before(experiment)
        status = run_in_process(experiment)
        if status in (2, INTERRUPTED):
            raise SystemExit(status)
        if status != 0:
            rest = len(experiments) - number
            unstarted = f"; {rest} more did not start" if rest else ""
            raise SystemExit(f"error: experiment {experiment.output_dir.name} failed ({_cause(status)}){unstarted}.")
        after(experiment)


def run_in_process(experiment: Experiment) -> int:
    """Run one experiment in a fresh Python process, so that no state leaks from one to the next.

    The call travels in a temporary file (command lines are too short on some systems); output goes to our own
    stdout and stderr. Returns the exit status of the process.
    """
    with tempfile.TemporaryDirectory(prefix="spinup-") as folder:
        payload = Path(folder) / "experiment.pkl"
        with payload.open("wb") as file:
            _Pickler(file).dump((experiment.thunk, experiment.kwargs))
        command = [sys.executable, "-m", "spinup.utils.run_entrypoint", str(payload)]
        sys.stdout.flush()
        # The same import path, so that modules beside the user's script are found there too.
        python_path = os.pathsep.join(os.path.abspath(p) for p in sys.path)
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": python_path})
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


class _Pickler(cloudpickle.Pickler):
    """Names the functions of JAX rather than copying them: a copy of ``jax.nn.elu`` is not known by its name."""

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__module__.startswith("jax") and hasattr(obj, "__qualname__"):
            return operator.attrgetter(obj.__qualname__), (sys.modules[obj.__module__],)
        return super().reducer_override(obj)


def _cause(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else "its traceback is above"
