"""From ``progress.txt`` files to curves: grouping runs, averaging them, and computing bands.

Nothing here writes to a run directory or draws.
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinup.errors import UserError, setting
from spinup.records.console import say
from spinup.records.directory import PROGRESS, log_file, runs_below

PERFORMANCE = "Performance"
PERFORMANCE_COLUMNS = ("AverageTestEpRet", "AverageEpRet")  # the first of these in a run is its performance


# ---- finding and reading runs ----


@dataclass(frozen=True)
class LoggedRun:
    """One training run: its directory, experiment name, environment, and log by column, [rows] (NaN: empty cells)."""

    path: Path
    exp_name: str
    env: str | None
    columns: dict[str, np.ndarray]


def complete(argument: str) -> list[Path]:
    """The directories whose paths begin with ``argument``.

    A directory that exists stands only for itself: ``run_s1`` does not include ``run_s10``.
    """
    path = Path(os.path.expanduser(argument))
    if path.is_dir():
        return [path]
    if not path.parent.is_dir():
        return []
    return sorted(p for p in path.parent.iterdir() if p.is_dir() and p.name.startswith(path.name))


def find_runs(logdir: Path, select: Iterable[str], exclude: Iterable[str]) -> list[Path]:
    """Run directories at any depth below ``logdir`` whose paths contain all of ``select`` and none of ``exclude``."""
    paths = runs_below(logdir)
    return [p for p in paths if all(s in p.as_posix() for s in select) and not any(s in p.as_posix() for s in exclude)]


def _as_float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def read_progress(file: Path) -> dict[str, np.ndarray]:
    """Columns of a tab-separated log; half-written and damaged rows are left out, with a warning.

    Empty cells and text become NaN. A log without a complete row gives ``{}``.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        say(f"warning: {file}: skipped, it cannot be read ({error.strerror}).")
        return {}
    header, *rows = [line.split("\t") for line in text.split("\n") if line] or [[]]
    complete_rows = [row for row in rows if len(row) == len(header) and not any("\ufffd" in cell for cell in row)]
    if left_out := len(rows) - len(complete_rows):
        say(f"warning: {file}: left out {left_out} incomplete or damaged row{'s' * (left_out > 1)}.")
    if not complete_rows:
        say(f"warning: {file}: skipped, it has no complete row yet.")
        return {}
    values = np.array([[_as_float(cell) for cell in row] for row in complete_rows])
    return dict(zip(header, values.T, strict=True))


