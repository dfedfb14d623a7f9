"""Command-line flags whose mistakes become one clear sentence."""

import argparse
from typing import NoReturn

from spinup.utils.errors import UserError, did_you_mean


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises :class:`UserError` where the standard one prints its usage and exits.

    Flags may not be abbreviated; an unknown one is answered with the nearest known ones.
    """

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def parse_args(self, args=None, namespace=None):
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].split("=")[0]
            hint = did_you_mean(flag, self._option_string_actions)
            raise UserError(f"unknown argument {flag!r}.{hint} See {self.prog} --help.")
        return known

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See {self.prog} --help.")
