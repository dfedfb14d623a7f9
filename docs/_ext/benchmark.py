"""The directive ``benchmark``: the learning curves of an algorithm in MuJoCo's environments, beside the original's.

``{benchmark} td3`` reads bench/results/curves and bench/published; one picture for every environment and backend, and a
table of the last tenth of the runs.
"""

import sys
from pathlib import Path

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # bench is not installed

from bench.curves import draw, files, tables  # noqa: E402
from spinup.analysis.curves import PERFORMANCE, Curve, make_curve  # noqa: E402

WIDTH, HEIGHT = 200, 110  # of a picture, in its own units


def collected_of(algo: str) -> list[files.CollectedRuns]:
    """All committed curves of ``algo``."""
    return [runs for runs in files.read_all_collected(files.RESULTS) if runs.algo == algo]


def curves_of(runs: files.CollectedRuns, published: files.PublishedCurves) -> tuple[Curve, Curve | None]:
    """Our curve, smoothed as the original's, and the original's, up to the same step."""
    original = published.get((files.unversioned(runs.env), runs.algo))
    window = draw.smoothing_window(runs, original)
    ours = make_curve(runs.name, list(runs.runs.values()), files.STEPS, PERFORMANCE, window, "mean")
    return ours, draw.original_curve(original, ours.x[-1]) if original else None


def picture(runs: files.CollectedRuns, published: files.PublishedCurves) -> str:
    """One panel, as HTML."""
    curves = [curve for curve in curves_of(runs, published) if curve is not None]
    edges = np.concatenate([values for curve in curves for values in _band(curve)])
    low, high = edges.min(), edges.max()
    last = curves[0].x[-1]
    shapes = "".join(_shape(curve, kind, last, low, high) for curve, kind in zip(curves, ("ours", "theirs")))
    title = f"{runs.env}, {draw.BACKENDS[runs.backend]}"
    label = f"{title}: from {curves[0].y[0]:.0f} to {curves[0].y[-1]:.0f} in {last:,.0f} steps"
    return (
        f"<figure><figcaption>{title} <span>{len(runs.runs)} run{'s' * (len(runs.runs) > 1)}</span></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{label}">{shapes}</svg>'
        f"<small>{low:,.0f} to {high:,.0f}, in {last / 1e6:g} M steps</small></figure>"
    )


def _band(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """The edges of its band, which for a single run are the curve itself."""
    return (curve.y, curve.y) if curve.low is None or curve.high is None else (curve.low, curve.high)


def _shape(curve: Curve, kind: str, last: float, low: float, high: float) -> str:
    x = WIDTH * curve.x / last
    lower, upper = _band(curve)
    y, top, bottom = ((HEIGHT - 4) * (high - values) / (high - low) + 2 for values in (curve.y, upper, lower))
    band = _points(np.append(x, x[::-1]), np.append(top, bottom[::-1]))
    return f'<g class="{kind}"><polygon points="{band}"/><polyline points="{_points(x, y)}"/></g>'


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y))


class Benchmark(SphinxDirective):
    """See the module."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (algo,) = self.arguments
        found, published = collected_of(algo), files.read_published()
        if not found:
            raise self.error(f"benchmark: bench/results/curves has no curve of {algo}.")
        for file in files.RESULTS.glob(f"*_{algo}_*.csv"):
            self.env.note_dependency(str(file))
        pictures = "".join(picture(runs, published) for runs in found)
        rows = [_row(runs, published) for runs in found]
        head = [
            "| environment | backend | steps | runs | ours | the original, 10 runs | our mean is |",
            f"|{'---|' * 7}",
        ]
        shown = [nodes.raw("", f'<div class="benchmark">{pictures}</div>', format="html")]
        return [*shown, *self.parse_text_to_nodes("\n".join([*head, *rows]))]


def _row(runs: files.CollectedRuns, published: files.PublishedCurves) -> str:
    return f"| {runs.env} | {' | '.join(end_of(runs, published))} |"


def end_of(runs: files.CollectedRuns, published: files.PublishedCurves) -> list[str]:
    """The last tenth of ``runs``: backend, steps, number of runs, our return, the original's, and the verdict."""
    *_, last = tables.table_rows(runs, published.get((files.unversioned(runs.env), runs.algo)))
    _, _, backend, steps, number, mean, _, theirs, verdict, _ = (cell.strip() for cell in last.split("|"))
    steps, mean, theirs = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in (steps, mean, theirs))
    return [backend, steps, number, mean, theirs or "none", verdict or ("one run" if theirs else "not compared")]


def setup(app):
    """Register the directive."""
    app.add_directive("benchmark", Benchmark)
    return {"parallel_read_safe": True}