def read_json(file: Path) -> dict:
    """The JSON object in ``file``; empty if there is none, or if it is damaged."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def read_run(path: Path) -> LoggedRun | None:
    """Read a run directory; None, with a printed warning, if its log is still empty."""
    columns = read_progress(log_file(path) or path / PROGRESS)
    if not columns:
        return None
    config = read_json(path / "config.json")
    env = read_json(path / "env.json").get("id")
    return LoggedRun(path, str(config.get("exp_name") or path.resolve().name), env, columns)


def find_all(
    arguments: Sequence[str], select: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> dict[Path, list[Path]]:
    """The runs below each directory that ``arguments`` name, in their order; see :func:`collect_curves`."""
    found: dict[Path, list[Path]] = {}
    for argument in arguments:
        logdirs = {logdir: find_runs(logdir, select or (), exclude or ()) for logdir in complete(argument)}
        if not any(logdirs.values()):
            filters = setting("--select and --exclude", "select and exclude")
            chosen = f" that {filters} let through" if select or exclude else ""
            raise UserError(
                f"{argument!r} is not a run and holds none{chosen}: expected a directory with a progress.txt "
                "somewhere below, or the beginning of the names of such directories."
            )
        found |= {logdir: paths for logdir, paths in logdirs.items() if paths}
    return found


# ---- grouping runs into curves ----


def _group_by_experiment(runs: Sequence[LoggedRun]) -> dict[str, list[LoggedRun]]:
    """Runs by ``exp_name``; a name used in several environments gets one curve for each."""
    envs: dict[str, set[str | None]] = {}
    for run in runs:
        envs.setdefault(run.exp_name, set()).add(run.env)
    groups: dict[str, list[LoggedRun]] = {}
    for run in runs:
        label = run.exp_name if len(envs[run.exp_name]) == 1 else f"{run.exp_name} ({run.env or 'environment unknown'})"
        groups.setdefault(label, []).append(run)
    return groups


def _one_curve_each(groups: dict[str, list[LoggedRun]], named: bool) -> dict[str, list[LoggedRun]]:
    """One curve for each run, labelled by its directory (after its legend, if ``named``)."""
    labelled = [
        (f"{label}: {run.path.name}" if named else run.path.name, run) for label in groups for run in groups[label]
    ]
    labels = [label for label, _ in labelled]
    return {label if labels.count(label) == 1 else run.path.as_posix(): [run] for label, run in labelled}


def _unique(runs: Iterable[LoggedRun]) -> list[LoggedRun]:
    return list({run.path.resolve(): run for run in runs}.values())


def collect_curves(
    all_logdirs: Sequence[str],
    legend: Sequence[str] | None = None,
    count: bool = False,
    select: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> dict[str, list[LoggedRun]]:
    """The runs of each curve by label, in the order of the arguments.

    Args:
        all_logdirs: directories, or the beginnings of their names, searched recursively for runs.
        legend: one name for each directory with runs; None: the ``exp_name`` in ``config.json``.
        count: one curve for each run.
        select: keep only runs whose paths contain all of these.
        exclude: keep only runs whose paths contain none of these.

    Raises:
        UserError: if no run is found, or if ``legend`` does not have one name for each directory with runs.
    """
    found = find_all(all_logdirs, select, exclude)
    say("\n  ".join(["Plotting from:", *map(str, found)]))
    if legend and len(legend) != len(found):
        flag = setting("--legend", "legend")
        raise UserError(
            f"{flag} has {len(legend)} name{'s' * (len(legend) != 1)} for {len(found)} director"
            f"{'y' if len(found) == 1 else 'ies'}; give one for each of {', '.join(map(str, found))}."
        )
    runs = {logdir: [run for path in paths if (run := read_run(path))] for logdir, paths in found.items()}
    if not any(runs.values()):
        raise UserError("nothing to plot: no run has finished an epoch yet.")
    if legend:
        groups: dict[str, list[LoggedRun]] = {}
        for label, logdir in zip(legend, runs, strict=True):
            groups[label] = _unique([*groups.get(label, []), *runs[logdir]])
    else:
        groups = _group_by_experiment(_unique(run for logdir in runs for run in runs[logdir]))
    return _one_curve_each(groups, named=bool(legend)) if count else groups


# ---- numbers ----


def smooth_values(y: np.ndarray, window: int) -> np.ndarray:
    """Centred moving average of ``y`` [n] over ``window`` rows, fewer at the ends. Empty cells (NaN) stay empty.

    Example:
        >>> smooth_values(np.array([0.0, 3.0, 6.0, np.nan]), window=3)
        array([1.5, 3. , 4.5, nan])
    """
    window = min(window, 2 * len(y))  # which covers all rows
    present = ~np.isnan(y)
    start = (window - 1) // 2
    total, number = (
        np.convolve(v, np.ones(window))[start : start + len(y)] for v in (np.where(present, y, 0.0), present)
    )
    return np.where(present, total / np.maximum(number, 1.0), np.nan)


def column_name(run: LoggedRun, value: str) -> str:
    """``value``; for ``Performance``, the column that holds it in this run."""
    if value != PERFORMANCE or value in run.columns:
        return value
    return next((c for c in PERFORMANCE_COLUMNS if c in run.columns), PERFORMANCE)


def series(run: LoggedRun, xaxis: str, value: str, window: int) -> tuple[np.ndarray, np.ndarray]:
    """A run's smoothed points, without empty cells; both arrays are empty if it lacks either column."""
    x_column, y_column = column_name(run, xaxis), column_name(run, value)
    if x_column not in run.columns or y_column not in run.columns:
        return np.empty(0), np.empty(0)
    x, y = run.columns[x_column], smooth_values(run.columns[y_column], window)
    present = ~(np.isnan(x) | np.isnan(y))
    return x[present], y[present]


