"""Loggers: the printed output of a run and its files (``config.json``, ``progress.txt``, the saved agent).

If several processes train together, each has a logger and calls the same methods; only the first one prints and writes.
"""

import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinup.mpi.tools import broadcast, mpi_statistics_scalar, mpi_sum, num_procs, only_first, proc_id
from spinup.records.agents import save_agent
from spinup.records.config import convert_json, refuse_changes
from spinup.records.console import colorize, compact_table, in_a_notebook, progress_bar, say, table
from spinup.records.directory import make_run_dir
from spinup.records.environment import save_env, save_vars
from spinup.records.files import reporting_write_errors, write_atomically
from spinup.records.trackers import Tracking, check_trackers

_BAR = "{desc}run {percentage:.0f}% |{bar:24}| {rate_noinv_fmt}, {remaining} left"


class Logger:
    """Keeps the records of one run: configuration, diagnostics of each epoch, trained agent.

    Args:
        output_dir: directory for the results, created if missing. None: a new one, ``experiments-<random>``, in the
            system's temporary folder.
        output_fname: name of the file of tab-separated diagnostics.
        exp_name: name by which the plotter groups runs: the same for runs that differ only in their seed.
        overwrite: replace an existing run in ``output_dir``.
        resume: continue that run; its rows are kept until :meth:`restore` drops the later ones.
        track: services that also receive every row: ``['tensorboard', 'wandb']`` or one of them.

    Raises:
        UserError: if ``output_dir`` already holds a run and both are false, if both are true, if another process is
            training that run, or if a service cannot be used.
    """

    def __init__(
        self,
        output_dir: str | Path | None = None,
        output_fname: str = "progress.txt",
        exp_name: str | None = None,
        overwrite: bool = False,
        resume: bool = False,
        track: Sequence[str] = (),
    ):
        check_trackers(track)
        if output_dir is None:
            output_dir = broadcast(only_first(tempfile.mkdtemp)(prefix="experiments-"))
        self.output_dir = Path(os.path.expanduser(output_dir))
        self.exp_name, self.resumes = exp_name, resume
        self._lock = only_first(make_run_dir)(self.output_dir, overwrite, resume, output_fname)
        self._file = self.output_dir / output_fname
        self._columns: list[str] = []
        self._row: dict[str, Any] = {}
        self._save_agent: Callable[[int | None], None] | None = None
        self._state: dict[str, Any] = {}
        self._unsaved: set[str] = set()  # keys of save_state() that could not be pickled
        self._bar: Any = None
        self._tracking = Tracking(track if proc_id() == 0 else (), self.output_dir, exp_name)
        weakref.finalize(self, self._tracking.finish).atexit = False  # at exit, the hook of Tracking runs instead
        self._last_epoch, self._has_shown = False, False
        self.log(f"Logging to {self._file}")

    def log(self, msg: str, color: str = "green") -> None:
        """Print ``msg`` in colour."""
        self._print(colorize(msg, color, bold=True))

    @only_first
    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        say(text)

    def log_tabular(self, key: str, val: Any = None) -> None:
        """Set the cell ``key`` of the current row to ``val``; None leaves it empty.

        Raises:
            ValueError: if the row already has the key, if the first row, which fixes the columns, had no such key, or
                if the key holds a tab or a line break.
        """
        if any(c in key for c in "\t\r\n"):
            raise ValueError(f"{key!r} cannot name a column: leave out tabs and line breaks.")
        if key in self._row:
            raise ValueError(f"{key!r} is already in this row; call dump_tabular() before the next one.")
        if self._columns and key not in self._columns:
            raise ValueError(f"{key!r} was not in the first row, which fixes the columns: {', '.join(self._columns)}.")
        self._row[key] = _plain(val)

    def dump_tabular(self) -> None:
        """Print the current row (compactly in a notebook), append it to the file, and start the next."""
        if not self._columns:
            self._columns = list(self._row)
            self._append(self._columns)
        if self._bar is not None and self._last_epoch:
            self._bar.close()
        cells = [self._row.get(key) for key in self._columns]
        self._append([_cell(val) for val in cells])
        if in_a_notebook():
            self._print(compact_table(self._columns, cells, with_header=not self._has_shown))
        else:
            self._print(table(self._columns, cells))
        self._has_shown = True
        self._tracking.row(self._row)
        self._tracking.training &= not self._last_epoch
        self._row.clear()

    @only_first
    def _append(self, cells: list[str]) -> None:
        with reporting_write_errors(self._file), self._file.open("a", encoding="utf-8", newline="\n") as file:
            file.write("\t".join(cells) + "\n")

    def holds_rows(self) -> bool:
        """Whether this logger, or the run that it resumes, has logged anything."""
        return self._file.is_file()

    @only_first
    def state(self) -> str:
        """The rows so far, for :meth:`restore`."""
        return self._file.read_text(encoding="utf-8") if self.holds_rows() else ""

    @only_first
    def restore(self, state: str) -> None:
        """Return to the rows of an earlier :meth:`state`; later ones are dropped."""
        write_atomically(self._file, lambda path: path.write_text(state, encoding="utf-8", newline="\n"))
        self._columns = state.partition("\n")[0].split("\t") if state else []
        self._tracking.rewind(state)

    def progress(self, epoch: int, epochs: int, steps_per_epoch: int, stride: int = 1) -> Iterator[int]:
        """Count the steps of one epoch, ``stride`` at a time, starting after those of the epochs before it.

        If several processes train together, steps are counted over all of them, and each takes its share. On a
        terminal and in a notebook, this draws a progress bar of the whole run.
        """
        stride *= num_procs()
        self._tracking.training, self._last_epoch = True, epoch + 1 == epochs
        if self._bar is None:
            self._bar = progress_bar(_BAR, epochs * steps_per_epoch, done=epoch * steps_per_epoch)
        try:
            for t in range(0, steps_per_epoch, stride):
                yield epoch * steps_per_epoch + t
                done = 100 * (t + stride) // steps_per_epoch
                self._bar.set_description_str(f"Epoch {epoch + 1}/{epochs} {done:3d}%, ", refresh=False)
                self._bar.update(stride)
        except BaseException:  # the loop was left: GeneratorExit, or KeyboardInterrupt
            self._bar.close()
            raise
        self._bar.refresh()  # it stays while the agent learns or is tested, which may take long

    @only_first
    def save_config(self, config: Mapping[str, Any], env: Any = None) -> None:
        """Write ``config`` (commonly ``locals()``) as ``config.json``; non-JSON values become informative strings.

        Args:
            config: the settings of the run.
            env: an environment built by ``config["env_fn"]``, if there is one already: see :meth:`save_env`.

        Raises:
            UserError: if the logger resumes a run with another configuration.
        """
        if self.resumes:
            refuse_changes(self.output_dir, config, env)
        config = convert_json({"exp_name": self.exp_name, **config} if self.exp_name is not None else config)
        text, file = json.dumps(config, indent=4, sort_keys=True), self.output_dir / "config.json"
        write_atomically(file, lambda path: path.write_text(text, encoding="utf-8"))
        self._tracking.configure(config)

    @only_first
    def save_env(self, env_fn: Callable, env: Any = None) -> None:
        """Write how to build the environment: ``env.json``, or ``vars.pkl`` if JSON cannot describe it.

        Args:
            env_fn: builds an environment.
            env: one that it has built, which is described and left as it is. None: build another, and close it.
        """
        if self.resumes and (self.output_dir / "env.json").is_file():
            return
        problem = save_env(self.output_dir, env_fn, env)
        if problem:
            self.log(problem, color="yellow")
        elif not (self.output_dir / "env.json").is_file():
            self._state = {"env_fn": env_fn}  # is in vars.pkl; save_state() must keep it there

    def setup_pytorch_saver(self, what_to_save: Any) -> None:
        """Choose the PyTorch model (or object holding models) that :meth:`save_state` saves."""
        self._save_agent = lambda itr: save_agent(self.output_dir, "pytorch", what_to_save, itr)

    def setup_jax_saver(self, what_to_save: Callable[[], Any]) -> None:
        """Choose the JAX agent that :meth:`save_state` saves: a function that returns its current state."""
        self._save_agent = lambda itr: save_agent(self.output_dir, "jax", what_to_save(), itr)

    @only_first
    def save_state(self, state_dict: Mapping[str, Any], itr: int | None = None) -> None:
        """Save the model, and ``state_dict`` if it is not empty (pickled, as ``vars.pkl``).

        Args:
            state_dict: any other state of the training; what cannot be pickled is left out, with a warning.
            itr: also keep this save as ``model<itr>.pt`` / ``vars<itr>.pkl``; None only replaces the latest.
        """
        problems = save_vars(self.output_dir, {**self._state, **state_dict}, itr) if state_dict else {}
        for key in problems.keys() - self._unsaved:  # warns once, not at every save
            self.log(f"{key!r} could not be saved ({problems[key]}).", color="yellow")
        self._unsaved.update(problems)
        if self._save_agent is not None:
            self._save_agent(itr)


