"""The directive ``file-map``: what stands where in the file of an algorithm, drawn to scale.

    ```{file-map} td3
    docstring: what each part is for, in a line, for every part of :func:`parts_of`
    ```

Lines are counted in the source, so the map follows it; the build fails where a part is missing.
"""

import ast
import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]


def parts_of(source: str, algo: str) -> dict[str, tuple[int, int]]:
    """The first and the last line of each part of an algorithm's file, by name."""
    tree, lines = ast.parse(source), source.splitlines()
    docstring, *rest = tree.body
    named = {node.name: node for node in rest if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    equations = [node for node in named.values() if re.search(r"# \(\d+\)", _signature(node, lines))]
    training = named[algo]
    told, *body = training.body
    loop = next(node for node in body if "Run(" in ast.unparse(node))
    return {
        "docstring": (1, docstring.end_lineno),
        "imports": (docstring.end_lineno + 1, equations[0].lineno - 1),
        "equations": (equations[0].lineno, named["Learner"].lineno - 1),
        "Learner": (named["Learner"].lineno, named["update"].lineno - 1),
        "update": (named["update"].lineno, training.lineno - 1),
        "parameters": (training.lineno, told.end_lineno),
        "set-up": (told.end_lineno + 1, loop.lineno - 1),
        "loop": (loop.lineno, training.end_lineno),
    }


def _signature(node: ast.FunctionDef | ast.ClassDef, lines: list[str]) -> str:
    return "\n".join(lines[node.lineno - 1 : node.body[0].lineno - 1])


class FileMap(SphinxDirective):
    """See the module."""

    required_arguments, has_content = 1, True

    def run(self) -> list[nodes.Node]:
        algo = self.arguments[0]
        file = ROOT / "spinup" / "algos" / "pytorch" / f"{algo}.py"
        self.env.note_dependency(str(file))
        parts = parts_of(file.read_text(encoding="utf-8"), algo)
        said = dict(line.split(": ", 1) for line in self.content)
        if list(said) != list(parts):
            raise self.error(f"file-map {algo}: expected a line for each of {', '.join(parts)}.")
        items = "".join(_item(name, *parts[name], text) for name, text in said.items())
        return [nodes.raw("", f'<ol class="file-map">{items}</ol>', format="html")]


def _item(name: str, first: int, last: int, text: str) -> str:
    text = re.sub(r"`([^`]*)`", r'<code class="literal">\1</code>', html.escape(text))
    return (
        f'<li style="--lines: {last - first + 1}"><span class="lines">{first}&ndash;{last}</span>'
        f"<div><strong>{name}</strong> {text}</div></li>"
    )


def setup(app):
    """Register the directive."""
    app.add_directive("file-map", FileMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
