"""Learning curves from the ``progress.txt`` of one or more runs.

Runs that share an experiment name (and environment) form one curve, with a band for the spread over seeds.
"""

import contextlib
import logging
import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from spinup.analysis.curves import (
    ESTIMATORS,
    PERFORMANCE,
    PERFORMANCE_COLUMNS,
    Curve,
    LoggedRun,
    collect_curves,
    column_name,
    make_curve,
)
from spinup.errors import UserError, did_you_mean, setting
from spinup.records.console import say

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Where the home cannot be written, Matplotlib warns that it keeps its cache in a temporary directory instead.
logging.getLogger("matplotlib").addFilter(lambda record: record.funcName != "_get_config_or_cache_dir")

SUFFIXES = (".png", ".svg", ".pdf")
UNVARYING = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # metadata to omit
SCIENTIFIC_ABOVE = 5000
COUNTED_FROM_ZERO = ("TotalEnvInteracts", "Epoch", "Time")
SIZE = (8.0, 5.0)  # inches

# Okabe and Ito's colours, suited to colour-blind readers; dashes distinguish further curves.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
LINE_STYLES = ("-", "--", ":", "-.")
AXIS_LABELS = {
    "TotalEnvInteracts": "Environment steps",
    "Time": "Wall-clock time (s)",
    "AverageEpRet": "Average return",
    "AverageTestEpRet": "Average test return",
    "EpLen": "Episode length (steps)",
    "TestEpLen": "Test episode length (steps)",
}
BANDS = {"mean": "mean ± std", "median": "median, quartiles", "max": "maximum", "min": "minimum", "iqm": "IQM, 95 % CI"}


def style(font_scale: float = 1.5) -> dict:
    """The style of the figures, as matplotlib's rc parameters."""
    return {
        "font.size": 10 * font_scale,
        "axes.titlesize": 11 * font_scale,
        "axes.titlepad": 6 * font_scale,
        "legend.fontsize": 9 * font_scale,
        "legend.title_fontsize": 8 * font_scale,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#555555",
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": "#E3E3E3",
        "grid.linewidth": 0.8,
        "xtick.color": "#333333",
        "ytick.color": "#333333",
        "lines.linewidth": 2.0,
        "lines.solid_capstyle": "round",
        "axes.formatter.use_mathtext": True,
        "figure.constrained_layout.w_pad": 0.12,
        "figure.constrained_layout.h_pad": 0.12,
        "svg.hashsalt": "spinup",
        "pdf.fonttype": 42,
    }


def draw_curve(axes: "Axes", curve: Curve, colour: str, dashes: str = "-", strength: float = 1.0) -> "list[Artist]":
    """Draw a line and its band, and return them; ``strength`` below 1 makes both fainter."""
    marker = "o" if len(curve.x) == 1 else None
    label = curve.label.replace("$", r"\$")  # a dollar sign, not a formula
    label = label.encode(errors="replace").decode()  # a directory's name may hold bytes that are no text
    drawn: list[Artist] = [
        *axes.plot(curve.x, curve.y, dashes, color=colour, alpha=strength, label=label, marker=marker, zorder=3)
    ]
    if curve.low is not None and curve.high is not None:
        drawn.append(axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2 * strength, linewidth=0))
    return drawn


def _legend_title(curves: Sequence[Curve], estimator: str) -> str | None:
    """The meaning of line and band, and the number of runs; None if every curve is a single run."""
    numbers = sorted({curve.runs for curve in curves})
    if numbers[-1] == 1:
        return None
    return f"{BANDS[estimator]} of {' to '.join(map(str, dict.fromkeys([numbers[0], numbers[-1]])))} runs"


def _draw_legend(axes: "Axes", curves: Sequence[Curve], estimator: str) -> None:
    if len(curves) <= 6:
        place: dict = {"loc": "best"}
    else:
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    frame: dict = {"framealpha": 0.85, "edgecolor": "none", "alignment": "left"}
    # explicit handles, because matplotlib leaves out labels that begin with an underscore
    axes.legend(handles=axes.get_lines(), title=_legend_title(curves, estimator), **place, **frame)


