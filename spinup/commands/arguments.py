"""What the commands share: flags whose mistakes become one clear sentence, and the exit after a user's mistake."""

import argparse
import sys
from collections.abc import Callable, Collection
from functools import partial
from typing import NoReturn

from spinup.errors import UserError, did_you_mean
from spinup.mpi.tools import end_job, let_first_speak


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`UserError` where the standard one prints its usage and exits.

    Flags may not be abbreviated; an unknown one is answered with the nearest known ones.
    """

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_names(self, flag: str, known: Collection[str], **kwargs) -> None:
        """Add a flag that takes one of the names that are ``known``, or with ``nargs`` some of them."""
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

    Where several processes run it together, the end of one by any error is that of all.
    """
    try:
        main(argv)
    except (UserError, SystemExit, KeyboardInterrupt) as end:
        if not isinstance(end, UserError):
            end_job(end)
            raise
        let_first_speak()
        print(f"error: {end}", file=sys.stderr)
        end_job(2)
        raise SystemExit(2) from None
