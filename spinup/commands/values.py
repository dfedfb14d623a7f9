"""Values typed on the command line: literals and dotted names, never arbitrary code."""

import ast
import importlib
import math
import operator
import re
from collections.abc import Callable
from typing import Any

from spinup.backends import FRAMEWORKS
from spinup.errors import UserError, did_you_mean


class _NotAValue(Exception):
    """The text is not an expression of the grammar, so it is a plain string."""


def parse_value(text: str) -> Any:
    """Turn the text of a command-line value into a Python value.

    Literals, ``inf``, lists, tuples, dicts and ``dict(a=1)``, arithmetic on numbers, ``[64]*2``, and dotted names that
    start with one of :data:`FRAMEWORKS` (``torch.nn.ELU``) are understood; any other text is returned unchanged.

    Raises:
        UserError: if a dotted name does not exist, its package is not installed, or it is called.
    """
    try:
        return _evaluate(ast.parse(text.strip(), mode="eval").body)
    except (_NotAValue, SyntaxError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError):
        return text


def _evaluate(node: ast.expr | None) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as value):
            return value
        case ast.Name(id="inf"):
            return math.inf
        case ast.List(elts=items):
            return [_evaluate(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_evaluate(item) for item in items)
        case ast.Dict(keys=keys, values=values):
            return {_evaluate(key): _evaluate(value) for key, value in zip(keys, values)}
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_only_number(_evaluate(operand)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_evaluate(left), _evaluate(right))
        case ast.Call(func=function, args=[], keywords=pairs) if ast.unparse(function) == "dict":
            return {_keyword(pair): _evaluate(pair.value) for pair in pairs}
        case ast.Call(func=function) if _is_framework_name(function):
            raise UserError(
                f"{ast.unparse(node)!r} is a call, which the command line does not allow: "
                "give a plain name such as torch.nn.ELU, or write a script."
            )
        case ast.Attribute() if _is_framework_name(node):
            return _resolve(ast.unparse(node))
    raise _NotAValue


def _keyword(pair: ast.keyword) -> str:
    if pair.arg is None:
        raise _NotAValue
    return pair.arg


# ---- arithmetic: on numbers only, with limits so that a typing error cannot hang the machine ----


def _only_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotAValue
    return value


def _on_numbers(operation: Callable) -> Callable:
    return lambda a, b: operation(_only_number(a), _only_number(b))


def _multiply(a: Any, b: Any) -> Any:
    if isinstance(a, list | tuple) and isinstance(b, int):
        if len(a) * b > 10_000:
            raise _NotAValue
        return a * b
    return _only_number(a) * _only_number(b)


def _power(a: Any, b: Any) -> Any:
    if abs(_only_number(a)) > 1e9 or abs(_only_number(b)) > 100:
        raise _NotAValue
    return _only_number(a**b)


_SIGNS: dict[type, Callable] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_OPERATIONS: dict[type, Callable] = {
    ast.Add: _on_numbers(operator.add),
    ast.Sub: _on_numbers(operator.sub),
    ast.Div: _on_numbers(operator.truediv),
    ast.FloorDiv: _on_numbers(operator.floordiv),
    ast.Mod: _on_numbers(operator.mod),
    ast.Mult: _multiply,
    ast.Pow: _power,
}


# ---- dotted names ----


def parse_name(flag: str, text: str) -> Any:
    """The class or function that the user names as ``module:Class`` or ``module.Class``; imports the module.

    Raises:
        UserError: if ``text`` is no such name, or there is no such module or class.
    """
    if not re.fullmatch(r"[^\W\d]\w*([.:][^\W\d]\w*)+", text):
        raise UserError(f"{flag} {text!r} is invalid: expected the name of a class as module:Class.")

    from spinup.records.config import import_by_name

    return import_by_name(text)


def _is_framework_name(node: ast.expr) -> bool:
    parts = ast.unparse(node).split(".")
    return len(parts) > 1 and parts[0] in FRAMEWORKS and all(part.isidentifier() for part in parts)


def _resolve(dotted: str) -> Any:
    """Find ``torch.nn.ELU``: import the package, then follow the attributes."""
    first, *rest = dotted.split(".")
    module = FRAMEWORKS[first]
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{dotted!r} needs the package {module!r}, which cannot be imported ({error}).") from None
    for depth, part in enumerate(rest):
        if not hasattr(found, part):
            parent = ".".join([first, *rest[:depth]])
            near = did_you_mean(dotted, [f"{parent}.{name}" for name in dir(found)])
            raise UserError(f"{dotted!r} does not exist: {parent} has no {part!r}.{near}")
        found = getattr(found, part)
    return found
