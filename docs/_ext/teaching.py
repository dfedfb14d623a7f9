"""The directives ``question`` and ``pseudocode``.

    ```{question} What is the target where $d = 1$?
    - [ ] An option.

      No: why a reader may think so, and what is right.
    - [x] Another one.

      Yes: why.
    ```

shows the options of a question; each unfolds its explanation, without a script. The build fails unless one option is
right and all are explained.

    ```{pseudocode} td3
    1. Compute targets $y$ (2).
    ```

is a nested list of steps, in which ``(2)`` leads to equation (2) of the page. The build fails where the list and the
docstring of the file differ in their equations.
"""

import re

from chain import ROOT, sources_of
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

OPTION = re.compile(r"^- \[([ x])\] ", flags=re.MULTILINE)
MATH = re.compile(r"(\$[^$]+\$|`[^`]+`)")
EQUATION = re.compile(r"\((\d+)\)")


def options_of(text: str) -> list[tuple[bool, str, str]]:
    """Whether it is right, what it says, and the explanation, of every option in ``text``.

    Raises:
        LookupError: unless there are at least two, all explained, and exactly one is right.
    """
    _, *parts = OPTION.split(text)
    options = []
    for mark, part in zip(parts[::2], parts[1::2]):
        option, _, explanation = part.partition("\n\n")
        lines = [line.removeprefix("  ") for line in explanation.splitlines()]
        options.append((mark == "x", " ".join(option.split()), "\n".join(lines).strip()))
    if len(options) < 2 or sum(right for right, *_ in options) != 1:
        raise LookupError("a question needs two options or more, one of them right: - [x]")
    for _, option, explanation in options:
        if not explanation:
            raise LookupError(f"the option {option!r} has no explanation below it")
    return options


class Question(SphinxDirective):
    """See the module."""

    required_arguments, has_content, final_argument_whitespace = 1, True, True

    def run(self) -> list[nodes.Node]:
        try:
            options = options_of("\n".join(self.content))
        except LookupError as error:
            raise self.error(f"question: {error}.") from error
        lines = [self.arguments[0], ""]
        for right, option, explanation in options:
            kind = "right" if right else "wrong"
            lines += [f"::::{{dropdown}} {option}", f":class-container: option {kind}", explanation, "::::", ""]
        box = nodes.container(classes=["question"])
        box += self.parse_text_to_nodes("\n".join(lines))
        return [box]


def with_links(text: str, algo: str) -> str:
    """``text`` with ``(n)`` outside of mathematics and code as links to the equations of ``algo``."""
    parts = MATH.split(text)
    parts[::2] = [EQUATION.sub(rf"[(\1)](#{algo}-\1)", part) for part in parts[::2]]
    return "".join(parts)


def check_numbers(text: str, algo: str) -> None:
    """Raise LookupError unless ``text`` names the same equations as the docstring of ``algo``'s file."""
    file = next(iter(sources_of(algo).values()))
    docstring = (ROOT / file).read_text(encoding="utf-8").split('"""')[1]
    named = {int(n) for part in MATH.split(text)[::2] for n in EQUATION.findall(part)}
    known = {int(n) for n in re.findall(r"  \((\d+)\)", docstring)}
    if named != known:
        raise LookupError(f"the steps name the equations {sorted(named)}, {file} has {sorted(known)}")


class Pseudocode(SphinxDirective):
    """See the module."""

    required_arguments, has_content = 1, True

    def run(self) -> list[nodes.Node]:
        (algo,) = self.arguments
        text = "\n".join(self.content)
        try:
            check_numbers(text, algo)
        except LookupError as error:
            raise self.error(f"pseudocode {algo}: {error}.") from error
        for file in sources_of(algo).values():
            self.env.note_dependency(str(ROOT / file))
        box = nodes.container(classes=["pseudocode"])
        box += self.parse_text_to_nodes(with_links(text, algo))
        return [box]


def setup(app):
    """Register the directives."""
    app.add_directive("question", Question)
    app.add_directive("pseudocode", Pseudocode)
    return {"parallel_read_safe": True}
