"""Shared by all commands: an argument parser with one-sentence errors, and the exit after a user's mistake."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import NoReturn

from spinup.errors import ExperimentFailed, OutputClosed, UserError, command_line, did_you_mean
from spinup.interrupts import end_at_next_interrupt


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`UserError` instead of printing its usage and exiting.

    Flags may not be abbreviated; the error for an unknown flag suggests similar ones.
    """

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_names(self, flag: str, known: Collection[str], **kwargs) -> None:
        """Add a flag that takes one of the names in ``known``, or several of them with ``nargs``."""
        self.add_argument(flag, type=partial(_known_name, flag, known), **kwargs)

    def add_path(self, name: str, **kwargs) -> None:
        """Add an argument that takes a path, or several of them with ``nargs``."""
        self.add_argument(name, type=_path, **kwargs)

    def parse_args(self, args=None, namespace=None):
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].split("=")[0]
            hint = did_you_mean(flag, self._option_string_actions)
            raise UserError(f"unknown argument {flag!r}.{hint} See {self.prog} --help.")
        return known

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See {self.prog} --help.")


def _path(text: str) -> str:
    if not text:  # an unset variable of the shell; it would mean every run below the working directory
        raise UserError("A path is empty: give a directory, or . for this one.")
    return os.path.expanduser(text)  # no shell does so in --save=~/curve.png


def _known_name(flag: str, known: Collection[str], name: str) -> str:
    if name not in known:
        separator = "; " if any("," in one for one in known) else ", "
        raise UserError(f"{flag} {name!r} is not one of {separator.join(known)}.{did_you_mean(name, known)}")
    return name


_OF_THE_MACHINE = ("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT")  # errors that no traceback explains


def exit_on_user_error(main: Callable, argv: list[str] | None = None) -> None:
    """Call ``main(argv)`` for a user at a command line; whatever ends it becomes an exit status.

    A :class:`UserError` is one line on stderr and status 2, and so is a file that may not be used or a full disk; a
    failed experiment is status 1 or 2, Ctrl-C status 130. If several processes run it together, an error in one ends
    them all.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: a name that it cannot encode ends no training
    try:
        with command_line(_program_as_typed()):
            main(argv)
    except UserError as error:
        from spinup.mpi.tools import let_first_speak  # imports NumPy, which --help does not need

        let_first_speak()
        _exit(2, f"error: {error}")
    except ExperimentFailed as failure:
        _exit(failure.status, "" if failure.status == 2 else f"error: {failure}")  # a mistake is already reported
    except KeyboardInterrupt as interrupt:
        end_at_next_interrupt()
        _exit(130, str(interrupt))
    except OutputClosed:
        _exit(130, "")
    except OSError as error:
        if errno.errorcode.get(error.errno or 0) not in _OF_THE_MACHINE:
            raise
        what = repr(str(error.filename)) if error.filename else "A file"
        _exit(2, f"error: {what} cannot be used ({error.strerror}).")
    except SystemExit as end:
        _end_job(end)
        raise


def _program_as_typed() -> str:
    path = Path(sys.argv[0])
    if path.parent.name == "spinup" and path.name in ("run.py", "__main__.py"):
        return "python -m spinup.run" if path.stem == "run" else "python -m spinup"
    return "spinup"


def _exit(status: int, message: str) -> NoReturn:
    if message:
        print(message, file=sys.stderr)
    _end_job(status)
    raise SystemExit(status) from None


def _end_job(status: int | SystemExit) -> None:
    """End the processes that MPI connects with this one; it can have connected none if its module is not imported."""
    if "spinup.mpi.tools" in sys.modules:
        sys.modules["spinup.mpi.tools"].end_job(status)
