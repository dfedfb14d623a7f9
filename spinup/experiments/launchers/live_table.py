"""Display of a running grid: a live table on a terminal, elsewhere one plain line at each change of state."""

import functools
import math
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from spinup.analysis.curves import PERFORMANCE_COLUMNS
from spinup.records.console import on_a_terminal, say
from spinup.records.directory import log_file

# Colours, in order of priority: a terminal too low for all experiments shows the first states.
STYLES = {
    "running": "cyan",
    "retrying": "yellow",
    "failed": "bold red",
    "stopped": "yellow",
    "waiting": "dim",
    "done": "green",
    "skipped": "green",
}


# ---- what is shown ----


class Progress(NamedTuple):
    """The progress of a run, from its log; NaN where the log has no value (yet)."""

    epochs: int = 0
    performance: float = math.nan
    steps_per_second: float = math.nan
    seconds_per_epoch: float = math.nan


def progress_of(run_dir: Path) -> Progress:
    """The progress in ``progress.txt``; speeds are those of the last epoch."""
    file = log_file(run_dir)
    if file is None:
        return Progress()
    try:
        stat = file.stat()
    except FileNotFoundError:  # the run is being replaced
        return Progress()
    return _progress_in(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=10_000)  # an unchanged file is not read several times a second
def _progress_in(file: Path, *_stamp: int) -> Progress:
    text = file.read_text(encoding="utf-8", errors="replace")
    header, *rows = text[: text.rfind("\n") + 1].splitlines() or [""]
    if not rows:
        return Progress()
    zero = {"TotalEnvInteracts": "0", "Time": "0"}
    before, last = [zero, *(dict(zip(header.split("\t"), row.split("\t"))) for row in rows[-2:])][-2:]
    performance = next((_number_in(last, column) for column in PERFORMANCE_COLUMNS if column in last), math.nan)
    steps, seconds = (_number_in(last, column) - _number_in(before, column) for column in zero)
    return Progress(len(rows), performance, steps / seconds if seconds > 0 else math.nan, seconds)


def _number_in(row: dict[str, str], column: str) -> float:
    try:
        return float(row.get(column, "nan"))
    except ValueError:
        return math.nan


class Line(NamedTuple):
    """One displayed experiment; ``epochs`` is the number to train, None if unknown."""

    name: str
    state: str
    note: str
    epochs: int | None
    progress: Progress

    def cells(self) -> list[str]:
        """Epoch, performance, steps per second and time left, as text."""
        progress, total = self.progress, self.epochs
        if not progress.epochs:
            return [f"0/{total}" if total else "", "", "", ""]
        left = (total - progress.epochs) * progress.seconds_per_epoch if total else math.nan
        return [
            f"{progress.epochs}/{total}" if total else str(progress.epochs),
            _unless_nan(f"{progress.performance:.1f}"),
            _unless_nan(f"{progress.steps_per_second:.0f}"),
            str(timedelta(seconds=round(left))) if self.state == "running" and left >= 0 else "",
        ]


def _unless_nan(text: str) -> str:
    return "" if text == "nan" else text


def printable(text: str) -> str:
    """``text`` without control codes, and with ``?`` for characters that stdout cannot encode."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text).replace("\t", "    ")
    kept = "".join(c for c in text if c.isprintable() or c == "\n")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return kept.encode(encoding, "replace").decode(encoding)


# ---- where it is shown ----


class Display(AbstractContextManager, Protocol):
    """Shows the state of every experiment."""

    def show(self, lines: Sequence[Line]) -> None:
        """Show the current state of the experiments."""

    def say(self, text: str) -> None:
        """Show ``text`` once."""


def make_display() -> Display:
    """A live table if stdout is a terminal that can draw it, else plain lines."""
    console = Console(highlight=False, markup=False)
    return LiveTable(console) if on_a_terminal() and console.is_interactive else PlainLines()


class PlainLines(AbstractContextManager):
    """A line at each change of state, in plain text that suits files and logs."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str]] = {}

    def __exit__(self, *_) -> None: ...

    def show(self, lines: Sequence[Line]) -> None:
        """Print a line for each experiment whose state has changed."""
        for line in lines:
            state = (line.state, line.note)
            if self._last.setdefault(line.name, ("waiting", "")) != state:
                self._last[line.name] = state
                self.say(_in_one_line(line))

    def say(self, text: str) -> None:
        """Print ``text``."""
        say(text)


def _in_one_line(line: Line) -> str:
    epoch, performance, speed, _ = line.cells()
    facts = [f"epoch {epoch}", performance and f"performance {performance}", speed and f"{speed} steps/s"]
    joined = ", ".join(fact for fact in facts if fact) if line.progress.epochs else ""
    return f"{line.name}: {line.state}{line.note and f' {line.note}'}{joined and f' ({joined})'}"


class LiveTable(AbstractContextManager):
    """A table redrawn in place, with messages above it."""

    def __init__(self, console: Console):
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_) -> None:
        self._live.stop()

    def show(self, lines: Sequence[Line]) -> None:
        """Draw the table."""
        self._live.update(_draw_table(lines, self._live.console.height - 6), refresh=True)

    def say(self, text: str) -> None:
        """Print ``text`` above the table."""
        self._live.console.print(Text(text))


def _draw_table(lines: Sequence[Line], height: int) -> Table:
    counts = Counter(line.state for line in lines)
    table = Table(caption=", ".join(f"{counts[state]} {state}" for state in STYLES if counts[state]))
    table.add_column("experiment", overflow="fold")
    table.add_column("state")
    for column in ("epoch", "performance", "steps/s", "time left"):
        table.add_column(column, justify="right")
    shown = list(lines)
    if len(lines) > height:
        urgent = sorted(lines, key=lambda line: list(STYLES).index(line.state))[: max(height - 1, 1)]
        shown = [line for line in lines if line in urgent]
    for line in shown:
        state = Text(f"{line.state} {line.note}".rstrip(), STYLES[line.state])
        table.add_row(Text(line.name), state, *line.cells())
    if len(shown) < len(lines):
        table.add_row(f"and {len(lines) - len(shown)} more")
    return table
