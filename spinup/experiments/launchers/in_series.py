"""Experiments one after the other on this machine, each in its own process (or several, over MPI).

A launcher takes a list of :class:`Experiment`, already named and checked.
"""

from collections.abc import Sequence

from spinup.errors import ExperimentFailed
from spinup.experiments.endings import after_interrupt, announce, suggest_next_steps
from spinup.experiments.experiment import Experiment
from spinup.experiments.launchers.process import INTERRUPTED, MISTAKEN, is_crash, run_in_process
from spinup.mpi import tools as mpi_tools
from spinup.records.console import say


def run_in_series(experiments: Sequence[Experiment], retries: int = 0) -> None:
    """Run ``experiments`` in order.

    A crashed experiment is retried up to ``retries`` times from its last checkpoint; a finished one is skipped.

    Raises:
        ExperimentFailed: for the first that fails; the experiments after it do not run.
        KeyboardInterrupt: after Ctrl-C, with a message that says what is saved and how to continue.
    """
    for number, experiment in enumerate(experiments, start=1):
        if experiment.is_finished:
            say(f"Experiment {experiment.output_dir.name} has finished already: skipped.")
            continue
        announce(experiment)
        status, rest = _run_with_retries(experiment, retries), len(experiments) - number
        if status == INTERRUPTED:
            raise KeyboardInterrupt(after_interrupt(experiments, f"{number - 1} done, 1 stopped, {rest} not started"))
        if status != 0:
            unstarted = f"; {rest} more did not start" if rest else ""
            raise ExperimentFailed(
                f"experiment {experiment.output_dir.name} failed ({_cause(status)}){unstarted}.",
                MISTAKEN if status == MISTAKEN else 1,
            )
        suggest_next_steps(experiment)


def _run_with_retries(experiment: Experiment, retries: int) -> int:
    run = run_in_place if mpi_tools.num_procs() > 1 else run_in_process
    stamp, status = experiment.stamp(), run(experiment)
    for retry in range(1, retries + 1):
        if not is_crash(status):
            break
        say(f"Experiment {experiment.output_dir.name} failed ({_cause(status)}): retry {retry} of {retries}.")
        status = run(experiment.again(stamp))
    return status


def run_in_place(experiment: Experiment) -> int:
    """Run one experiment in this process, already connected with the others by MPI; a new process could not join."""
    experiment.thunk(**experiment.kwargs)
    return 0


def _cause(status: int) -> str:
    signal = -status if status < 0 else status - 128  # mpirun reports signals as shells do
    return f"killed by signal {signal}" if signal > 0 else "its error is above"