def _make_curves(
    groups: dict[str, list[LoggedRun]], xaxis: str, value: str, smooth: int, estimator: str
) -> list[Curve]:
    known = {column: None for group in groups.values() for run in group for column in run.columns}
    if any(column in known for column in PERFORMANCE_COLUMNS):
        known[PERFORMANCE] = None
    for flag, name, column in (("--xaxis", "xaxis", xaxis), ("--value", "values", value)):
        if column not in known:
            hint = did_you_mean(column, known)
            given = setting(f"{flag} {column!r}", f"{name}={column!r}")
            raise UserError(f"{given} is not a column of these runs.{hint} Columns: {', '.join(known)}.")
    made = [make_curve(label, runs, xaxis, value, smooth, estimator) for label, runs in groups.items()]
    curves = [curve for curve in made if curve]
    if not curves:
        raise UserError(f"nothing to plot: none of these runs has a number in {value!r} over {xaxis!r}.")
    return curves


def fit_x_axis(axes: "Axes", curves: Sequence[Curve], xaxis: str) -> None:
    """Fit the x axis closely to the curves; steps, epochs and seconds start at 0."""
    axes.margins(x=0.01)
    if xaxis in COUNTED_FROM_ZERO:
        axes.set_xlim(left=0)
    if max(curve.x.max() for curve in curves) > SCIENTIFIC_ABOVE:
        axes.ticklabel_format(style="sci", axis="x", scilimits=(0, 0))


def _draw(figure: "Figure", curves: Sequence[Curve], estimator: str, xaxis: str) -> "Axes":
    axes = figure.add_subplot()
    for index, curve in enumerate(curves):
        dashes = LINE_STYLES[index // len(COLOURS) % len(LINE_STYLES)]
        draw_curve(axes, curve, COLOURS[index % len(COLOURS)], dashes)
    fit_x_axis(axes, curves, xaxis)
    _draw_legend(axes, curves, estimator)
    return axes


def _name_axes(axes: "Axes", runs: Sequence[LoggedRun], xaxis: str, value: str) -> None:
    """Label the axes; the title is the environment, if all runs share it."""
    envs = {run.env for run in runs}
    columns = {column_name(run, value) for run in runs}
    y = columns.pop() if len(columns) == 1 else "AverageEpRet"  # Performance, mixing test and training returns
    title = envs.pop() if len(envs) == 1 else None
    axes.set(xlabel=AXIS_LABELS.get(xaxis, xaxis), ylabel=AXIS_LABELS.get(y, y), title=title or "")


def new_figure(on_screen: bool = False) -> "Figure":
    """A figure that pyplot can show, or one that needs no display."""
    if on_screen:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=SIZE, layout="constrained")
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE, layout="constrained")


def _save_paths(save: str | os.PathLike, values: Sequence[str]) -> list[Path]:
    """One file for each value: ``save`` itself, or with the value's name before its suffix if there are several."""
    path = Path(os.path.expanduser(save))
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"cannot save a plot as {str(save)!r}: expected a file name that ends in .png, .svg or .pdf.")
    if len(values) == 1:
        return [path]
    return [path.with_stem(f"{path.stem}_{value}".replace("/", "-")) for value in values]


def save_figure(figure: "Figure", path: Path) -> None:
    """Write ``figure`` atomically; the same curves give the same bytes."""
    part = path.with_stem(path.stem + ".part")
    metadata = UNVARYING.get(path.suffix.lower())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(part, dpi=150, metadata=metadata)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise UserError(f"cannot save the plot as {str(path)!r}: {error.strerror}.") from error
    say(f"Saved {path}")


def can_show() -> bool:
    """Whether figures of pyplot can be shown, in windows or in a notebook."""
    import matplotlib.pyplot as plt
    from matplotlib.backends import BackendFilter, backend_registry

    try:
        backend = plt.get_backend()
        backend_registry.load_backend_module(
            backend
        )  # now, as that of a notebook changes settings which style() resets
    except ImportError:  # a window toolkit was requested by name, but there is no display
        plt.switch_backend("agg")
        return False
    return backend.lower() not in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE)