class EpochLogger(Logger):
    """A logger that collects values over an epoch and logs their statistics.

    Example:
        >>> logger = EpochLogger(output_dir="data/test")
        Logging to data/test/progress.txt
        >>> for value in range(10):
        ...     logger.store(Test=value)
        >>> logger.log_tabular("Test", with_min_and_max=True)
        >>> logger.dump_tabular()
        -------------------------------------
        |     AverageTest |             4.5 |
        |         StdTest |           2.872 |
        |         MaxTest |               9 |
        |         MinTest |               0 |
        -------------------------------------
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.epoch_dict: dict[str, list[Any]] = {}

    def store(self, **kwargs: Any) -> None:
        """Store a number, or an array of numbers, under each key."""
        for key, val in kwargs.items():
            self.epoch_dict.setdefault(key, []).append(val)

    def log_tabular(
        self, key: str, val: Any = None, with_min_and_max: bool = False, average_only: bool = False
    ) -> None:
        """Log ``val``, or the statistics of the values stored under ``key`` since it was last logged.

        Args:
            key: name of the diagnostic.
            val: its value; None: the statistics of the stored values.
            with_min_and_max: also log ``Max<key>`` and ``Min<key>``.
            average_only: log only the mean, in a column named ``key``.

        Cells are empty if nothing was stored: an epoch may end before any episode does.
        """
        if val is not None:
            super().log_tabular(key, val)
            return
        mean, std, low, high = self.get_stats(key)
        self.epoch_dict.pop(key, None)
        super().log_tabular(key if average_only else "Average" + key, mean)
        if not average_only:
            super().log_tabular("Std" + key, std)
        if with_min_and_max:
            super().log_tabular("Max" + key, high)
            super().log_tabular("Min" + key, low)

    def get_stats(self, key: str) -> tuple[Any, Any, Any, Any]:
        """Mean, standard deviation (ddof 0), minimum and maximum of the values stored under ``key``, in all processes.

        All are None if there are no values.
        """
        values = [np.ravel(_plain(v)) for v in self.epoch_dict.get(key, [])]
        x = np.concatenate(values) if values else np.empty(0)
        return mpi_statistics_scalar(x, with_min_and_max=True) if mpi_sum(x.size) else (None, None, None, None)


def _plain(val: Any) -> Any:
    """``val``, or a tensor of any framework as an array; one element is a number."""
    if hasattr(val, "detach"):  # a PyTorch tensor, which may belong to a graph or be on a GPU
        val = val.detach().cpu()
    if not hasattr(val, "__array__"):
        return val
    array = np.asarray(val)
    return array.reshape(())[()] if array.size == 1 else array


def _cell(val: Any) -> str:
    """``val`` as text without tabs, line breaks or quotation marks, which would tear the row apart."""
    return "" if val is None else " ".join(str(val).replace('"', "'").split())
