"""How figures look, and how they become SVG that takes on the colours of the page around it."""

import io
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

IMAGES = Path(__file__).parents[1] / "images"

# What the page decides: such a colour stands for a variable of its style sheet.
INK, MUTED, GRID, BRAND = "#010101", "#020202", "#030303", "#040404"
PAGE = {
    INK: "currentColor",
    MUTED: "var(--color-foreground-muted)",
    GRID: "var(--color-background-border)",
    BRAND: "var(--color-brand-primary)",
}
# What is readable on a light and on a dark page.
BLUE, ORANGE, GREEN, PURPLE = COLOURS = "#2d7dd2", "#d1650f", "#2a9149", "#9b5de5"

SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "font.size": 10,
    "text.color": INK,
    "axes.titlesize": "medium",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.prop_cycle": f"cycler('color', {list(COLOURS)})",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


def names() -> list[str]:
    """The modules of this folder that draw a figure."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem for file in files if file.stem not in ("__init__", "__main__", "style")]


def new_figure(width: float = 5.6, height: float = 3.0) -> Figure:
    """An empty figure, in inches; what is wider than 5.6 becomes too small to read on a phone."""
    return Figure(figsize=(width, height), layout="constrained")


def drawn(name: str) -> str:
    """The SVG that the module ``name`` draws."""
    return as_svg(name, import_module(f"docs.figures.{name}").draw)


def as_svg(name: str, draw: Callable[[], Figure]) -> str:
    """The SVG of what ``draw`` draws, for a page; ``name`` makes its identifiers differ from those of others.

    The ``gid`` of an artist becomes its class if it has several words, since more than one may have it.
    """
    with rc_context({**SETTINGS, "svg.hashsalt": name}):
        stream = io.StringIO()
        draw().savefig(stream, format="svg", metadata=dict.fromkeys(["Creator", "Date", "Format", "Type"]))
    return _for_the_page(stream.getvalue())


def _for_the_page(svg: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' id="(\w+ [^"]*)"', r' class="\1"', svg)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)  # that of the page
    svg = re.sub(r'<svg([^>]*) width="([\d.]+)pt" height="[\d.]+pt"', _with_its_size, svg)
    for placeholder, colour in PAGE.items():
        svg = svg.replace(placeholder, colour)
    return svg


def _with_its_size(opening: re.Match) -> str:
    """The opening of an SVG that is shown up to 1.5 times its size, so that text is alike in all figures."""
    return f'<svg{opening[1]} style="max-width: {float(opening[2]) * 1.5:.0f}px"'


def write(name: str) -> Path:
    """Draw the figure ``name`` into docs/images; returns its file."""
    file = IMAGES / f"{name}.svg"
    file.write_text(drawn(name), encoding="utf-8")
    return file