def make_plots(
    all_logdirs: str | os.PathLike | Sequence[str | os.PathLike],
    legend: str | Sequence[str] | None = None,
    xaxis: str | None = None,
    values: str | Sequence[str] | None = None,
    count: bool = False,
    font_scale: float = 1.5,
    smooth: int = 1,
    select: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    estimator: str = "mean",
    save: str | os.PathLike | None = None,
    show: bool = True,
) -> list["Figure"]:
    """Draw learning curves, show or save them, and return one matplotlib figure for each of ``values``.

    Also called ``spinup.plot``. The figures appear in windows, or in the notebook; without a display, a line says so.
    Runs logged at different steps are interpolated linearly, within the range that all of them cover.

    Args:
        all_logdirs: Directories, or the beginnings of their names, searched recursively for runs.
        legend: One name for each directory found (default: the ``exp_name`` in ``config.json``).
        xaxis: Column on the x axis (default ``TotalEnvInteracts``, in environment steps).
        values: Columns to draw, one figure each (default ``Performance``: ``AverageTestEpRet`` where a run has it, else
            ``AverageEpRet``).
        count: Draw every run instead of averaging runs that share an experiment name.
        font_scale: Size of all text, in units of 10 points.
        smooth: Width of the centred moving average, in rows of the log (1: none).
        select, exclude: Keep only runs whose paths contain all of, or none of, these strings.
        estimator: ``mean`` (band: one standard deviation, ddof 0), ``median`` (quartiles), ``max``, ``min``, or ``iqm``
            (interquartile mean with a 95 % bootstrap interval, stratified by environment and experiment).
        save: File to write (``.png``, ``.svg`` or ``.pdf``) instead; with several values, their names are added to it.
        show: If False (and ``save`` is None), the figures wait for ``plt.show()``.

    Raises:
        UserError: If no run is found, or for an unknown column, a ``legend`` of the wrong length, or an invalid
            ``smooth``, ``estimator`` or ``save``.

    Example:
        >>> from spinup.records.logger import Logger
        >>> logger = Logger("data/curve", exp_name="curve")
        Logging to data/curve/progress.txt
        >>> logger.log_tabular("TotalEnvInteracts", 1000)
        >>> logger.log_tabular("AverageEpRet", 7)
        >>> logger.dump_tabular()  # doctest: +ELLIPSIS
        --...
        >>> (figure,) = make_plots("data/curve", save="curve.png")
        Plotting from:
          data/curve
        Saved curve.png
    """
    import matplotlib

    logdirs = [str(d) for d in ([all_logdirs] if isinstance(all_logdirs, str | os.PathLike) else all_logdirs)]
    legend, values, select, exclude = (
        [v] if isinstance(v, str) else list(v or ()) for v in (legend, values, select, exclude)
    )
    xaxis, values = xaxis or "TotalEnvInteracts", values or [PERFORMANCE]
    if not isinstance(smooth, Integral) or smooth < 1:
        given = setting(f"--smooth {smooth}")
        raise UserError(f"{given} is invalid: expected a number of rows >= 1 (1: no smoothing).")
    if estimator not in ESTIMATORS:
        hint = did_you_mean(estimator, ESTIMATORS)
        given = setting(f"--estimator {estimator!r}")
        raise UserError(f"{given} is not one of {', '.join(ESTIMATORS)}.{hint}")
    paths = _save_paths(save, values) if save else []
    groups = collect_curves(logdirs, legend, count, select, exclude)
    runs = [run for group in groups.values() for run in group]
    drawings = [_make_curves(groups, xaxis, value, smooth, estimator) for value in values]
    shown = not save and can_show()
    figures = []
    with matplotlib.rc_context(style(font_scale)):
        for value, curves in zip(values, drawings):
            figure = new_figure(on_screen=not save)
            _name_axes(_draw(figure, curves, estimator, xaxis), runs, xaxis, value)
            figures.append(figure)
        for figure, path in zip(figures, paths):
            save_figure(figure, path)
        if shown and show:
            import matplotlib.pyplot as plt

            plt.show()
    if show and not save and not shown:
        say("There is no display, so nothing is shown: write the plot to a file with save='curves.png'.")
    return figures
