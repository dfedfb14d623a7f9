"""The directive ``learning_curves``: all curves of an environment beside the original's, and where they end.

``{learning_curves} Hopper`` reads bench/results/curves and bench/published: a figure for each class of algorithms and
backend, whose legend switches curves off, and a table of the last tenth of the runs with a link to each CSV file.
"""

import re

from benchmark import end_of
from docutils import nodes
from drawing import inlined
from sphinx.util.docutils import SphinxDirective

from bench.curves import draw, files
from docs.figures.style import COLOURS, as_svg, new_figure

COMPARISON = (f"the original, {files.PUBLISHED_RUNS} runs", "our mean is")  # of a table: only where it published any


def figure(panel: draw.Panel) -> str:
    """The figure of a panel, as HTML."""
    title = f"{panel.env}, {panel.title}, {draw.BACKENDS[panel.backend]}"
    ends = ", ".join(f"{curve.label}, to {curve.y[-1]:.0f}" for curve in panel.curves.values())
    colours = dict(zip(draw.CLASSES[panel.title], COLOURS))
    legend = "".join(
        f'<label style="--colour: {colours[algo]}"><input type="checkbox" value="{algo}" checked>{curve.label}</label>'
        for algo, curve in panel.curves.items()
    )
    dashed = "<span>dashed: the original</span>" if panel.originals else ""
    svg = inlined(as_svg(panel.name, lambda: _drawn(panel)), f"{title}: {ends}")
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)  # a hundredth of a point is enough
    return f"<figure><figcaption>{title}<div>{legend}{dashed}</div></figcaption>{svg}</figure>"


def _drawn(panel: draw.Panel):
    drawing = new_figure(width=4.4, height=2.8)
    draw.draw_panel(drawing.add_subplot(), panel, COLOURS)
    return drawing


class LearningCurves(SphinxDirective):
    """See the module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (env,) = self.arguments
        self.env.note_dependency(__file__)
        for file in files.RESULTS.glob(f"{env.lower()}_*.csv"):
            self.env.note_dependency(str(file))
        published = files.read_published()
        found = [runs for runs in files.read_all_collected(files.RESULTS) if files.unversioned(runs.env) == env]
        if not found:
            raise self.error(f"learning_curves: bench/results/curves has no curve in {env}.")
        figures = "".join(map(figure, draw.panels(found, published)))
        found.sort(key=lambda runs: files.ALGOS.index(runs.algo))
        compared = any((env, runs.algo) in published for runs in found)
        return [
            nodes.raw("", f'<div class="learning-curves">{figures}</div>', format="html"),
            *self.parse_text_to_nodes(table([row(runs, published) for runs in found], compared)),
        ]


def row(runs: files.CollectedRuns, published: files.PublishedCurves) -> dict[str, str]:
    """The cells of one algorithm and backend, by the heads of the table."""
    names = ("backend", "steps", "runs", "ours", *COMPARISON)
    download = f"{{download}}`CSV </../bench/results/curves/{runs.name}.csv>`"
    return {"algorithm": runs.algo.upper(), **dict(zip(names, end_of(runs, published))), "all epochs": download}


def table(rows: list[dict[str, str]], compared: bool) -> str:
    """The table in Markdown; without the columns of the comparison, unless ``compared``."""
    shown = [name for name in rows[0] if compared or name not in COMPARISON]
    cells = [shown, ["---"] * len(shown), *([row[name] for name in shown] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def setup(app):
    """Register the directive."""
    app.add_directive("learning_curves", LearningCurves)
    return {"parallel_read_safe": True}
