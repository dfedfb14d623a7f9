"""Shared by all commands: an argument parser with one-sentence errors, and the exit after a user's mistake."""

import argparse
import sys
from collections.abc import Callable, Collection
from functools import partial
from typing import NoReturn

from spinup.errors import UserError, did_you_mean


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`UserError` instead of printing its usage and exiting.

    Flags may not be abbreviated; the error for an unknown flag suggests similar ones.
    """

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_names(self, flag: str, known: Collection[str], **kwargs) -> None:
        """Add a flag that takes one of the names in ``known``, or several of them with ``nargs``."""
        self.add_argument(flag, type=partial(_known_name, flag, known), **kwargs)

    def parse_args(self, args=None, namespace=None):
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].split("=")[0]
            hint = did_you_mean(flag, self._option_string_actions)
            raise UserError(f"unknown argument {flag!r}.{hint} See {self.prog} --help.")
        return known

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See {self.prog} --help.")


def _known_name(flag: str, known: Collection[str], name: str) -> str:
    if name not in known:
        separator = "; " if any("," in one for one in known) else ", "
        raise UserError(f"{flag} {name!r} is not one of {separator.join(known)}.{did_you_mean(name, known)}")
    return name


def exit_on_user_error(main: Callable, argv: list[str] | None = None) -> None:
    """Call ``main(argv)``; a :class:`UserError` becomes one line on stderr and exit status 2.

    If several processes run it together, an error in one ends them all.
    """
    try:
        main(argv)
    except (UserError, SystemExit, KeyboardInterrupt) as end:
        from spinup.mpi.tools import end_job, let_first_speak  # imports NumPy, which --help does not need

        if not isinstance(end, UserError):
            end_job(end)
            raise
        let_first_speak()
        print(f"error: {end}", file=sys.stderr)
        end_job(2)
        raise SystemExit(2) from None
