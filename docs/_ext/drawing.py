"""The directive ``drawing``: an SVG of docs/images inside the page, so that it takes on the page's colours.

```{drawing} ppo_clip
:alt: What a reader hears who cannot see it.

The caption.
```
"""

import html
import re
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

IMAGES = Path(__file__).parents[1] / "images"
COLUMN = 328  # pixels between the margins of a small phone
LEGIBLE = 8.9  # pixels; smaller labels are hard to read


def inlined(svg: str, alt: str) -> str:
    """``svg`` without what stands before its first element, named ``alt`` for those who hear the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<title.*?</title>|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    opening = re.sub(r' (?:role|aria-\w+|width|height)="[^"]*"', "", svg[: svg.index(">")])
    role = "group" if "<a " in svg else "img"  # what an image holds is not read out, and its links cannot be reached
    return f'{opening} role="{role}" aria-label="{html.escape(alt)}"{svg[svg.index(">") :]}'


def legible_width(svg: str) -> float:
    """How many pixels wide ``svg`` must be for its smallest label; an exponent, a part of a label, may be smaller."""
    width = re.search(r'viewBox="\S+ \S+ ([\d.]+)', svg)
    sizes = re.findall(r'<(?!tspan)[^>]*font-size(?:: |=")([\d.]+)', svg)
    return float(width[1]) * LEGIBLE / min(map(float, sizes)) if width and sizes else 0


def fitted(svg: str) -> str:
    """``svg``, in a box in which it scrolls if a phone would show it too small; the keyboard can scroll it too."""
    width = legible_width(svg)
    if width <= COLUMN:
        return svg
    return f'<div class="scrolls" tabindex="0" style="--legible: {width:.0f}px">{svg}</div>'


class Drawing(SphinxDirective):
    """See the module."""

    required_arguments, has_content = 1, True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        file = IMAGES / f"{self.arguments[0]}.svg"
        if not file.is_file():
            raise self.error(f"drawing: there is no docs/images/{file.name}.")
        if "alt" not in self.options:
            raise self.error(f"drawing {self.arguments[0]}: the option alt is missing.")
        self.env.note_dependency(str(file))
        picture = fitted(inlined(file.read_text(encoding="utf-8"), self.options["alt"]))
        box = nodes.container(classes=["drawing"])
        box += nodes.raw("", picture, format="html")
        box += self.parse_text_to_nodes("\n".join(self.content))
        return [box]


def setup(app):
    """Register the directive."""
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True}
