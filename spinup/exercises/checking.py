"""An attempt at an exercise: its functions are graded, then trained with, and its question is answered."""

import importlib
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from spinup.backends import import_backend
from spinup.errors import ExperimentFailed
from spinup.exercises.exercise import BACKEND_FREE, Exercise, Training
from spinup.exercises.grading import Blank, Verdict, describe_crash, grade
from spinup.exercises.training import load_file, train_and_judge
from spinup.records.console import colorize, say

WIDTH = 100


@dataclass(frozen=True)
class Attempt:
    """What is checked, and how.

    Args:
        number: of the exercise.
        exercise: the exercise itself.
        file: the student's, or the solution; None where there is nothing to write.
        backend: of the file.
        train: whether to train: 'yes', 'no', or 'always', also with functions that are not right.
        env: to train in, instead of the environments of the exercise.
        answer: to the question of the exercise.
        seed: of the training.
        data_dir: where its runs are saved.
    """

    number: str
    exercise: Exercise
    file: Path | None
    backend: str
    train: str
    env: str | None
    answer: str | None
    seed: int
    data_dir: str


def succeeds(attempt: Attempt) -> bool:
    """Check the attempt, and print what is right, what is not, and what to read; whether all of it is right."""
    exercise, where = attempt.exercise, f"  ({attempt.file})" if attempt.file else ""
    say(colorize(f"Exercise {attempt.number}: {exercise.title}", "cyan", bold=True) + where)
    right = not attempt.file or _functions_are_right(attempt, attempt.file)
    if exercise.trainings and attempt.file and (attempt.train == "always" or (right and attempt.train == "yes")):
        right = all(_training_succeeds(attempt, attempt.file, training) for training in exercise.trainings) and right
    return right and _question_is_answered(attempt)


# ---- the functions ----


def _functions_are_right(attempt: Attempt, file: Path) -> bool:
    """Grade the functions of ``file`` in order, up to the first that is not right."""
    if attempt.backend != BACKEND_FREE:
        import_backend(attempt.backend, "core")  # raises UserError if its framework is not installed
    arrays = importlib.import_module(f"spinup.exercises.{attempt.backend}.arrays")
    try:
        answer = load_file(file)
    except Exception as error:  # the student's code may raise anything
        say("\n" + "\n".join(describe_crash(error, file, file.name)))
        return False
    for blank in attempt.exercise.blanks:
        verdict = _verdict_on(blank, answer, arrays, file, attempt.backend)
        _show(blank, verdict)
        if not verdict.is_right:
            return False
    return True


def _verdict_on(blank: Blank, answer: ModuleType, arrays: ModuleType, file: Path, backend: str) -> Verdict:
    function = getattr(answer, blank.name, None)
    if not callable(function):
        return Verdict([], None, [f"{file.name} has no function {blank.name}: keep the name that the exercise has."])
    return grade(blank, function, arrays, file, backend)


def _show(blank: Blank, verdict: Verdict) -> None:
    say(f"\n{blank.name}")
    for title in verdict.passed:
        say(f"  {colorize('right', 'green')}  {title}")
    if verdict.failed:
        say(f"  {colorize('wrong', 'red')}  {verdict.failed}\n")
    for line in verdict.lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        say(textwrap.fill(line.strip(), WIDTH, initial_indent=indent, subsequent_indent=indent))


# ---- training, and the question ----


def _training_succeeds(attempt: Attempt, file: Path, training: Training) -> bool:
    """Train with the functions of ``file``."""
    training = training.elsewhere(attempt.env) if attempt.env else training
    say(f"\nNow {training.algo} trains in {training.settings['env_name']} with your code: {training.bar}.")
    where = dict(number=attempt.number, backend=attempt.backend, data_dir=attempt.data_dir, seed=attempt.seed)
    try:
        enough, results = train_and_judge(training, attempt.exercise.blanks, file, **where)
    except ExperimentFailed:
        say("\nIt failed with your code: see the error above.")
        return False
    say(f"\n{training.column} in the last epochs: {', '.join(f'{x:.0f}' for x in results[-5:])}.")
    say("That is good enough." if enough else f"That is not good enough: {training.bar}.")
    return enough


def _question_is_answered(attempt: Attempt) -> bool:
    question = attempt.exercise.question
    if not question:
        return True
    if attempt.answer is None:
        say(f"\n{'Bonus: ' * question.bonus}{question.text}")
        return question.bonus
    right, sentence = question.judge(attempt.answer)
    say("\n" + textwrap.fill(f"{'Right' if right else 'Not quite'}: {sentence}", WIDTH))
    return right or question.bonus
