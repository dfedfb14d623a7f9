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

HEAD = "| algorithm | backend | steps | runs | ours | the original, 10 runs | our mean is | all epochs |"


def figure(panel: draw.Panel) -> str:
    """The figure of a panel, as HTML."""
    title = f"{panel.env}, {panel.title}, {draw.BACKENDS[panel.backend]}"
    ends = ", ".join(f"{curve.label}, to {curve.y[-1]:.0f}" for curve in panel.curves.values())
    legend = "".join(
        f'<label style="--colour: {colour}"><input type="checkbox" value="{algo}" checked>{panel.curves[algo].label}</label>'
        for algo, colour in zip(draw.CLASSES[panel.title], COLOURS)
        if algo in panel.curves
    )
    dashed = "<span>dashed: the original</span>" if panel.originals else ""
    svg = inlined(as_svg(panel.name, lambda: _drawn(panel)), f"{title}: {ends}")
    svg = re.sub(r"(\d\.\d)\d+", r"\1", svg)  # a tenth of a point is enough, and half the size
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
        rows = [_row(runs, published) for runs in sorted(found, key=lambda runs: files.ALGOS.index(runs.algo))]
        table = "\n".join([HEAD, f"|{'---|' * HEAD.count(' | ')}---|", *rows])
        return [
            nodes.raw("", f'<div class="learning-curves">{figures}</div>', format="html"),
            *self.parse_text_to_nodes(table),
        ]


def _row(runs: files.CollectedRuns, published: files.PublishedCurves) -> str:
    download = f"{{download}}`CSV </../bench/results/curves/{runs.name}.csv>`"
    return f"| {' | '.join([runs.algo.upper(), *end_of(runs, published), download])} |"


def setup(app):
    """Register the directive."""
    app.add_directive("learning_curves", LearningCurves)
    return {"parallel_read_safe": True}
