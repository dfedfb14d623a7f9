"""Figures of collected curves, beside the published ones."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.curves.files import (
    EPOCH_STEPS,
    OFF_POLICY,
    ON_POLICY,
    PUBLISHED_RUNS,
    STEPS,
    CollectedRuns,
    PublishedCurve,
    PublishedCurves,
    unversioned,
)
from spinup.analysis.curves import PERFORMANCE, Curve, make_curve
from spinup.analysis.plot import AXIS_LABELS, COLOURS, draw_curve, fit_x_axis, new_figure, save_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW = 11  # epochs that a published curve is smoothed over
BACKENDS = {"jax": "JAX", "pytorch": "PyTorch", "tf1": "TensorFlow"}
CLASSES = {"on-policy": ON_POLICY, "off-policy": OFF_POLICY}


def smoothing_window(collected: CollectedRuns, original: PublishedCurve | None) -> int:
    """How many rows to average: as many steps as the published curve averages, and an odd number; 1 without one."""
    epoch = next(iter(collected.runs.values())).columns[STEPS][0]
    rows = WINDOW * EPOCH_STEPS[collected.algo] / epoch
    return 2 * round((rows - 1) / 2) + 1 if original else 1


class Panel(NamedTuple):
    """What one figure shows: a class of algorithms in one environment and backend. Curves are by algorithm."""

    env: str
    title: str
    backend: str
    curves: dict[str, Curve]
    originals: dict[str, PublishedCurve]

    @property
    def name(self) -> str:
        return f"{unversioned(self.env).lower()}_{self.title.replace('-', '_')}_{self.backend}"


def panels(all_collected: Sequence[CollectedRuns], originals: PublishedCurves) -> Iterator[Panel]:
    """The figures that can be drawn of ``all_collected``: for each environment, class of algorithms and backend."""
    for env in dict.fromkeys(collected.env for collected in all_collected):
        for title, algos in CLASSES.items():
            for backend in BACKENDS:
                shown = {e.algo: e for e in all_collected if (e.env, e.backend) == (env, backend)}
                drawn = {algo: _curve(shown[algo], originals) for algo in algos if algo in shown}
                curves = {algo: curve for algo, curve in drawn.items() if curve}
                beside = {algo: originals[key] for algo in curves if (key := (unversioned(env), algo)) in originals}
                if curves:
                    yield Panel(env, title, backend, curves, beside)


def draw_figures(
    all_collected: Sequence[CollectedRuns], originals: PublishedCurves, folder: Path
) -> dict[str, list[str]]:
    """Write the figure of each panel; returns their names by environment."""
    from matplotlib import style as styles

    names: dict[str, list[str]] = {}
    with styles.context(["default", style(font_scale=1.3)]):  # whatever the user's own settings are
        for panel in panels(all_collected, originals):
            figure = new_figure()
            axes = figure.add_subplot()
            draw_panel(axes, panel, COLOURS)
            axes.set_title(f"{panel.env}: {panel.title}, {BACKENDS[panel.backend]}")
            _draw_legend(figure, axes, bool(panel.originals))
            save_figure(figure, folder / f"{panel.name}.png")
            names.setdefault(panel.env, []).append(f"{panel.name}.png")
    return names


def _curve(collected: CollectedRuns, originals: PublishedCurves) -> Curve | None:
    window = smoothing_window(collected, originals.get((unversioned(collected.env), collected.algo)))
    number = len(collected.runs)
    label = f"{collected.algo.upper()}, {number} run{'s' * (number > 1)}"
    return make_curve(label, list(collected.runs.values()), STEPS, PERFORMANCE, window, "mean")


def draw_panel(axes: "Axes", panel: Panel, colours: Sequence[str]) -> None:
    """Draw the curves of ``panel``, and dashed those of the original; ``gid`` is ``sac ours`` or ``sac theirs``."""
    from matplotlib.ticker import EngFormatter

    colour_of = dict(zip(CLASSES[panel.title], colours))
    last = max(curve.x[-1] for curve in panel.curves.values())
    for algo, original in panel.originals.items():
        for artist in draw_curve(axes, original_curve(original, last), colour_of[algo], "--", strength=0.55):
            artist.set_gid(f"{algo} theirs")
    for algo, curve in panel.curves.items():
        for artist in draw_curve(axes, curve, colour_of[algo]):
            artist.set_gid(f"{algo} ours")
    fit_x_axis(axes, list(panel.curves.values()), STEPS)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 200k, 1M
    value = AXIS_LABELS["AverageEpRet" if panel.title == "on-policy" else "AverageTestEpRet"]
    axes.set(xlabel=AXIS_LABELS[STEPS], ylabel=f"{value}, mean ± std")


def original_curve(original: PublishedCurve, last: float) -> Curve:
    """A published curve up to the step ``last``."""
    upto = original.steps <= last
    mean, std = original.mean[upto], original.std[upto]
    return Curve("_original", PUBLISHED_RUNS, original.steps[upto], mean, mean - std, mean + std)


def _draw_legend(figure: "Figure", axes: "Axes", with_original: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    if with_original:
        label = f"the original, {PUBLISHED_RUNS} runs"
        handles.append(Line2D([], [], color="#555555", linestyle="--", alpha=0.7, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, columnspacing=1.2)
