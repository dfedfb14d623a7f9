"""How a student's function is graded.

It computes the same numbers as the right one, or the mistake has a name.

A grader is written once, in NumPy, for all backends: the right function, inputs, and the usual wrong functions. The
module ``arrays`` of a backend takes the inputs to it and the numbers back.
"""

import ast
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import spinup
from spinup.errors import first_line
from spinup.exercises.numpy import arrays as in_numpy

TOLERANCE = dict(rtol=2e-4, atol=2e-5)  # between float32 and the float64 of the right answer
UNWRITTEN = "is not written yet"


# ---- what a grader consists of ----


class Check(NamedTuple):
    """Numbers that a right function computes: ``numbers(function, on)``, where ``on`` is an ``arrays`` module."""

    title: str
    numbers: Callable[[Callable, Any], Any]


class Mistake(NamedTuple):
    """A usual wrong answer, recognised by its numbers."""

    name: str  # completes "It looks as if ..."
    wrong: Callable
    why: str
    line: int | None = None  # number of the equation to read


@dataclass(frozen=True)
class Blank:
    """A function of the package that the student writes.

    Args:
        name: of the function.
        home: the module that it is from; ``{backend}`` stands for the backend.
        right: the same in NumPy.
        checks: tried in this order.
        mistakes: usual wrong answers, in NumPy.
    """

    name: str
    home: str
    right: Callable
    checks: Sequence[Check]
    mistakes: Sequence[Mistake]


class Verdict(NamedTuple):
    """The titles of the checks that a function passed, the one that it failed, and what to tell the student."""

    passed: list[str]
    failed: str | None = None
    lines: Sequence[str] = ()

    @property
    def is_right(self) -> bool:
        return not self.lines


# ---- inputs ----


def call(*args: Any) -> Callable:
    """What a function returns for ``args``: arrays, or named tuples of arrays such as batches and networks."""
    return lambda function, on: function(*(_to(on, x) for x in args))


def gradient(*args: Any, of: int = 0) -> Callable:
    """The gradient of what a function returns (the first of it, summed) in argument number ``of``.

    If that is a named tuple, it is the gradient in its first field.
    """
    return partial(_gradient, args, of)


def _gradient(args: Sequence[Any], of: int, function: Callable, on: Any) -> Any:
    given = [_to(on, x) for x in args]
    chosen = given[of]

    def loss(x: Any) -> Any:
        given[of] = chosen._replace(**{chosen._fields[0]: x}) if hasattr(chosen, "_fields") else x
        result = function(*given)
        return (result[0] if isinstance(result, tuple) else result).sum()

    return on.gradient(loss, chosen[0] if hasattr(chosen, "_fields") else chosen)


def _to(on: Any, x: Any) -> Any:
    if hasattr(x, "_fields"):
        return type(x)(*(_to(on, field) for field in x))
    return on.array(x) if isinstance(x, np.ndarray) else x


# ---- grading ----


class _Unreadable(Exception):
    """What a function returned is of another kind than it should be."""


def grade(blank: Blank, function: Callable, on: Any, file: Path, backend: str) -> Verdict:
    """Compare ``function``, from the student's ``file``, with the right one."""
    tried: list[tuple[Check, list, list]] = []
    trouble = None
    for check in blank.checks:
        right = _leaves(check.numbers(blank.right, in_numpy))
        try:
            tried.append((check, _read(check.numbers(function, on), right, on, blank.name), right))
        except _Unreadable as error:
            trouble = [str(error)]
        except Exception as error:  # the student's code may raise anything
            trouble = describe_crash(error, file, blank.name)
        if trouble:
            break
    passed = []
    for check, mine, right in tried:
        if not _same(mine, right):
            return Verdict(passed, check.title, _diagnosis(blank, tried, backend) or _first_difference(mine, right))
        passed.append(check.title)
    if trouble:
        return Verdict(passed, blank.checks[len(passed)].title if _is_written(trouble) else None, trouble)
    return Verdict(passed)


def _is_written(trouble: list[str]) -> bool:
    return UNWRITTEN not in trouble[0]


def _leaves(numbers: Any) -> list[np.ndarray]:
    return [np.asarray(x, float) for x in (numbers if isinstance(numbers, tuple) else (numbers,))]


def _read(numbers: Any, like: list[np.ndarray], on: Any, name: str) -> list[np.ndarray]:
    """The student's ``numbers`` as arrays, as many as ``like`` has."""
    parts = list(numbers) if isinstance(numbers, tuple | list) and len(like) > 1 else [numbers]
    if len(parts) != len(like):
        expected = f"{len(like)} results were expected: see the comment in its first line"
        raise _Unreadable(f"{name} returned {_kind(numbers, on)}, but {expected}.")
    for part in parts:
        if not on.is_array(part):
            raise _Unreadable(f"{name} returned {_kind(part, on)}, but {on.ARRAY} was expected.")
    return [on.to_numpy(part) for part in parts]


