"""Experiments in parallel on this machine, each in its own process."""

from collections.abc import Sequence

from spinup.experiments.cores import physical_cores
from spinup.experiments.experiment import Experiment
from spinup.experiments.launchers.process import ProcessAttempt, pickle_call
from spinup.experiments.launchers.supervisor import supervise


def run_in_parallel(experiments: Sequence[Experiment], jobs: int, retries: int = 0) -> None:
    """Run ``experiments``, ``jobs`` at a time, which share the cores equally; see ``supervisor.supervise``."""
    concurrent = min(jobs, sum(not experiment.is_finished for experiment in experiments))
    cores = max(1, physical_cores() // max(1, concurrent))

    def start(experiment: Experiment, is_retry: bool) -> ProcessAttempt:
        append = is_retry or experiment.resumes
        return ProcessAttempt(pickle_call(experiment), experiment.output_dir, cores, append)

    supervise(experiments, start, jobs, retries)
