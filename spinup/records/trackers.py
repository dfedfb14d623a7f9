"""Trackers: services that show the rows of ``progress.txt`` in a browser, TensorBoard and Weights & Biases.

Their libraries are imported when a run asks for them, and not before.
"""

import atexit
import importlib.util
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spinup.errors import UserError, did_you_mean, first_line
from spinup.records.files import write_atomically


class Tracker(Protocol):
    """What a service is told about one run, whose directory and experiment its constructor gets."""

    def configure(self, config: Mapping[str, Any]) -> None:
        """The hyperparameters, as ``config.json`` holds them."""

    def row(self, step: int, row: Mapping[str, float]) -> None:
        """The numbers of one row of diagnostics; ``step`` never falls, but for :meth:`rewind`."""

    def rewind(self, step: int) -> None:
        """The run has been resumed from its state at ``step``: the rows beyond will come once more."""

    def finish(self, failed: bool) -> None:
        """There will be no more; ``failed`` if the training was left before its end."""


class TensorBoard:
    """Event files in ``<run>/tensorboard``, each row in them as soon as it is there.

    They are written by the parts of TensorBoard that need neither TensorFlow nor PyTorch.
    """

    def __init__(self, run: Path, exp_name: str | None):
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = run / "tensorboard"
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"  # read in this order
        self._events = RecordWriter((folder / name).open("xb", buffering=0))
        self._write(file_version="brain.Event:2")

    def _write(self, **event: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._events.write(Event(wall_time=time.time(), **event).SerializeToString())

    def configure(self, config: Mapping[str, Any]) -> None:
        """The hyperparameters, for the table of the dashboard "HParams", which adds the last of each diagnostic."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._write(summary=hparams_pb(dict(_flat(config))))

    def row(self, step: int, row: Mapping[str, float]) -> None:
        """One scalar for each number, in single precision."""
        values = [dict(tag=key, simple_value=value) for key, value in row.items()]
        self._write(step=step, summary=dict(value=values))

    def rewind(self, step: int) -> None:
        """Let readers forget what is beyond ``step``."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._write(step=step + 1, session_log=SessionLog(status=SessionLog.START))

    def finish(self, failed: bool) -> None:
        """Close the file."""
        self._events.close()


class WandB:
    """A run of Weights & Biases, in ``<run>/wandb`` and (unless ``WANDB_MODE=offline``) on its server.

    The project is ``spinup`` or ``WANDB_PROJECT``; runs of one experiment are a group. Neither the console's output nor
    any code is sent. A resumed run continues the same W&B run, whose id is kept in ``spinup_id.txt``.
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
                    x_transaction_log_flush_interval=1,  # seconds of rows that SIGKILL may cost; it is 15 otherwise
                ),
            )
        except wandb.Error as error:
            raise UserError(
                f"Weights & Biases cannot start a run ({first_line(error)}): fix this, or set WANDB_MODE=offline to "
                "keep the run on this machine."
            ) from error
        write_atomically(file, lambda path: path.write_text(self._run.id, encoding="utf-8"))

    def configure(self, config: Mapping[str, Any]) -> None:
        """The hyperparameters; those of a resumed run may have changed."""
        self._run.config.update(dict(config), allow_val_change=True)

    def row(self, step: int, row: Mapping[str, float]) -> None:
        """The numbers at this step, unless the server has them already."""
        if step >= self._run.starting_step:
            self._run.log(dict(row), step=step, commit=True)  # or it waits for the next row

    def rewind(self, step: int) -> None:
        """Nothing to do: the rows that come once more are the same, and the server says how far it has got."""

    def finish(self, failed: bool) -> None:
        """End the run, once everything is sent."""
        self._run.finish(exit_code=int(failed))


TRACKERS: dict[str, Any] = {"tensorboard": TensorBoard, "wandb": WandB}  # by the name of package, extra and folder


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that do not exist, or that cannot be used here.

    Raises:
        UserError: naming the one that was meant, the command that installs what is missing, or the way to an account.
    """
    if isinstance(names, str):
        raise UserError(f"track={names!r} is invalid: expected a list such as [{names!r}].")
    for name in names:
        if name not in TRACKERS:
            known = " and ".join(map(repr, TRACKERS))
            raise UserError(f"There is no tracker {name!r}: there are {known}.{did_you_mean(str(name), TRACKERS)}")
        package = importlib.util.find_spec(name)
        if package is None or package.origin is None:  # a mere folder of this name has no origin
            raise UserError(
                f"The tracker {name!r} needs a package that is not installed here: "
                f'run pip install "spinningup[{name}]".'
            )
    if "wandb" in names:
        _check_account()


def _check_account() -> None:
    import wandb

    if wandb.setup().settings.mode == "online" and not wandb.login(prompt=False, verify=False):
        raise UserError(
            "Weights & Biases knows no account here: run `wandb login`, or set WANDB_MODE=offline to keep the run on "
            "this machine (`wandb sync` sends it later)."
        )


class Tracking:
    """All trackers of one run. They finish with the process at the latest.

    Args:
        names: of the trackers, which :func:`check_trackers` has approved.
        run: the output directory.
        exp_name: name of the experiment.
    """

    def __init__(self, names: Sequence[str], run: Path, exp_name: str | None):
        self._trackers: list[Tracker] = [TRACKERS[name](run, exp_name) for name in names]
        self._step = -1
        self.training = False  # between the start of the first epoch and the last row
        atexit.register(self.finish)  # last, as this must come before the hook of W&B, which knows less

    def configure(self, config: Mapping[str, Any]) -> None:
        """Tell the hyperparameters, which JSON can hold."""
        for tracker in self._trackers:
            tracker.configure(config)

    def row(self, cells: Mapping[str, Any]) -> None:
        """Tell one row; its step is its ``TotalEnvInteracts``, or its number (from 0) where it has none."""
        row = {key: float(cell) for key, cell in cells.items() if np.ndim(cell) == 0 and hasattr(cell, "__float__")}
        self._step = int(row.get("TotalEnvInteracts", self._step + 1))
        for tracker in self._trackers:
            tracker.row(self._step, row)

    def rewind(self, progress: str) -> None:
        """Go back to the rows in ``progress``, the text of ``progress.txt`` that the run has been resumed with."""
        columns, *rows = (line.split("\t") for line in progress.splitlines())
        self._step = int(dict(zip(columns, rows[-1])).get("TotalEnvInteracts", len(rows) - 1))
        for tracker in self._trackers:
            tracker.rewind(self._step)

    def finish(self) -> None:
        """End the runs of all trackers, as failed ones if the training is not over; does nothing a second time."""
        atexit.unregister(self.finish)
        while self._trackers:
            self._trackers.pop().finish(self.training)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``{'a': {'b': 1}}`` as ``a:b``, 1; a value is a number, a bool or a text."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}:")
        else:
            yield prefix + key, value if isinstance(value, int | float | str) else str(value)
