"""The directive ``chain``: an equation, its function in every backend, the test that pins it, the exercise on it.

    ```{chain} td3 2
    y = r + \\gamma (1 - d) \\min_i Q_{\\text{targ},i}(s', a')
    ```

names the equation ``(2)`` in the docstring of ``td3.py`` and shows the functions marked ``# (2)`` in the sources. The
build fails where a backend has no such function, or no test calls it.
"""

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from spinup.backends import algorithms
from spinup.exercises.exercise import all_numbers, find_exercise

ROOT = Path(__file__).parents[2]
NAMES = {"pytorch": "PyTorch", "jax": "JAX", "tf1": "TensorFlow"}
SHARED = {"buffers": "spinup/experience/buffers.py"}  # modules that no backend has of its own
SHOWN_TESTS = 1


class Function(NamedTuple):
    """A function in a source file, by the path from the root of the project."""

    file: str
    name: str


def sources_of(module: str) -> dict[str, str]:
    """The files that define ``module``, by backend; one file under "" where all backends share it."""
    if module in SHARED:
        return {"": SHARED[module]}
    return {backend: f"spinup/algos/{backend}/{module}.py" for backend in algorithms()}


def numbered(file: str, number: int) -> Function:
    """The function of ``file`` whose signature is marked ``# (number)``.

    Raises:
        LookupError: if there is none, or more than one, or the docstring of the file does not have that number.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    tree, lines = ast.parse(text), text.splitlines()
    if f"({number})" not in (ast.get_docstring(tree) or ""):
        raise LookupError(f"the docstring of {file} has no equation ({number})")
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(re.search(rf"#.*\({number}\)", line) for line in lines[node.lineno - 1 : node.body[0].lineno - 1])
    ]
    if len(found) != 1:
        raise LookupError(f"{file} marks {len(found)} functions # ({number}), not one")
    return Function(file, found[0])


def tests_of(function: str, module: str) -> list[Function]:
    """The tests that call ``function`` of ``module``: those in the module's own file of tests, else in any."""
    files = sorted((ROOT / "tests").glob("*/test_*.py"))
    own = [file for file in files if file.stem == f"test_{module}"]
    return _tests_in(own, function, f"{module} module training") or _tests_in(files, function, f"{module} module")


def _tests_in(files: list[Path], function: str, owners: str) -> list[Function]:
    return [
        Function(str(file.relative_to(ROOT)), test.name)
        for file in files
        for test in _tests(file)
        if test.name.startswith(f"test_{function}_") or _calls(test, function, owners.split())
    ]


@functools.cache
def _tests(file: Path) -> list[ast.FunctionDef]:
    nodes = ast.parse(file.read_text(encoding="utf-8")).body
    return [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def exercises_of(function: Function) -> list[str]:
    """The numbers of the exercises that leave ``function`` blank."""
    backend = "".join(re.findall(r"algos/(\w+)/", function.file))
    home = function.file.removesuffix(".py").replace("/", ".")
    return [
        number
        for number in all_numbers()
        for blank in find_exercise(number).blanks
        if (blank.name, blank.home.format(backend=backend)) == (function.name, home)
    ]


def _calls(test: ast.FunctionDef, function: str, owners: list[str]) -> bool:
    """Whether ``test`` calls ``function()``, or the function of this name of one of ``owners``."""
    return any(
        getattr(node, "id", None) == function
        or (getattr(node, "attr", None) == function and getattr(node.value, "id", None) in owners)
        for node in ast.walk(test)
    )


class Chain(SphinxDirective):
    """See the module."""

    required_arguments, has_content = 2, True

    def run(self) -> list[nodes.Node]:
        module, number = self.arguments[0], int(self.arguments[1])
        try:
            functions = {backend: numbered(file, number) for backend, file in sources_of(module).items()}
            names = {function.name for function in functions.values()}
            if len(names) > 1:
                raise LookupError(f"the backends call equation ({number}) of {module} {', '.join(sorted(names))}")
            (name,) = names
            first = next(iter(functions.values()))
            tests = tests_of(name, module)
            if not tests:
                raise LookupError(f"no test of {module} calls {name}")
        except LookupError as error:
            raise self.error(f"chain {module} {number}: {error}.") from error
        for file in {function.file for function in [*functions.values(), *tests]}:
            self.env.note_dependency(str(ROOT / file))
        text = "\n".join([*self._equation(number), *_functions(functions), *_links(name, tests, exercises_of(first))])
        box = nodes.container(classes=["chain"], names=[f"{module}-{number}"])
        self.state.document.note_explicit_target(box)  # pages link to it as #td3-2
        box += self.parse_text_to_nodes(text)
        return [box]

    def _equation(self, number: int) -> list[str]:
        return ["```{math}", *self.content, rf"\tag{{{number}}}", "```"]


def _functions(functions: dict[str, Function]) -> list[str]:
    """The functions as synchronised tabs, or alone where all backends share it."""
    if "" in functions:
        return _quoted(functions[""])
    return tabs({backend: _quoted(function) for backend, function in functions.items()})


def tabs(panels: dict[str, list[str]]) -> list[str]:
    """Markdown of what there is for each backend, as synchronised tabs."""
    lines = ["::::{tab-set}", ":sync-group: backend"]
    for backend, panel in panels.items():
        lines += [f":::{{tab-item}} {NAMES[backend]}", f":sync: {backend}", *panel, ":::"]
    return [*lines, "::::"]


def quoted(file: str, *chosen: str) -> list[str]:
    """Markdown that quotes what the options ``chosen`` select in ``file``, with its line numbers."""
    options = (*chosen, ":lineno-match:", ":language: python", f":caption: {file}")
    return [f"```{{literalinclude}} /../{file}", *options, "```"]


def _quoted(function: Function) -> list[str]:
    return quoted(function.file, f":pyobject: {function.name}")


def _links(name: str, tests: list[Function], exercises: list[str]) -> list[str]:
    """The tests, one of them to unfold, and the exercises."""
    lines = []
    for test in tests[:SHOWN_TESTS]:
        lines += [f":::{{dropdown}} Pinned by `{test.name}`", *_quoted(test), ":::"]
    for number in exercises:
        card = nodes.make_id(f"Exercise {number}: {find_exercise(number).title}")
        link = f"[exercise {number}](/spinningup/exercises.md#{card})"
        lines += [f"Write `{name}` yourself: {link}, `spinup exercise {number} --start`"]
    return lines


def resolve_by_last_name(app, env, node, contnode):
    """Resolve ``UserError`` in a docstring to ``spinup.errors.UserError``: docstrings name things as the code does."""
    if node.get("refdomain") != "py" or node.get("refspecific"):
        return None
    node["refspecific"] = True
    where = env, node["refdoc"], app.builder, node["reftype"], node["reftarget"]
    return env.domains["py"].resolve_xref(*where, node, contnode)


def setup(app):
    """Register the directive, and the second try for references that nothing resolves."""
    app.add_directive("chain", Chain)
    app.connect("missing-reference", resolve_by_last_name)
    return {"parallel_read_safe": True, "parallel_write_safe": False}  # KaTeX has one server of its own