def on_common_grid(points: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """All runs at the steps of all their points, within the range that every run covers.

    Returns ``x`` [n] and ``ys`` [runs, n]. Runs are interpolated linearly between their points, but not extrapolated:
    ``x`` is empty if the runs have no range in common.
    """
    first, last = max(x[0] for x, _ in points), min(x[-1] for x, _ in points)
    x = np.unique(np.concatenate([x for x, _ in points]))
    x = x[(x >= first) & (x <= last)]
    return x, np.array([np.interp(x, *run) for run in points])


Band = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


def _mean(ys: np.ndarray, strata: Sequence) -> Band:
    mean, std = ys.mean(axis=0), ys.std(axis=0)  # ddof 0, as in the published curves
    return mean, mean - std, mean + std


def _median(ys: np.ndarray, strata: Sequence) -> Band:
    low, median, high = np.percentile(ys, [25, 50, 75], axis=0)
    return median, low, high


def _iqm(ys: np.ndarray, strata: Sequence) -> Band:
    """Interquartile mean with a 95 % bootstrap interval: whole runs are resampled within each stratum."""
    from scipy.stats import bootstrap, trim_mean

    samples = [ys[[s == stratum for s in strata]].T for stratum in dict.fromkeys(strata)]
    iqm = trim_mean(ys, 0.25, axis=0)
    if min(sample.shape[1] for sample in samples) < 2:
        return iqm, None, None

    def pooled_iqm(*samples, axis):
        return trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)

    resampling = {"n_resamples": 2000, "batch": 100, "method": "percentile", "rng": np.random.default_rng(0)}
    interval = bootstrap(samples, pooled_iqm, axis=-1, vectorized=True, **resampling).confidence_interval
    return iqm, interval.low, interval.high


ESTIMATORS: dict[str, Callable[[np.ndarray, Sequence], Band]] = {
    "mean": _mean,
    "median": _median,
    "max": lambda ys, strata: (ys.max(axis=0), None, None),
    "min": lambda ys, strata: (ys.min(axis=0), None, None),
    "iqm": _iqm,
}


@dataclass(frozen=True)
class Curve:
    """The curve of one label: ``y`` over ``x``, with a band from ``low`` to ``high`` unless they are None; all [n]."""

    label: str
    runs: int
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None


def make_curve(
    label: str, runs: Sequence[LoggedRun], xaxis: str, value: str, window: int, estimator: str
) -> Curve | None:
    """Average ``runs`` into one curve; None, with a printed warning, if none of them has a point.

    Args:
        label: the name of the curve.
        runs: the runs to average.
        xaxis: the column on the x axis.
        value: the column on the y axis, or ``Performance``.
        window: width of the centred moving average, in rows.
        estimator: one of ``ESTIMATORS``.

    Raises:
        UserError: if the runs cannot be averaged over ``xaxis``.
    """
    points = [(run, *series(run, xaxis, value, window)) for run in runs]
    for run, x, _ in points:
        if not len(x):
            say(f"warning: {run.path}: skipped, it has no {value!r} over {xaxis!r}.")
    points = [point for point in points if len(point[1])]
    if not points:
        return None
    if len(points) == 1:
        return Curve(label, 1, *points[0][1:], None, None)
    for run, x, _ in points:
        if (np.diff(x) < 0).any():
            raise UserError(
                f"{xaxis!r} goes back and forth in {run.path}, so that runs cannot be averaged over it: use "
                f"{setting('--count')}."
            )
    x, ys = on_common_grid([(x, y) for _, x, y in points])
    if not len(x):
        raise UserError(
            f"the runs of {label!r} have no {xaxis!r} in common: use {setting('--count')} to show each run."
        )
    longest = max(x[-1] for _, x, _ in points)
    if longest - x[-1] > 0.05 * (longest - x[0]):
        say(
            f"note: the runs of {label!r} end between {x[-1]:g} and {longest:g} {xaxis}: the curve ends with the "
            f"shortest; use {setting('--count')} to show each in full, or {setting('--exclude', 'exclude')} to leave "
            "one out."
        )
    return Curve(label, len(points), x, *ESTIMATORS[estimator](ys, [(run.env, run.exp_name) for run, _, _ in points]))
