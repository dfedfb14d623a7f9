"""The directives ``listing`` and ``changes``: parts of an algorithm's file, in every backend.

``{listing} td3 loop`` quotes what stands in the training function from ``run = Run(`` on, ``{listing} td3 update`` the
function of this name; ``{changes} ddpg td3`` shows how the equations and ``update`` of the second differ from the
first's. ``{changes} pg_math/1_simple_pg pg_math/2_rtg_pg`` compares whole programs of spinup/examples.
"""

import difflib
import re
from itertools import pairwise

from chain import ROOT, quoted, sources_of, tabs
from docutils import nodes
from file_map import parts_of
from sphinx.util.docutils import SphinxDirective

from spinup.backends import algorithms

CONTEXT = 2  # lines about a change


def rule_of(source: str, algo: str) -> list[str]:
    """The lines of the equations and of ``update``; without the equations' numbers, which differ between algorithms."""
    lines = source.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("# ---- equations"))
    last = next(i for i, line in enumerate(lines) if line.startswith(f"def {algo}("))
    kept = [line for line in lines[first:last] if not line.startswith("# ----")]
    kept = [line for before, line in pairwise(["", *kept]) if line or before]  # one empty line at most
    return [re.sub(r"# \(\d+\)\s*", "# ", line).removesuffix("  # ") for line in kept]


def files_of(name: str) -> dict[str, str]:
    """By backend, the file of an algorithm, or of an example, whose name has a slash."""
    if "/" in name:
        return {backend: f"spinup/examples/{backend}/{name}.py" for backend in algorithms()}
    return sources_of(name)


def changes_between(before: str, after: str, old: str, new: str) -> list[str]:
    """A unified diff of :func:`rule_of` the two sources, or of all of them if they are examples."""
    names = f"{old}.py", f"{new}.py"
    lines = (
        source.splitlines() if "/" in name else rule_of(source, name) for source, name in ((before, old), (after, new))
    )
    return list(difflib.unified_diff(*lines, *names, n=CONTEXT, lineterm=""))


class Listing(SphinxDirective):
    """See the module."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        algo, part = self.arguments
        panels = {}
        for backend, file in sources_of(algo).items():
            self.env.note_dependency(str(ROOT / file))
            chosen = [":pyobject: update"]
            if part == "loop":
                start, end = parts_of((ROOT / file).read_text(encoding="utf-8"), algo)["loop"]
                chosen = [f":lines: {start}-{end}", ":dedent: 4"]
            elif part != "update":
                raise self.error(f"listing: the part {part!r} is neither loop nor update.")
            panels[backend] = quoted(file, *chosen)
        return self.parse_text_to_nodes("\n".join(tabs(panels)))


class Changes(SphinxDirective):
    """See the module."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        old, new = self.arguments
        panels = {}
        for backend, file in files_of(new).items():
            files = files_of(old)[backend], file
            for name in files:
                self.env.note_dependency(str(ROOT / name))
            before, after = ((ROOT / name).read_text(encoding="utf-8") for name in files)
            panels[backend] = ["```diff", *changes_between(before, after, old, new), "```"]
        return self.parse_text_to_nodes("\n".join(tabs(panels)))


def setup(app):
    """Register the directives."""
    app.add_directive("listing", Listing)
    app.add_directive("changes", Changes)
    return {"parallel_read_safe": True}
