"""Trackers: services that show the rows of ``progress.txt`` in a browser (TensorBoard, Weights & Biases).

Their libraries are imported only when a run uses them.
"""

import atexit
import importlib.util
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spinup.errors import UserError, did_you_mean, first_line
from spinup.records.columns import tag_of
from spinup.records.files import write_atomically


class Tracker(Protocol):
    """A connection of one run to a service, constructed from the run's directory and experiment name."""

    def configure(self, config: Mapping[str, Any]) -> None:
        """Send the hyperparameters, as in ``config.json``."""

    def row(self, step: int, row: Mapping[str, float]) -> None:
        """Send the numbers of one row of diagnostics; ``step`` never decreases, except after :meth:`rewind`."""

    def rewind(self, step: int) -> None:
        """Prepare for a run resumed from ``step``: later rows will be sent again."""

    def finish(self, failed: bool) -> None:
        """End the tracking; ``failed`` if the training stopped before its end."""


class TensorBoard:
    """Event files in ``<run>/tensorboard``, which receive each row at once.

    They are written by the parts of TensorBoard that need neither TensorFlow nor PyTorch.
    """

    def __init__(self, run: Path, exp_name: str | None):
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = run / "tensorboard"
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"  # read in order of names
        self._events = RecordWriter((folder / name).open("xb", buffering=0))
        self._write(file_version="brain.Event:2")

    def _write(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._events.write(Event(wall_time=time.time(), **event).SerializeToString())

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the hyperparameters for the dashboard "HParams", which adds the last value of each diagnostic."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._write(summary=hparams_pb(dict(_flat(config))))

    def row(self, step: int, row: Mapping[str, float]) -> None:
        """Write one scalar for each number, in single precision."""
        values = [dict(tag=key, simple_value=value) for key, value in row.items()]
        self._write(step=step, summary=dict(value=values))

    def rewind(self, step: int) -> None:
        """Make readers discard the rows after ``step``."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._write(step=step + 1, session_log=SessionLog(status=SessionLog.START))

    def finish(self, failed: bool) -> None:
        """Close the file."""
        self._events.close()


class WandB:
    """A run of Weights & Biases, in ``<run>/wandb`` and (unless ``WANDB_MODE=offline``) on its server.

    The project is ``spinup`` or ``WANDB_PROJECT``; the runs of one experiment form a group. Neither console output nor
    code is sent. A resumed run continues the same W&B run, whose id is stored in ``spinup_id.txt``.
    """

    def __init__(self, run: Path, exp_name: str | None):
        import wandb

        file = run / "wandb" / "spinup_id.txt"
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "spinup"),
                group=exp_name,
                name=run.name,
                dir=run,
                id=file.read_text(encoding="utf-8") if file.is_file() else None,
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(
                    console="off",
                    disable_git=True,
                    disable_code=True,
                    x_transaction_log_flush_interval=1,  # seconds of rows that SIGKILL can lose; default 15
                ),
            )
        except wandb.Error as error:
            raise UserError(
                f"Weights & Biases cannot start a run ({first_line(error)}): fix this, or set WANDB_MODE=offline to "
                "keep the run on this machine."
            ) from error
        write_atomically(file, lambda path: path.write_text(self._run.id, encoding="utf-8"))

    def configure(self, config: Mapping[str, Any]) -> None:
        """Send the hyperparameters; those of a resumed run may have changed."""
        self._run.config.update(dict(config), allow_val_change=True)

    def row(self, step: int, row: Mapping[str, float]) -> None:
        """Send the numbers of this step, unless the server already has them."""
        if step >= self._run.starting_step:
            self._run.log(dict(row), step=step, commit=True)  # otherwise it waits for the next row

    def rewind(self, step: int) -> None:
        """Do nothing: the rows are the same, and :meth:`row` skips those that the server has."""

    def finish(self, failed: bool) -> None:
        """End the run after sending everything."""
        self._run.finish(exit_code=int(failed))


TRACKERS: dict[str, Any] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
}  # by name: that of the package, the extra and the folder


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that do not exist or cannot be used here.

    Raises:
        UserError: naming a similar tracker, the command to install its package, or the command to log in.
    """
    check_tracker_names(names)
    for name in names:
        package = importlib.util.find_spec(name)
        if package is None or package.origin is None:  # a mere folder of this name has no origin
            raise UserError(
                f"The tracker {name!r} needs a package that is not installed here: "
                f'run pip install "spinningup[{name}]".'
            )
    if "wandb" in names:
        _check_account()


def check_tracker_names(names: Sequence[str]) -> None:
    """Refuse trackers that do not exist; the error names a similar one."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        one = names if isinstance(names, str) else "tensorboard"
        raise UserError(f"track={names!r} is invalid: expected a list such as [{one!r}].")
    for name in names:
        if name not in TRACKERS:
            known = " or ".join(map(repr, TRACKERS))
            raise UserError(f"There is no tracker {name!r}: expected {known}.{did_you_mean(str(name), TRACKERS)}")


def _check_account() -> None:
    import wandb

    if wandb.setup().settings.mode == "online" and not wandb.login(prompt=False, verify=False):
        raise UserError(
            "Weights & Biases is not logged in here: run `wandb login`, or set WANDB_MODE=offline to keep the run on "
            "this machine (`wandb sync` sends it later)."
        )


class Tracking:
    """All trackers of one run, which finish when the process ends at the latest.

    Args:
        names: names of the trackers, already checked by :func:`check_trackers`.
        run: the output directory.
        exp_name: name of the experiment.
    """

    def __init__(self, names: Sequence[str], run: Path, exp_name: str | None):
        self._trackers: list[Tracker] = [TRACKERS[name](run, exp_name) for name in names]
        self._step = -1
        self.training = False  # between the start of the first epoch and the last row
        atexit.register(self.finish)  # registered last to run before W&B's hook, which does not know of failures

    def configure(self, config: Mapping[str, Any]) -> None:
        """Send the hyperparameters, in JSON types."""
        for tracker in self._trackers:
            tracker.configure(config)

    def row(self, cells: Mapping[str, Any]) -> None:
        """Send one row; its step is ``TotalEnvInteracts``, or the number of the row (from 0) if it has none."""
        row = {key: float(cell) for key, cell in cells.items() if np.ndim(cell) == 0 and hasattr(cell, "__float__")}
        self._step = int(row.get("TotalEnvInteracts", self._step + 1))
        for tracker in self._trackers:
            tracker.row(self._step, {tag_of(key): value for key, value in row.items()})

    def rewind(self, progress: str) -> None:
        """Return to the rows in ``progress``, the text of ``progress.txt`` that the run resumes from."""
        columns, *rows = (line.split("\t") for line in progress.splitlines())
        self._step = int(dict(zip(columns, rows[-1])).get("TotalEnvInteracts", len(rows) - 1))
        for tracker in self._trackers:
            tracker.rewind(self._step)

    def finish(self) -> None:
        """Finish all trackers, as failed if the training has not ended; a second call does nothing."""
        atexit.unregister(self.finish)
        while self._trackers:
            self._trackers.pop().finish(self.training)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``{'a': {'b': 1}}`` as ``a:b``, 1; values become numbers, bools or strings."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}:")
        else:
            yield prefix + key, value if isinstance(value, int | float | str) else str(value)
