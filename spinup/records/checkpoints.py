"""Checkpoints: the state that a run needs to resume as if it had never been interrupted.

    checkpoint/epoch<n>.npz              networks, optimisers, random states, environments, and progress.txt so far
    checkpoint/replay<start>-<stop>.npz  transitions added to the replay buffer since the previous checkpoint

The last two checkpoints are kept, with the transitions they need, in case one is damaged. The files hold only numbers
and text: reading them executes no code. The state of a simulator is restored by replaying the episode in progress.
"""

import random
import time
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from spinup.errors import UserError, first_line, setting
from spinup.experience.buffers import Batch, ReplayBuffer
from spinup.experience.memory import set_python_state
from spinup.experience.vector_env import VectorEnv
from spinup.interrupts import interrupts_deferred
from spinup.mpi.tools import broadcast, gather, mpi_sum, only_first, scatter
from spinup.records.directory import CHECKPOINTS, OVERWRITE, checkpoint_files
from spinup.records.files import pack, unpack, write_atomically
from spinup.records.logger import Logger

_KEPT = 2
_FORMAT = 3  # version of the contents: 3 since environments keep what they remember beyond an episode
# Raised on reading a damaged file.
_DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile)


class Checkpoint:
    """Saves and restores everything that changes while an algorithm trains.

    If several processes train together, the first one writes and reads the states of all.

    Args:
        logger: the run's logger, whose directory holds the checkpoints; built with ``resume=True`` to resume.
        envs: the training environments, whose episodes in progress are continued.
        buffer: the replay buffer, if any.
        rng: the algorithm's own random generator, if it uses one besides NumPy's global one.

    Raises:
        UserError: if the logger resumes and no checkpoint can be read, or another version wrote it.
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
        self._segments: list[tuple[int, int]] = []  # parts of the replay buffer: first number and end
        self._kept: list[list[Path]] = []  # the files of each checkpoint to keep
        self._start_time = time.time()
        self._found = self._find()  # early, so that a run that cannot be resumed is refused before anything is written

    def begin(self, learner: Any, backend: ModuleType) -> tuple[int, Any, float]:
        """Start the episodes of a new run, or restore the last checkpoint if the logger resumes.

        Args:
            learner: networks and optimisers.
            backend: ``spinup.algos.<backend>.backend``, which converts the learner from and to arrays.

        Returns:
            The first epoch to train, the learner, and the start time as if the run had never been interrupted.
        """
        found, self._found = self._found, None
        epoch, file = broadcast(found[:2] if found else (None, None))
        if epoch is None:
            self._envs.reset()
            return 0, learner, self._start_time
        states, transitions = found[2:] if found else (None, [])
        state = scatter(states)
        self._refuse_another_run(file, state, backend.arrays_of(learner))
        self._restore(state, transitions)
        learner = backend.with_arrays(learner, state["learner"])  # last, with the state of the framework's generator
        self._kept = [self._files(file)]
        self._logger.log(f"Resuming after epoch {epoch}, from {file}")
        return epoch + 1, learner, self._start_time

    def _refuse_another_run(self, file: Path, state: dict[str, Any], arrays: list[np.ndarray]) -> None:
        """Raise UserError if ``file`` cannot be of this run, as after its configuration has been edited by hand."""
        seen, here = state["envs"]["o"].shape, (self._envs.num_envs, *(self._envs.observation_space.shape or ()))
        if seen != here:
            differ = f"observations have shape {[*seen]} there and {[*here]} here"
        elif _shapes(state["learner"]) != _shapes(arrays):
            differ = "networks or optimisers differ"
        else:
            return
        again = f"start again with {setting('--overwrite', OVERWRITE)}"
        raise UserError(
            f"The checkpoint {str(file)!r} does not fit the config.json and env.json beside it ({differ}): put back "
            f"the settings that the run was trained with, or {again}."
        )

    @only_first
    def _find(self) -> tuple[int, Path, list[dict[str, Any]], list[tuple[int, Batch]]] | None:
        """The last readable checkpoint: its epoch, file, states and transitions; None for a new run."""
        for half_written in self._logger.output_dir.rglob(".*.tmp"):  # its writer is gone, as this run is locked
            half_written.unlink()
        found = checkpoint_files(self._logger.output_dir) if self._logger.resumes else {}
        for epoch, file in found.items():
            try:
                states, transitions = self._read(file)
            except _DAMAGE as error:
                self._logger.log(f"The checkpoint {str(file)!r} is damaged ({first_line(error)}).", color="yellow")
                continue
            if states[0].get("format") != _FORMAT:
                raise UserError(
                    f"The checkpoint {str(file)!r} was written by another version of spinup and cannot be resumed by "
                    f"this one: start again with {setting('--overwrite', OVERWRITE)}, or resume it with that version."
                )
            return epoch, file, states, transitions
        if found or self._logger.holds_rows():
            what = "No checkpoint can be read" if found else "There are results, but there is no checkpoint"
            again = f"start again with {setting('--overwrite', OVERWRITE)}"
            raise UserError(f"{what} in {str(self._logger.output_dir)!r}: {again}.")
        return None

    def save(self, epoch: int, learner: Any, backend: ModuleType) -> None:
        """Write the checkpoint after ``epoch``; Ctrl-C takes effect once it is written.

        Raises:
            UserError: if it cannot be written; earlier checkpoints are kept.
        """
        with interrupts_deferred():
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
            "python": random.getstate(),
            "rng": self._rng and self._rng.bit_generator.state,
            "envs": self._envs.state(),
            "log": self._logger.state(),
            "segments": self._segments,
            "seconds": time.time() - self._start_time,
        }

    def _restore(self, state: dict[str, Any], transitions: list[tuple[int, Batch]]) -> None:
        for start, batch in transitions:
            assert self._buffer is not None
            self._buffer.extend(start, batch)
        cut = self._envs.restore(state["envs"])
        np.random.set_state(state["numpy"])  # after the replay, which may draw from it
        set_python_state(random, state["python"])
        if self._rng:
            self._rng.bit_generator.state = state["rng"]
        self._logger.restore(state["log"])
        cut = mpi_sum(cut)
        if cut:
            episodes = "1 episode" if cut == 1 else f"{cut} episodes"
            self._logger.log(
                f"The replay of {episodes} in progress differs from what was saved, so a new one starts here, and the "
                "rows will not be those of an uninterrupted run.",
                color="yellow",
            )
        self._segments = [(start, stop) for start, stop in state["segments"]]
        self._start_time = time.time() - state["seconds"]

    # ---- files ----

    def _read(self, file: Path) -> tuple[list[dict[str, Any]], list[tuple[int, Batch]]]:
        """The states of all processes in ``file``, and their transitions; raises one of ``_DAMAGE`` if damaged."""
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
        """All files of the checkpoint ``file``, the last one read or written."""
        return [file, *(self._segment(start, stop) for start, stop in self._segments)]


def _shapes(arrays: list[np.ndarray]) -> list[tuple[int, ...]]:
    """The shapes of a learner's arrays, without the states of PyTorch's generators, one for each GPU of a machine."""
    return [x.shape for x in arrays if x.dtype != np.uint8]
