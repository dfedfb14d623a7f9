"""The directive ``column``: what a column of ``progress.txt`` is, who logs it, and how it looks in two real runs.

    ```{column} EpRet
    :healthy: cartpole_vpg/cartpole_vpg_s2
    :trouble: cartpole_vpg/cartpole_vpg_s3
    ```

The curves share one scale; with the option ``own-scales``, each has its own. The words come from
``spinup/records/columns.py``, the algorithms from their ``COLUMNS``, the curves from ``bench/results``. The build fails
where a column or a run is not there.
"""

from importlib import import_module
from pathlib import Path
from typing import ClassVar

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from spinup.analysis.curves import read_progress
from spinup.backends import algorithms
from spinup.records.columns import MEANING

RESULTS = Path(__file__).parents[2] / "bench" / "results"
IN_EVERY_LOG = ("Epoch", "Time")
WIDTH, HEIGHT = 300, 90  # of a curve, in units of its picture


def columns_of(algo: str) -> list[str]:
    """The columns that ``algo`` logs, with a star behind those that stand for four."""
    backend = next(backend for backend, algos in algorithms().items() if algo in algos)
    return import_module(f"spinup.algos.{backend}.{algo}").COLUMNS.split()


def loggers_of(column: str) -> list[str]:
    """The algorithms that log ``column``."""
    algos = dict.fromkeys(algo for algos in algorithms().values() for algo in algos)
    return [algo for algo in algos if column in [name.rstrip("*") for name in columns_of(algo)]]


def facts_of(column: str) -> str:
    """A sentence or two on ``column``, as Markdown."""
    what = f"{MEANING[column][0].upper()}{MEANING[column][1:]}."
    if column in IN_EVERY_LOG:
        return f"{what} In every log."
    algos = loggers_of(column)
    four = f"Four columns: `Average{column}`, `Std{column}`, `Max{column}`, `Min{column}`. "
    starred = f"{column}*" in columns_of(algos[0])
    return f"{what} {four if starred else ''}Logged by {', '.join(algo.upper() for algo in algos)}."


def curve(run: str, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The steps of ``run`` in ``bench/results`` and its values of ``column``, the average if it has one.

    Raises:
        LookupError: if there is no such run or column.
    """
    file = RESULTS / run / "progress.txt"
    if not file.is_file():
        raise LookupError(f"there is no bench/results/{run}/progress.txt")
    columns = read_progress(file)
    name = f"Average{column}" if f"Average{column}" in columns else column
    if name not in columns:
        raise LookupError(f"bench/results/{run} has no column {name}")
    filled = np.isfinite(columns[name])
    if not filled.any():
        raise LookupError(f"bench/results/{run} has no number in the column {name}")
    return columns["TotalEnvInteracts"][filled], columns[name][filled]


def drawn(x: np.ndarray, y: np.ndarray, low: float, high: float) -> str:
    """A curve as SVG, in the colours of the page, between the values ``low`` and ``high``."""
    left, top = 0, 4
    across = left + (WIDTH - left) * x / x[-1]
    down = top + (HEIGHT - 2 * top) * (high - y) / (high - low)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down))
    zero = top + (HEIGHT - 2 * top) * high / (high - low)
    line = f'<line x1="0" x2="{WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}" class="zero"/>' if low <= 0 <= high else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'{line}<polyline points="{points}"/></svg>'
    )


def shortly(value: float) -> str:
    """``value`` with three digits; below a million, with all of them before the decimal point."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}".replace("e+0", "e")


def scale_of(curves: list[np.ndarray]) -> tuple[float, float]:
    """The lowest and the highest value to draw."""
    low, high = min(y.min() for y in curves), max(y.max() for y in curves)
    return (low, high) if low < high else (low - 1, high + 1)


def figures(runs: dict[str, str], column: str, own_scales: bool = False) -> str:
    """The curves of ``runs``, by what they show, side by side on one scale, or each on its own."""
    curves = {title: curve(run, column) for title, run in runs.items()}
    panels = []
    for title, (x, y) in curves.items():
        low, high = scale_of([y] if own_scales else [y for _, y in curves.values()])
        panels.append(
            f'<figure class="{title}"><figcaption>{title.capitalize()} <span>from {shortly(y[0])} to {shortly(y[-1])}, '
            f"in {x[-1]:,.0f} steps</span></figcaption>{drawn(x, y, low, high)}<small><code>{runs[title]}</code>, "
            f"{'own scale' if own_scales else 'scale'} {shortly(low)} to {shortly(high)}</small></figure>"
        )
    return f'<div class="curves">{"".join(panels)}</div>'


class Column(SphinxDirective):
    """See the module."""

    required_arguments = 1
    option_spec: ClassVar = {
        "healthy": directives.unchanged_required,
        "trouble": directives.unchanged_required,
        "own-scales": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        (column,) = self.arguments
        runs = {title: self.options[title] for title in ("healthy", "trouble") if title in self.options}
        try:
            found = self.parse_text_to_nodes(facts_of(column))
            if runs:
                found.append(nodes.raw("", figures(runs, column, "own-scales" in self.options), format="html"))
        except LookupError as error:
            raise self.error(f"column {column}: {error}.") from error
        for run in runs.values():
            self.env.note_dependency(str(RESULTS / run / "progress.txt"))
        return found


def setup(app):
    """Called by Sphinx."""
    app.add_directive("column", Column)
    return {"parallel_read_safe": True}
