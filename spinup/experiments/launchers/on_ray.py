"""Experiments on a Ray cluster, where Ray decides when and where each one gets its cores and GPUs.

The machines need no shared disk. A run saves on the machine where it trains; its output and files, checkpoints
included, are continually copied to its directory here. If a worker or its machine is lost, another resumes from there.
"""

import contextlib
import importlib.util
import logging
import math
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

from spinup.errors import UserError, first_line
from spinup.experiments.experiment import Experiment
from spinup.experiments.launchers.mirror import Changes, Mirror, read_all, write_all
from spinup.experiments.launchers.process import INTERRUPTED, LOG, ProcessAttempt, pickle_call
from spinup.experiments.launchers.supervisor import supervise
from spinup.records.console import say
from spinup.records.directory import make_run_dir

LOST = 255  # exit status of a run whose worker was lost
LOOK = 0.5  # seconds that a worker waits for news before it answers


class Cluster(NamedTuple):
    """A Ray cluster, and the share of it for each experiment.

    Args:
        address: as for ``ray.init``. None: the cluster of this machine, else a new one on this machine alone, which is
            stopped at the end.
        cpus, gpus: numbers for each experiment; may be fractions.
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0

    def check(self) -> None:
        """Raise UserError for an invalid number."""
        for name, number in (("cpus_per_run", self.cpus), ("gpus_per_run", self.gpus)):
            if not isinstance(number, Real) or isinstance(number, bool) or not 0 <= number < math.inf:
                raise UserError(f"{name}={number!r} is invalid: expected a finite number >= 0.")


def run_on_ray(experiments: Sequence[Experiment], cluster: Cluster, retries: int = 3) -> None:
    """Run ``experiments`` on ``cluster``, with retries after crashes and lost workers; see ``supervisor.supervise``."""
    with _connected(cluster.address) as ray:
        if not any(_has_room(node, cluster) for node in ray.nodes()):
            wanted = f"{cluster.cpus} CPUs and {cluster.gpus} GPUs"
            say(f"No machine of the cluster has {wanted}: the experiments wait until one joins.")
        worker = ray.remote(Worker).options(num_cpus=cluster.cpus, num_gpus=cluster.gpus)
        threads, import_path = max(1, int(cluster.cpus)), [os.path.abspath(path) for path in sys.path]

        def start(experiment: Experiment, is_retry: bool) -> RayAttempt:
            return RayAttempt(ray, worker.remote(threads, import_path), experiment, is_retry)

        supervise(experiments, start, len(experiments), retries)


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster at ``address``, or left connected if it already is."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("The launcher 'ray' needs Ray, not installed here: run pip install \"spinningup[ray]\".")
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"There is no Ray cluster at {address!r} to connect to ({first_line(error)}).") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _has_room(node: dict[str, Any], cluster: Cluster) -> bool:
    has = node["Resources"]
    return node["Alive"] and has.get("CPU", 0) >= cluster.cpus and has.get("GPU", 0) >= cluster.gpus


# ---- on the machine of the experiment ----


class Look(NamedTuple):
    """News of a run: its exit status (None while it runs), new output, and changed files."""

    status: int | None
    printed: bytes
    changes: Changes


class Worker:
    """A Ray actor that runs one experiment, in a separate process and a temporary folder."""

    def __init__(self, cores: int, import_path: list[str]):
        sys.path += [path for path in import_path if path not in sys.path]  # for the user's modules, on shared disks
        self._cores = cores
        self._folder = tempfile.TemporaryDirectory(prefix="spinup-ray-")
        self._run_dir = Path(self._folder.name)

    def where(self) -> tuple[str, str]:
        """The name of this machine, and the run's folder on it."""
        return socket.gethostname(), self._folder.name

    def start(self, call: bytes, files: Changes) -> Look:
        """Write ``files`` to the folder, and start the run."""
        write_all(files, self._run_dir)
        self._mirror = Mirror(self._run_dir, leave_out=LOG)
        self._attempt = ProcessAttempt(call, self._run_dir, self._cores)
        self._log = (self._run_dir / LOG).open("rb")
        return self.look()

    def look(self) -> Look:
        """The news since the last look."""
        status = self._attempt.wait(LOOK)  # first, so that the last look has everything
        look = Look(status, self._log.read(), self._mirror.changes())
        if status is not None:
            self._attempt.close()
            self._log.close()
            self._folder.cleanup()
        return look

    def interrupt(self) -> None:
        """Stop the run as Ctrl-C would."""
        self._attempt.interrupt()


# ---- here ----


class RayAttempt:
    """An attempt on the cluster; its directory here mirrors the worker's."""

    def __init__(self, ray: Any, worker: Any, experiment: Experiment, is_retry: bool):
        self._ray, self._worker, self._experiment = ray, worker, experiment
        self._run_dir = experiment.output_dir
        self._replaces = "overwrite" in experiment.kwargs["logger_kwargs"]
        self._status: int | None = None
        self._host, self._folder = "", ""
        self._answer = worker.where.remote()
        self._run_dir.mkdir(parents=True, exist_ok=True)
        if not (is_retry or experiment.resumes):
            (self._run_dir / LOG).write_bytes(b"")

    def has_begun(self) -> bool:
        """Whether Ray has placed it on a machine."""
        return bool(self._host)

    def status(self) -> int | None:
        """The exit status, None while it runs; also copies new output and files."""
        if self._status is None and self._ray.wait([self._answer], timeout=0)[0]:
            try:
                self._status = self._take(self._ray.get(self._answer))
            except self._ray.exceptions.RayError as error:
                self._print(f"The worker on {self._host or 'the cluster'} was lost. {error}\n".encode())
                self._status = LOST
        return self._status

    def _take(self, answer: Any) -> int | None:
        if not self._host:
            self._host, self._folder = answer
            files = read_all(self._run_dir, leave_out=LOG) if self._experiment.resumes else Changes({}, [])
            self._answer = self._worker.start.remote(pickle_call(self._experiment), files)
            return None
        self._print(answer.printed)
        self._save(answer.changes)
        if answer.status is None:
            self._answer = self._worker.look.remote()
        return answer.status

    def _print(self, printed: bytes) -> None:
        with (self._run_dir / LOG).open("ab") as log:
            log.write(printed)

    def _save(self, changes: Changes) -> None:
        files = changes.files
        if files and self._replaces:  # the run has begun
            make_run_dir(self._run_dir, overwrite=True)
            self._replaces = False
        if "config.json" in files:  # it holds the path of the run
            files["config.json"] = files["config.json"].replace(self._folder.encode(), str(self._run_dir).encode())
        write_all(changes, self._run_dir)

    def interrupt(self) -> None:
        """Stop the run as Ctrl-C would; a run not yet begun is cancelled."""
        if self._host:
            self._worker.interrupt.remote()
        else:
            self._status = INTERRUPTED

    def close(self) -> None:
        """Kill the worker, and with it the process of the run."""
        self._ray.kill(self._worker)
