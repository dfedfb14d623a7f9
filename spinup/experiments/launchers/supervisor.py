"""Supervision of many experiments, shared by launchers: start, watch, retry after a crash, report.

The launcher decides where an experiment runs: it passes a function that starts an :class:`Attempt`.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from spinup.errors import ExperimentFailed, OutputClosed, UserError
from spinup.experiments.endings import after_interrupt
from spinup.experiments.experiment import Experiment
from spinup.experiments.launchers.live_table import Display, Line, Progress, make_display, printable, progress_of
from spinup.experiments.launchers.process import LOG, is_crash
from spinup.records.console import say

TICK = 0.25  # seconds between two checks of the experiments
GRACE = 30.0  # seconds for a stopped experiment to finish its current write
TAIL = 20  # lines of the log to show after a failure


class Attempt(Protocol):
    """One attempt at an experiment, running or waiting somewhere."""

    def has_begun(self) -> bool:
        """Whether it has started to run, rather than waiting for a place."""

    def status(self) -> int | None:
        """Its exit status, None while it runs; called repeatedly."""

    def interrupt(self) -> None:
        """Stop it as Ctrl-C would, without waiting."""

    def close(self) -> None:
        """End it at once if it still runs, and release its resources."""


Start = Callable[[Experiment, bool], Attempt]  # (experiment, whether this is a retry)


def supervise(experiments: Sequence[Experiment], start: Start, places: int, retries: int) -> None:
    """Run ``experiments`` in order, up to ``places`` at a time, and display their progress.

    Args:
        experiments: the experiments to run; finished ones are skipped.
        start: starts an attempt.
        places: the number of experiments that may run at a time.
        retries: number of retries of each experiment after a crash, from its last checkpoint.

    Raises:
        UserError: if an experiment needs several processes.
        ExperimentFailed: once all have ended, if any failed.
        KeyboardInterrupt: after Ctrl-C, with a message that says what is done and how to continue.
    """
    if (processes := max(experiment.num_cpu for experiment in experiments)) > 1:
        raise UserError(
            f"num_cpu={processes} is only for experiments that run one after the other: leave it out, so that each run "
            "trains in one process."
        )
    jobs = [Job(experiment, start, retries) for experiment in experiments]
    try:
        with make_display() as display:
            try:
                _watch(jobs, places, display)
            finally:
                _stop([job for job in jobs if job.attempt])
                display.show([job.line() for job in jobs])
    except (KeyboardInterrupt, OutputClosed):
        raise KeyboardInterrupt(after_interrupt(experiments, _count(jobs))) from None
    say(f"{len(jobs)} experiments: {_count(jobs)}.")
    if failed := [job.experiment.output_dir.name for job in jobs if job.state == "failed"]:
        raise ExperimentFailed(f"{len(failed)} of {len(jobs)} experiments failed: {', '.join(failed)}.")


def _watch(jobs: Sequence["Job"], places: int, display: Display) -> None:
    while True:
        for job in jobs:
            if job.attempt:
                job.look(display)
            if job.is_due and sum(other.attempt is not None for other in jobs) < places:
                job.start()
        display.show([job.line() for job in jobs])
        if not any(job.attempt or job.is_due for job in jobs):
            return
        time.sleep(TICK)


def _stop(jobs: Sequence["Job"]) -> None:
    """Let every attempt finish its current write; kill those that take too long, or all at a second Ctrl-C."""
    attempts = [job.attempt for job in jobs if job.attempt]
    for job in jobs:
        job.state = "stopped"
    try:
        for attempt in attempts:
            attempt.interrupt()
        deadline = time.monotonic() + GRACE
        while any(attempt.status() is None for attempt in attempts) and time.monotonic() < deadline:
            time.sleep(TICK)
    finally:
        for attempt in attempts:
            attempt.close()


def _count(jobs: Sequence["Job"]) -> str:
    states = [job.state for job in jobs]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


class Job:
    """One experiment and its state: waiting, running, retrying, done, failed, skipped or stopped."""

    def __init__(self, experiment: Experiment, start: Start, retries: int):
        self.experiment = experiment
        self.state = "skipped" if experiment.is_finished else "waiting"
        self._epochs = experiment.epochs
        self.attempt: Attempt | None = None
        self._start, self._retries, self._retry = start, retries, 0
        self._stamp, self._log_begins = experiment.stamp(), 0

    @property
    def is_due(self) -> bool:
        """Whether it is waiting for a place."""
        return self.attempt is None and self.state in ("waiting", "retrying")

    def start(self) -> None:
        """Start the first attempt, or a retry."""
        experiment = self.experiment.again(self._stamp) if self._retry else self.experiment
        log = self.experiment.output_dir / LOG
        self._log_begins = log.stat().st_size if log.is_file() and (self._retry or self.experiment.resumes) else 0
        self.attempt = self._start(experiment, self._retry > 0)

    def look(self, display: Display) -> None:
        """Update the state from the attempt; report a failure on ``display``."""
        assert self.attempt is not None
        status = self.attempt.status()
        if status is None:
            self.state = "running" if self.attempt.has_begun() else self.state
            return
        self.attempt.close()
        self.attempt = None
        if status == 0:
            self.state = "done"
            return
        display.say(self._report(status))
        retry = is_crash(status) and self._retry < self._retries
        self.state = "retrying" if retry else "failed"
        self._retry += retry

    def _report(self, status: int) -> str:
        log = self.experiment.output_dir / LOG
        text = log.read_bytes()[self._log_begins :].decode(errors="replace")
        lines = printable(text).rstrip().splitlines()[-TAIL:]
        cause = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        heading = f"{self.experiment.output_dir.name} failed ({cause}); the end of {log}:"
        return "\n".join([heading, *(f"    {line}" for line in lines)])

    def line(self) -> Line:
        """The current state, for the display."""
        older = self.experiment.is_untouched(self._stamp) and not self.experiment.resumes
        progress = Progress() if self.state == "waiting" or older else progress_of(self.experiment.output_dir)
        note = f"({self._retry} of {self._retries})" if self._retry and self.state in ("running", "retrying") else ""
        return Line(self.experiment.output_dir.name, self.state, note, self._epochs, progress)
