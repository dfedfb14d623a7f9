"""Experiments one after the other on this machine, each in its own process (or several, over MPI).

A launcher takes a list of :class:`Experiment`, already named and checked.
"""

from collections.abc import Callable, Sequence

from spinup.experiments.experiment import Experiment
from spinup.experiments.launchers.process import INTERRUPTED, MISTAKEN, is_crash, run_in_process
from spinup.mpi import tools as mpi_tools
from spinup.records.console import say


def run_in_series(
    experiments: Sequence[Experiment],
    before: Callable[[Experiment], None],
    after: Callable[[Experiment], None],
    retries: int = 0,
) -> None:
    """Run ``experiments`` in order; call ``before`` with each, and ``after`` with each that succeeds.

    A crashed experiment is retried up to ``retries`` times from its last checkpoint; a finished one is skipped.

    Raises:
        SystemExit: with the status of the first experiment that fails (2 for a user's mistake, 1 for a crash, 130 for
            Ctrl-C); the experiments after it do not run.
    """
    for number, experiment in enumerate(experiments, start=1):
        if experiment.is_finished:
            say(f"Experiment {experiment.output_dir.name} has finished already: skipped.")
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


def run_in_place(experiment: Experiment) -> int:
    """Run one experiment in this process, already connected with the others by MPI; a new process could not join."""
    experiment.thunk(**experiment.kwargs)
    return 0


def _cause(status: int) -> str:
    signal = -status if status < 0 else status - 128  # mpirun reports signals as shells do
    return f"killed by signal {signal}" if signal > 0 else "its traceback is above"
