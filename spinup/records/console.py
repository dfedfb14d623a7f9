"""The console: where the output goes, colours, tables of diagnostics, and progress bars.

Any object can stand in for ``sys.stdout``, even None (a program without a console).
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from spinup.errors import OutputClosed
from spinup.mpi.tools import num_procs

COLORS = dict(gray=30, red=31, green=32, yellow=33, blue=34, magenta=35, cyan=36, white=37, crimson=38)
NOTEBOOK = "SPINUP_NOTEBOOK"  # environment variable of processes whose output a notebook shows
LINE = 100  # characters in a line of the compact table: what a notebook shows without wrapping


def on_a_terminal() -> bool:
    """Whether stdout is a terminal; never with several processes, whose launcher may only simulate one."""
    isatty = getattr(sys.stdout, "isatty", None)
    return isatty is not None and bool(isatty()) and num_procs() == 1


def in_a_notebook() -> bool:
    """Whether stdout is the output of a notebook's cell, here or for the process that started this one."""
    return type(sys.stdout).__module__.partition(".")[0] == "ipykernel" or NOTEBOOK in os.environ


def say(text: str) -> None:
    """Print ``text`` at once; characters that stdout cannot encode are shown by their numbers.

    Where stdout can no longer be written, because its terminal was closed or its disk is full, a warning says so once:
    that is no reason to end a training.

    Raises:
        OutputClosed: if whoever read the output has exited.
    """
    try:
        try:
            print(text)
        except UnicodeEncodeError as error:
            print(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        flush()
    except OSError as error:
        discard_output()
        if isinstance(error, BrokenPipeError):
            raise OutputClosed(*error.args) from None
        with contextlib.suppress(OSError):
            print(f"warning: the output cannot be written ({error.strerror}) and is left out.", file=sys.stderr)


def discard_output() -> None:
    """Drop all further output, and what is still buffered, which Python would try to write as it ends."""
    with contextlib.suppress(OSError, AttributeError):  # what stands in for stdout may have no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flush() -> None:
    """Show at once what has been printed so far."""
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


def colorize(text: str, color: str, bold: bool = False) -> str:
    """``text`` with the terminal codes of ``color``, a key of ``COLORS``; unchanged if stdout is not a terminal."""
    if not on_a_terminal():
        return text
    return f"\x1b[{COLORS[color]}{';1' if bold else ''}m{text}\x1b[0m"


def readable(value: Any) -> str:
    """``value`` in one line; a float with four digits, a longer one as a whole number, None as nothing."""
    if value is None:
        return ""
    if not isinstance(value, float | np.floating):
        return " ".join(str(value).split())
    return f"{value:.0f}" if 1000 <= abs(float(value)) < 1e10 else f"{value:.4g}"


def table(names: Sequence[str], values: Sequence[Any]) -> str:
    """Names and values in two columns between rules."""
    shown = [readable(value) for value in values]
    left, right = max(15, *map(len, names)), max(15, *map(len, shown))
    rule = "-" * (left + right + 7)
    rows = (f"| {name:>{left}} | {colorize(f'{val:>{right}}', 'cyan')} |" for name, val in zip(names, shown))
    return "\n".join([rule, *rows, rule])


def compact_table(names: Sequence[str], values: Sequence[Any], with_header: bool) -> str:
    """Values in one line, below a header if wanted: as many columns as fit, averages without their spread."""
    averages = {name.removeprefix("Average") for name in names if name.startswith("Average")}
    widths: list[int] = []
    shown: list[tuple[str, str]] = []
    for name, value in zip(names, values):
        width = max(9, len(name))
        if name[:3] in ("Std", "Max", "Min") and name[3:] in averages:
            continue
        if sum(widths) + 2 * len(widths) + width > LINE:
            break
        widths.append(width)
        shown.append((name, readable(value)))
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths)) for cells in zip(*shown)]
    if not with_header:
        return lines[1]
    if more := len(names) - len(shown):
        lines.insert(0, f"{more} more columns are in the log file.")
    return "\n".join(lines)


def progress_bar(layout: str, total: int | None = None, done: int = 0, delay: float = 0.0) -> Any:
    """A bar of tqdm that counts steps, drawn on a terminal and in a notebook only; it disappears when closed.

    Args:
        layout: tqdm's ``bar_format``.
        total: number of steps at the end; None if unknown.
        done: number of steps so far.
        delay: seconds before it appears.
    """
    from tqdm import tqdm  # imported here, as many programs draw no bar

    return tqdm(
        bar_format=layout,
        total=total,
        initial=done,
        delay=delay,
        unit=" steps",
        miniters=1,  # otherwise, after fast steps, tqdm skips so many slow ones that the bar seems to stand still
        mininterval=0.5 if in_a_notebook() else 0.1,  # a notebook keeps all that is written
        smoothing=0.2,  # the rate of the last seconds
        leave=False,
        disable=not (on_a_terminal() or in_a_notebook()),
        file=sys.stdout,
    )
