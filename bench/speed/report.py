"""Tables and pictures of measured speeds, made from the JSON files alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import style as styles
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.speed.measuring import SPEEDS
from bench.speed.tasks import FRAMEWORKS, ON_POLICY_TASKS
from spinup.analysis.plot import COLOURS, save_figure, style

AXES = {"steps_per_second": "Environment steps per second", "gradient_steps_per_second": "Gradient steps per second"}
LIBRARY_COLOURS = dict(zip(FRAMEWORKS, COLOURS, strict=False))
ON_POLICY_LABELS = {task.label for task in ON_POLICY_TASKS}
BAR, WIDTH = 0.27, 15.0  # inches: height of a bar, width of a picture


def write_report(file: Path, data: dict[str, Any]) -> None:
    """Write the table and the picture of ``data`` beside ``file``."""
    file.with_suffix(".md").write_text(markdown_table(data), encoding="utf-8")
    with styles.context(["default", style(font_scale=1.0)]):  # whatever the user's own settings are
        save_figure(draw_sweep(data) if data["sweep"] else draw_bars(data), file.with_suffix(".png"))


# ---- tables ----


def markdown_table(data: dict[str, Any]) -> str:
    """A Markdown table for each environment, with the machine, the commit and the notes needed to read it."""
    lines = [f"`{data['command']}`", "", f"{data['length']}, {data['rounds']} round{'s' * (data['rounds'] > 1)}"]
    lines += ["", f"- commit: {data['commit']}", *(f"- {key}: {value}" for key, value in data["machine"].items())]
    rows = data["rows"]
    lines += [f"- matrix products, float32: {_peaks(rows)}"]
    for env in dict.fromkeys(row["env"] for row in rows):
        chosen = [row for row in rows if row["env"] == env]
        axis = data["axis"]
        title = f"{env}, whose bare simulator takes {1e6 * chosen[0]['step_time']:.3g} µs a step"
        columns = ["task", *([axis] if axis else []), "library", "threads"]
        columns += ["gradient steps an epoch"]
        columns += ["steps/s", "each round", "times", "of bound", "gradient steps/s", "times", "of bound"]
        lines += ["", f"## {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        lines += [_table_row(row, bool(axis)) for row in chosen]
    return "\n".join([*lines, "", data["note"], ""])


def _peaks(rows: Sequence[dict[str, Any]]) -> str:
    peaks = {(FRAMEWORKS[row["library"]], row["threads"]): row["peak"] for row in rows}
    return ", ".join(f"{peak / 1e9:.0f} GFLOP/s ({name}, threads {n})" for (name, n), peak in sorted(peaks.items()))


def _table_row(row: dict[str, Any], has_value: bool) -> str:
    threads = f"{row['threads']} of {', '.join(row['medians_by_threads'])}"
    cells = [row["task"], *([f"{row['value']:,}"] if has_value else []), row["library"], threads]
    cells += [" + ".join(f"{steps:.3g}" for steps in row["steps_an_epoch"] if steps)]
    for speed in SPEEDS:
        found = row.get(speed)
        if not found:
            cells += ["", "", ""]
            continue
        ratios = "; ".join(f"**{ratio:.2f}** {name}" for name, ratio in found.get("ratios", {}).items())
        each = [" ".join(f"{value:.0f}" for value in found["each"])] if speed == SPEEDS[0] else []
        cells += [f"{found['median']:.0f}", *each, ratios, f"{100 * found['of_bound']:.0f} %"]
    return f"| {' | '.join(map(str, cells))} |"


# ---- pictures ----


def draw_bars(data: dict[str, Any]) -> Figure:
    """Bars for each environment and kind of algorithm: environment steps on the left, gradient steps on the right."""
    panels: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in data["rows"]:
        kind = "on-policy" if row["task"] in ON_POLICY_LABELS else "off-policy"
        panels.setdefault((row["env"], kind), []).append(row)
    heights = [BAR * (len(rows) + 0.6 * len({row["task"] for row in rows})) + 0.8 for rows in panels.values()]
    figure = Figure((WIDTH, sum(heights) + 0.6), layout="constrained")
    grid = figure.subplots(len(panels), 2, squeeze=False, height_ratios=heights)
    for both, ((env, kind), rows) in zip(grid, panels.items(), strict=True):
        for axes, speed in zip(both, SPEEDS, strict=True):
            _draw_panel(axes, rows, speed)
            axes.set_title(f"{env}, {kind}", loc="left", fontsize=11)
            axes.set_xlabel(AXES[speed])
        both[1].set_yticklabels([])
    handles = {name: patch for row in grid for name, patch in _handles(row[0])}
    title = f"{data['machine']['processor']}, {data['machine']['cores']} cores; %: of what the machine allows"
    _legend(figure, handles, title, columns=len(handles))
    return figure


def _legend(figure: Figure, handles: dict[str, Any], title: str, columns: int) -> None:
    place: dict[str, Any] = {"loc": "outside upper center", "ncols": columns, "frameon": False}
    figure.legend([*handles.values()], [*handles], title=title, **place)


def _handles(axes: Axes) -> list[tuple[str, Any]]:
    return [(name, handle) for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)]


def _draw_panel(axes: Axes, rows: Sequence[dict[str, Any]], speed: str) -> None:
    """A group of bars for each task, from top to bottom."""
    at, ticks = 0.0, {}
    for task in dict.fromkeys(row["task"] for row in rows):
        group = [row for row in rows if row["task"] == task]
        ticks[task] = at + (len(group) - 1) / 2
        for row in group:
            found = row[speed]
            axes.barh(at, found["median"], color=LIBRARY_COLOURS[row["library"]], label=row["library"])
            spread = [[found["median"] - min(found["each"])], [max(found["each"]) - found["median"]]]
            axes.errorbar(found["median"], at, xerr=spread, color="#222222", lw=1, capsize=2)
            text = f"  {found['median']:,.0f}   {100 * found['of_bound']:.2g} %"
            axes.text(max(found["each"]), at, text, va="center", fontsize=8)
            at += 1
        at += 0.6
    axes.set_yticks([*ticks.values()], [*ticks])
    axes.set_ylim(at - 1, -0.8)
    axes.set_xlim(0, 1.28 * max(max(row[speed]["each"]) for row in rows))
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter("{x:,.0f}")


def draw_sweep(data: dict[str, Any]) -> Figure:
    """A line for each task and library, and a dashed one for the most that the machine allows."""
    speeds = [speed for speed in SPEEDS if speed in data["rows"][0]]
    figure = Figure((1.0 + 4.6 * len(speeds), 4.2), layout="constrained")
    grid = figure.subplots(1, len(speeds), squeeze=False)[0]
    for axes, speed in zip(grid, speeds, strict=True):
        lines = list(dict.fromkeys((row["task"], row["library"]) for row in data["rows"]))
        for colour, line in zip(COLOURS, lines, strict=False):
            rows = [row for row in data["rows"] if (row["task"], row["library"]) == line]
            values = [row["value"] for row in rows]
            axes.plot(values, [row[speed]["median"] for row in rows], "o-", color=colour, label=", ".join(line))
            axes.plot(values, [row[speed]["bound"] for row in rows], "--", color=colour, lw=1)
        axes.set(xscale="log", xlabel=data["axis"], ylabel=AXES[speed])
        shown = [row[speed][key] for row in data["rows"] for key in ("median", "bound")]
        if max(shown) > 30 * min(shown):
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.05 * max(shown))
            axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.minorticks_off()
    grid[0].plot([], [], "--", color="#777777", lw=1, label="what the machine allows")
    _legend(figure, dict(_handles(grid[0])), data["rows"][0]["env"], columns=2)
    return figure
