"""The exercises: each is a grader in ``graders/`` and, for each backend, a file to complete and its solution."""

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spinup.errors import UserError, did_you_mean
from spinup.exercises.grading import Blank

HERE = Path(__file__).parent
BACKEND_FREE = "numpy"  # the folder of the exercises that need no framework


@dataclass(frozen=True)
class Training:
    """A run with the student's functions in the place of the algorithm's.

    Args:
        algo: the algorithm to train.
        settings: its arguments, with ``env_name``.
        column: of ``progress.txt``, which ``judge`` is given.
        judge: whether these results, one an epoch, are good enough.
        bar: how good that is, in words.
    """

    algo: str
    settings: Mapping[str, Any]
    column: str
    judge: Callable[[np.ndarray], bool]
    bar: str

    def elsewhere(self, env_name: str) -> "Training":
        """The same in another environment, where any result will do."""
        settings = {**self.settings, "env_name": env_name}
        return replace(self, settings=settings, judge=lambda results: True, bar="to see how it goes")


@dataclass(frozen=True)
class Question:
    """A question whose answer is typed: ``judge(answer)`` returns whether it is right, and a sentence on it.

    A ``bonus`` need not be answered.
    """

    text: str
    judge: Callable[[str], tuple[bool, str]]
    bonus: bool = False


def choice(text: str, right: str, options: Mapping[str, tuple[str, str]], bonus: bool = False) -> Question:
    """A question with ``options``: by letter, what can be chosen and what there is to say on it."""

    def judge(answer: str) -> tuple[bool, str]:
        letter = answer.strip().lower().strip("().")
        if letter not in options:
            raise UserError(f"--answer {answer!r} is not one of {', '.join(options)}.")
        return letter == right, options[letter][1]

    listed = "\n".join(f"  {letter}  {option}" for letter, (option, _) in options.items())
    return Question(f"{text}\n\n{listed}\n\nAnswer with its letter: --answer LETTER.", judge, bonus)


@dataclass(frozen=True)
class Exercise:
    """One exercise; ``difficulty`` is 1 to 3, ``data`` a file to look at."""

    title: str
    minutes: int
    difficulty: int
    blanks: Sequence[Blank] = ()
    trainings: Sequence[Training] = ()
    question: Question | None = None
    data: Path | None = None


def all_numbers() -> list[str]:
    """The numbers of all exercises, in order."""
    names = (re.fullmatch(r"exercise(\d+)_(\d+)", file.stem) for file in (HERE / "graders").glob("*.py"))
    return sorted(f"{name[1]}.{name[2]}" for name in names if name)


def find_exercise(number: str) -> Exercise:
    """The exercise with this number; raises UserError if there is none."""
    if number not in all_numbers():
        hint = did_you_mean(number, all_numbers())
        raise UserError(f"There is no exercise {number!r}.{hint} Expected one of {', '.join(all_numbers())}.")
    return importlib.import_module(f"spinup.exercises.graders.exercise{number.replace('.', '_')}").EXERCISE


def all_backends() -> list[str]:
    """The backends that have exercises."""
    return sorted((file.parents[1].name for file in HERE.glob("*/problem_set_1/exercise1_1.py")), reverse=True)


def backend_for(number: str, backend: str) -> str:
    """``backend``, or ``BACKEND_FREE`` if the exercise needs none."""
    return (
        BACKEND_FREE
        if not find_exercise(number).blanks or list((HERE / BACKEND_FREE).glob(f"*/{file_name(number)}"))
        else backend
    )


def file_name(number: str) -> str:
    """The name of the file to complete."""
    return f"exercise{number.replace('.', '_')}.py"


def exercise_file(number: str, backend: str, solution: bool = False) -> Path:
    """The file of the package to complete, or its solution; it does not exist where there is nothing to write."""
    folder = f"problem_set_{number[0]}" + "_solutions" * solution
    name = file_name(number).replace(".py", "_soln.py") if solution else file_name(number)
    return HERE / backend_for(number, backend) / folder / name