def _kind(x: Any, on: Any) -> str:
    if x is None:
        return "nothing (is there a `return`?)"
    if isinstance(x, tuple):
        return f"a tuple of {len(x)}"
    return on.ARRAY if on.is_array(x) else f"an object of type {type(x).__name__}"


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(
        a.shape == b.shape and np.allclose(a, b, **TOLERANCE, equal_nan=True) for a, b in zip(some, others)
    )


def _resembles(mine: list[np.ndarray], wrong: list[np.ndarray]) -> bool:
    """As :func:`_same`, but where the wrong answer is not a number, anything may stand."""
    if [x.shape for x in mine] != [x.shape for x in wrong]:
        return False
    return _same(mine, [np.where(np.isnan(y), x, y) for x, y in zip(mine, wrong)])


def _diagnosis(blank: Blank, tried: list[tuple[Check, list, list]], backend: str) -> list[str]:
    """The mistake that explains all that the student's function computed, or at least its shapes; else nothing."""
    wrong = {mistake: [numbers_of(check, mistake.wrong) for check, _, _ in tried] for mistake in blank.mistakes}
    for mistake, numbers in wrong.items():
        if all(map(_resembles, (mine for _, mine, _ in tried), numbers)):
            return [f"It looks as if {mistake.name}.", *_reading(mistake, blank, backend)]
    differing = [(check, mine) for check, mine, right in tried if not _same(mine, right)]
    if all(_is_gradient(check) and not np.any(mine) for check, mine in differing):
        return ["It looks as if the gradient is cut off.", "All of it is 0: is something detached, or a constant?"]
    shapes = [[x.shape for x in mine] for _, mine, _ in tried]
    odd = [x.shape for _, mine, right in tried for x, y in zip(mine, right) if x.shape != y.shape]
    for mistake, numbers in wrong.items():
        if odd and shapes == [[x.shape for x in some] for some in numbers]:
            found = f"The shape is {list(odd[0])}, as if {mistake.name}, and the numbers differ as well."
            return [found, *_reading(mistake, blank, backend)]
    return []


def _is_gradient(check: Check) -> bool:
    return getattr(check.numbers, "func", None) is _gradient


def numbers_of(check: Check, function: Callable) -> list[np.ndarray]:
    """What ``function``, written in NumPy, computes for ``check``; nothing if it cannot."""
    with np.errstate(all="ignore"):  # a wrong function may take the logarithm of a negative number
        try:
            return _leaves(check.numbers(function, in_numpy))
        except (ValueError, IndexError, TypeError):  # of inputs whose shapes do not go together
            return []


# ---- what the student reads ----


def _reading(mistake: Mistake, blank: Blank, backend: str) -> list[str]:
    if not mistake.line:
        return [mistake.why]
    return [mistake.why, f"Read ({mistake.line}):  {equation(blank.home.format(backend=backend), mistake.line)}"]


def equation(module: str, number: int) -> str:
    """The equation with this number in the docstring of ``module``, which need not be imported."""
    root = Path(spinup.__file__).parents[1]
    text = root.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    lines = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    last = next(i for i, line in enumerate(lines) if f"  ({number})" in line)
    first = last if "=" in lines[last] or "~" in lines[last] else last - 1  # one that takes two lines
    return " ".join(" ".join(line.split(f"  ({number})")[0].split()) for line in lines[first : last + 1])


def _first_difference(mine: list[np.ndarray], right: list[np.ndarray]) -> list[str]:
    for i, (x, y) in enumerate(zip(mine, right)):
        which = f" (result {i + 1} of {len(right)})" if len(right) > 1 else ""
        if x.shape != y.shape:
            return [f"The shape is {list(x.shape)}, but {list(y.shape)} was expected{which}."]
        if not np.isfinite(x).all() and np.isfinite(y).all():
            return [f"Some of the numbers are not finite{which}: {x.ravel()[~np.isfinite(x.ravel())][0]}."]
        differs = ~np.isclose(x, y, **TOLERANCE, equal_nan=True)
        if differs.any():
            where = tuple(int(k) for k in np.argwhere(differs)[0])
            place = f"At [{', '.join(map(str, where))}], your number" if where else "Your number"
            return [f"{place} is {x[where]:.6g}, the right one is {y[where]:.6g}{which}."]
    return []


def describe_crash(error: BaseException, file: Path, name: str) -> list[str]:
    """What went wrong in the student's ``file``: the last line of it that ran, not the lines of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename) == file]
    if isinstance(error, SyntaxError):
        where = f", line {error.lineno}" if error.lineno else ""
        return [f"{file.name} is not valid Python: {error.msg}{where}.", *_code(error.text)]
    if own and own[-1] is frames[-1] and isinstance(error, NotImplementedError):
        return [f"{own[-1].name} {UNWRITTEN}: replace the last line of it, line {own[-1].lineno} of {file.name}."]
    what = f"{type(error).__name__}: {first_line(error)}" if str(error) else type(error).__name__
    if not own:
        return [f"{name} cannot be called as in the exercise: {what}.", "Keep its name and its arguments."]
    return [f"Your code stopped at line {own[-1].lineno} of {file.name}:", *_code(own[-1].line), f"{what}."]


def _code(line: str | None) -> list[str]:
    return [f"    {line.strip()}"] if line else []
