"""Errors that a user can fix: one clear sentence, no traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that a user can fix.

    Its message is one sentence that names the value, what was expected and what to do. The command line prints it
    and exits with status 2; in Python it is an ordinary exception.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence to append that names the closest of ``known`` (`` Did you mean 'ppo'?``); ``""`` if none is close."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    if not near:
        return ""
    *rest, last = [repr(n) for n in near]
    return f" Did you mean {', '.join(rest) + ' or ' if rest else ''}{last}?"


def first_line(error: Exception) -> str:
    """The first line of an exception's message, without a full stop; its class name if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
