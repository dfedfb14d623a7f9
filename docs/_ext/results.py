"""The directive ``results``: what commands have reached in an environment, from the runs in ``bench/results``.

    ```{results}
    cartpole_ppo: spinup ppo --env CartPole-v1 --epochs 30
    ```

Each line names an experiment of ``bench/results`` or ``bench/results/curves`` and the command that repeats it. The
build fails where a flag of the command differs from what the runs were made with.
"""

import csv
import html
import json
import shlex
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from spinup.commands.flags import parse_flags

ROOT = Path(__file__).parents[2] / "bench" / "results"
WIDTH, HEIGHT = 120, 36  # of the small curves, in pixels


class Run(NamedTuple):
    """The curve of a run: steps, and the performance after them; and how many seconds it took."""

    steps: list[float]
    performance: list[float]
    seconds: float


def read_runs(name: str) -> tuple[list[Run], dict[str, Any]]:
    """The runs of an experiment, and the settings that they were made with."""
    if (ROOT / name).is_dir():
        files = sorted((ROOT / name).glob("*/progress.txt"))
        config = json.loads((files[0].parent / "config.json").read_text(encoding="utf-8"))
        return [_run_of(_rows(file, "\t")) for file in files], config
    rows = _rows(ROOT / "curves" / f"{name}.csv", ",")
    made = json.loads((ROOT / "curves" / f"{name}.json").read_text(encoding="utf-8"))
    seeds = dict.fromkeys(row["seed"] for row in rows)
    runs = [_run_of([row for row in rows if row["seed"] == seed]) for seed in seeds]
    return runs, made["settings"] | {"epochs": len(runs[0].steps)}


def _rows(file: Path, delimiter: str) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter=delimiter))


def _run_of(rows: list[dict[str, str]]) -> Run:
    names = {"steps": "TotalEnvInteracts", "seconds": "Time"}
    values = next(key for key in ("performance", "AverageTestEpRet", "AverageEpRet") if key in rows[0])
    steps, seconds = (key if key in rows[0] else names[key] for key in ("steps", "seconds"))
    kept = [row for row in rows if row[values]]
    return Run([float(row[steps]) for row in kept], [float(row[values]) for row in kept], float(rows[-1][seconds]))


def check_command(command: str, settings: dict[str, Any]) -> None:
    """Raise LookupError where a flag of ``command`` is not what ``settings`` says."""
    program, algorithm, *flags = shlex.split(command)
    for key, flag in parse_flags(flags).items():
        outer, _, inner = key.partition(":")
        found = (settings[outer] or {}).get(inner) if inner else settings.get(key)
        found = settings["env_fn"].split("'")[1] if key == "env_name" else found
        if [found] != flag.values:
            raise LookupError(f"{command!r} has {flag.typed} {flag.values}, the runs {found!r}")
    made_by = settings.get("algorithm", algorithm)
    if program != "spinup" or algorithm.partition("_")[0] not in made_by:
        raise LookupError(f"{command!r} is not what made the runs: {made_by}")


class Results(SphinxDirective):
    """See the module."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        experiments = []
        for name, command in (line.split(": ", 1) for line in self.content):
            runs, settings = read_runs(name)
            try:
                check_command(command, settings)
            except LookupError as error:
                raise self.error(f"results: {error}.") from error
            experiments.append((command, runs))
        values = [value for _, runs in experiments for run in runs for value in run.performance]
        rows = "".join(_row(command, runs, min(values), max(values)) for command, runs in experiments)
        head = "".join(f"<th>{title}</th>" for title in ("command", "steps", "return of the runs", "curves", "minutes"))
        table = (
            f"<table class='docutils align-default results'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )
        return [nodes.raw("", f'<div class="table-wrapper docutils container">{table}</div>', format="html")]


def _row(command: str, runs: list[Run], low: float, high: float) -> str:
    ends = sorted(last_tenth(run) for run in runs)
    minutes = median(run.seconds for run in runs) / 60
    spread = f"{ends[0]:.0f} to {ends[-1]:.0f}, " if len(ends) > 1 else ""
    cells = (
        f"<code class='literal'>{html.escape(command)}</code>",
        f"{runs[0].steps[-1] / 1e6:.2g}\N{NO-BREAK SPACE}M",
        f"<strong>{fmean(ends):.0f}</strong><br>{spread}{len(runs)} run{'s' * (len(runs) > 1)}",
        _curves(runs, low, high),
        f"{minutes:.{minutes < 10:d}f}",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def last_tenth(run: Run) -> float:
    """The mean performance over the last tenth of the epochs."""
    return fmean(run.performance[-max(1, len(run.performance) // 10) :])


def _curves(runs: list[Run], low: float, high: float) -> str:
    lines = "".join(f"<polyline points='{_points(run, low, high)}'/>" for run in runs)
    label = f"From {fmean(run.performance[0] for run in runs):.0f} to {fmean(map(last_tenth, runs)):.0f}"
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{label}'>{lines}</svg>"


def _points(run: Run, low: float, high: float) -> str:
    thinned = range(0, len(run.steps), max(1, len(run.steps) // 60))
    xs = (2 + (WIDTH - 4) * run.steps[i] / run.steps[-1] for i in thinned)
    ys = (2 + (HEIGHT - 4) * (high - run.performance[i]) / (high - low) for i in thinned)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys))


def setup(app):
    """Register the directive."""
    app.add_directive("results", Results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
