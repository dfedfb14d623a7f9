"""Checkpoints: what a run needs to continue as if it had never been interrupted.

    checkpoint/epoch<n>.npz             networks, optimisers, random numbers, environments, and progress.txt so far
    checkpoint/replay<start>-<stop>.npz  the transitions that a replay buffer got since the checkpoint before

The last two checkpoints are kept, with the transitions they need, so that a damaged one can be passed over. The files
hold numbers and text only: reading them runs nothing. A simulator is brought back by replaying the episode in progress.
"""

import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from spinup.errors import UserError, first_line
from spinup.experience.buffers import Batch, ReplayBuffer
from spinup.experience.vector_env import VectorEnv
from spinup.mpi.tools import broadcast, gather, mpi_sum, only_first, scatter
from spinup.records.directory import CHECKPOINTS, checkpoint_files
from spinup.records.files import pack, unpack, write_atomically
from spinup.records.logger import Logger

_KEPT = 2
_FORMAT = 2  # of what a checkpoint holds: 2 since a learner is one named tuple
_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile)  # what reading half a file raises


# ---- one run's ----


class Checkpoint:
    """Saves and restores everything that changes while an algorithm trains.

    Where several processes train together, the first one writes and reads the states of all.

    Args:
        logger: of the run, whose directory holds the checkpoints; made with ``resume=True`` to resume.
        envs: the training environments, after which every episode in progress continues.
        buffer: the replay buffer, if there is one.
        rng: random numbers of the algorithm beside NumPy's global ones, if there are any.
    """

    def __init__(
        self,
        logger: Logger,
        envs: VectorEnv,
        buffer: ReplayBuffer | None = None,
        rng: np.random.Generator | None = None,
    ):
        self._logger, self._envs, self._buffer, self._rng = logger, envs, buffer, rng
        self._folder = logger.output_dir / CHECKPOINTS
        self._segments: list[tuple[int, int]] = []  # of the replay buffer: the numbers of their transitions
        self._kept: list[list[Path]] = []  # the files of each checkpoint that stays
        self._start_time = time.time()

    def begin(self, learner: Any, backend: ModuleType) -> tuple[int, Any, float]:
        """Start the episodes of a new run, or go back to the last checkpoint if the logger resumes.

        Args:
            learner: networks and optimisers.
            backend: ``spinup.algos.<backend>.backend``, which knows the arrays of the learner.

        Returns:
            The first epoch to train, the learner, and when the run would have started had it never been interrupted.

        Raises:
            UserError: if no checkpoint can be read.
        """
        found = self._find()
        epoch, file = broadcast(found[:2] if found else (None, None))
        if epoch is None:
            self._envs.reset()
            return 0, learner, self._start_time
        states, transitions = found[2:] if found else (None, [])
        state = scatter(states)
        if state.get("format") != _FORMAT:
            raise UserError(
                f"The checkpoint {str(file)!r} was written by another version of spinup, which this one cannot resume: "
                "start again with --overwrite, or resume it with that version."
            )
        learner = backend.with_arrays(learner, state["learner"])
        self._restore(state, transitions)
        self._kept = [self._files(file)]
        self._logger.log(f"Resuming after epoch {epoch}, from {file}")
        return epoch + 1, learner, self._start_time

    @only_first
    def _find(self) -> tuple[int, Path, list[dict[str, Any]], list[tuple[int, Batch]]] | None:
        """The last checkpoint that can be read: its epoch and file and what is in it; None for a new run."""
        for half_written in self._logger.output_dir.rglob(".*.tmp"):  # whoever wrote it is gone, as this run is locked
            half_written.unlink()
        found = checkpoint_files(self._logger.output_dir) if self._logger.resumes else {}
        for epoch, file in found.items():
            try:
                return epoch, file, *self._read(file)
            except _DAMAGE as error:
                self._logger.log(f"The checkpoint {str(file)!r} is damaged ({first_line(error)}).", color="yellow")
        if found or self._logger.holds_rows():
            what = "No checkpoint can be read" if found else "There are results, but there is no checkpoint"
            raise UserError(f"{what} in {str(self._logger.output_dir)!r}: start again with --overwrite.")
        return None

    def save(self, epoch: int, learner: Any, backend: ModuleType) -> None:
        """Write the checkpoint of ``epoch``, which is over; Ctrl-C waits until it is written.

        Raises:
            UserError: if it cannot be written; the checkpoints before it are still there.
        """
        with _interrupts_deferred():
            self._save_transitions()
            self._write(self._folder / f"epoch{epoch:06d}.npz", gather(self._state(learner, backend)))

    @only_first
    def _write(self, file: Path, states: list[dict[str, Any]]) -> None:
        data = pack(states)
        write_atomically(file, lambda temporary: temporary.write_bytes(data))
        self._kept = [*self._kept, self._files(file)][-_KEPT:]
        for old in {*self._folder.iterdir()}.difference(*self._kept):
            old.unlink()

    def _state(self, learner: Any, backend: ModuleType) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "learner": backend.arrays_of(learner),
            "numpy": np.random.get_state(legacy=False),
            "rng": self._rng and self._rng.bit_generator.state,
            "envs": self._envs.state(),
            "log": self._logger.state(),
            "segments": self._segments,
            "seconds": time.time() - self._start_time,
        }

    def _restore(self, state: dict[str, Any], transitions: list[tuple[int, Batch]]) -> None:
        np.random.set_state(state["numpy"])
        if self._rng:
            self._rng.bit_generator.state = state["rng"]
        for start, batch in transitions:
            assert self._buffer is not None
            self._buffer.extend(start, batch)
        cut = self._envs.restore(state["envs"])
        self._logger.restore(state["log"])
        cut = mpi_sum(cut)
        if cut:
            self._logger.log(
                f"{cut} episodes in progress could not be replayed to the same observations: they are cut here.",
                color="yellow",
            )
        self._segments = [(start, stop) for start, stop in state["segments"]]
        self._start_time = time.time() - state["seconds"]

    # ---- files ----

    def _read(self, file: Path) -> tuple[list[dict[str, Any]], list[tuple[int, Batch]]]:
        """The states of all processes in ``file`` and the transitions that go with them.

        Raises one of ``_DAMAGE`` if any is damaged.
        """
        states, transitions = unpack(file.read_bytes()), []
        for start, stop in states[0]["segments"]:
            batch = Batch(**unpack(self._segment(start, stop).read_bytes()))
            transitions.append((start, batch))
        return states, transitions

    def _segment(self, start: int, stop: int) -> Path:
        return self._folder / f"replay{start:09d}-{stop:09d}.npz"

    def _save_transitions(self) -> None:
        if self._buffer is None:
            return
        start, batch = self._buffer.since(self._segments[-1][1] if self._segments else 0)
        stop, oldest = self._buffer.stored, self._buffer.stored - len(self._buffer)
        data = pack(batch._asdict())
        write_atomically(self._segment(start, stop), lambda file: file.write_bytes(data))
        self._segments = [(a, b) for a, b in [*self._segments, (start, stop)] if b > oldest]

    def _files(self, file: Path) -> list[Path]:
        """All files of the checkpoint ``file``, which is the one that was read or written last."""
        return [file, *(self._segment(start, stop) for start, stop in self._segments)]


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C wait until the end; outside the main thread, where no signal arrives, this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised: list[tuple] = []
    before: Callable | int | None = signal.signal(signal.SIGINT, lambda *args: raised.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if raised and callable(before):
        before(*raised[0])


# ---- numbers, text and arrays, nested in dicts and lists, as bytes ----
