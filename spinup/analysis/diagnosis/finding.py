"""What a diagnosis finds, and how its numbers are written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spinup.errors import setting


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        name: what a program calls it, such as ``steps_too_large``.
        title: the same in words.
        evidence: the numbers of the run that show it.
        causes: what usually causes it, the most likely first.
        advice: what to try, with flags, the cheapest first.
        column: the column of the log in whose part of the glossary more is said.
        sure: false where there is too little data to be sure.
    """

    name: str
    title: str
    evidence: str
    causes: str
    advice: str
    column: str
    sure: bool = True

    @property
    def glossary(self) -> str:
        """Where the glossary says more."""
        return f"user/metrics.html#{self.column.lower()}"


def number(value: float) -> str:
    """``value`` with three digits, or all of them before the decimal point."""
    if not np.isfinite(value):
        return str(float(value))
    return f"{value:,.0f}" if 100 <= abs(value) < 1e7 else f"{float(f'{value:.3g}'):g}"


def flag(name: str, value: float | str) -> str:
    """A setting as the user gives it: ``--pi_lr 0.001``, or ``pi_lr=0.001`` in Python."""
    return setting(f"--{name} {value if isinstance(value, str) else f'{value:g}'}")


def gentler(name: str, value: float, factor: float = 10.0, at_most: float = 1e-3) -> str:
    """A learning rate smaller than ``value`` by ``factor``, and not above the usual ones, as a flag."""
    return flag(name, float(f"{min(value / factor, at_most):.1g}"))


def epochs_in(rows: Sequence[bool] | np.ndarray) -> str:
    """In how many of all epochs something holds: ``25 of 30 epochs``."""
    return f"{int(np.sum(rows))} of {len(rows)} epochs"
