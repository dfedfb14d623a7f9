"""Errors that a user can fix: one clear sentence, no traceback, in words that the user can type."""

import contextlib
import difflib
from collections.abc import Iterable, Iterator


class UserError(Exception):
    """A mistake that a user can fix.

    Its message is one sentence that names the value, what was expected and what to do. The command line prints it
    and exits with status 2; in Python it is an ordinary exception.
    """


class ExperimentFailed(Exception):
    """An experiment, or several, ended with an error, which its own process has reported.

    Args:
        message: which experiments.
        status: the exit status for the command line: 2 for a user's mistake, else 1.
    """

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


class OutputClosed(BrokenPipeError):
    """Whoever read the output, such as ``head``, has exited."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence to append that names the closest of ``known`` (`` Did you mean 'ppo'?``); ``""`` if none is close."""
    near = difflib.get_close_matches(str(name), list(known), n=3, cutoff=0.6)  # a key of a dict may be anything
    if not near:
        return ""
    *rest, last = [repr(n) for n in near]
    return f" Did you mean {', '.join(rest) + ' or ' if rest else ''}{last}?"


def first_line(error: Exception) -> str:
    """The first line of an exception's message, without a full stop; its class name if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


# ---- how the user gave the settings: by typing flags, or by calling Python functions ----

_program: str | None = None


@contextlib.contextmanager
def command_line(program: str | None) -> Iterator[None]:
    """Within the block, messages are for a user who types ``program``; None: for one who calls Python functions."""
    global _program
    before, _program = _program, program
    try:
        yield
    finally:
        _program = before


def typed_program() -> str | None:
    """What the user types to give a command, such as ``spinup``; None in Python."""
    return _program


def setting(typed: str, in_python: str | None = None) -> str:
    """``typed`` (``--trust`` or ``--num_envs 2``) at a command line; in Python the same there.

    ``in_python`` is needed only if it differs from the obvious ``trust=True`` or ``num_envs=2``.
    """
    if _program is not None:
        return typed
    if in_python is not None:
        return in_python
    name, _, value = typed.removeprefix("--").partition(" ")
    return f"{name}={value or True}"


def command(arguments: str) -> str:
    """The command with these ``arguments`` (``plot data``), as the user types it."""
    return f"{_program or 'spinup'} {arguments}"
