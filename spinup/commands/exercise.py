"""``spinup exercise [NUMBER]``: list the exercises of the course, start one, or check an answer."""

import re
import shutil
import sys
from pathlib import Path

from spinup import user_config
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.errors import UserError, typed_program
from spinup.exercises import progress
from spinup.exercises.checking import Attempt, succeeds
from spinup.exercises.exercise import (
    BACKEND_FREE,
    all_backends,
    all_numbers,
    backend_for,
    exercise_file,
    file_name,
    find_exercise,
)
from spinup.records.console import colorize, say
from spinup.records.files import reporting_write_errors, write_atomically

NOT_YET = 1  # exit status


def _command() -> str:
    """What the user types for this command."""
    return f"{typed_program() or 'spinup'} exercise"


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=_command(),
        description="List the exercises, start one (exercise 1.1 --start), or check an answer (exercise 1.1).",
        epilog="Exit status: 0 passed, 1 not yet, 2 a mistake in the command.",
    )
    add = parser.add_argument
    add("number", nargs="?", help="number of the exercise, such as 1.1; without it, all are listed")
    parser.add_path(
        "--start", metavar="DIR", nargs="?", const=".", help="copy the file to complete to DIR (default: here)"
    )
    parser.add_path("--file", help="the file to check (default: exercise1_1.py here, else that of the package)")
    parser.add_names("--backend", all_backends(), help=f"{' or '.join(all_backends())} (default: that of the file)")
    add("--use_soln", action="store_true", help="check the solution instead")
    add("--answer", nargs="+", help="answer the question of the exercise")
    train = parser.add_mutually_exclusive_group()
    train.add_argument(
        "--no_train", action="store_true", help="check the equations only; this does not pass the exercise"
    )
    train.add_argument(
        "--train", action="store_true", help="train even if the equations are wrong, to see what happens"
    )
    add("--env", help="train in this environment instead, to see how it goes")
    add("--seed", type=int, default=0, help="random seed of the training (default: %(default)s)")
    parser.add_path(
        "--data_dir",
        default=user_config.DEFAULT_DATA_DIR,
        help="where its runs and your progress are kept (default: data)",
    )
    return parser


def main(argv: list[str]) -> None:
    """The command line ``exercise``: see ``exercise --help``; raises SystemExit(1) for an answer that is not right."""
    args = _parser().parse_args(argv)
    if args.number is None and (args.start or args.file or args.answer):
        raise UserError(f"Which exercise? Put its number first, as in `{_command()} 1.1 --start`.")
    if args.number is None:
        say(overview(args.backend or all_backends()[0], args.data_dir))
        return
    exercise = find_exercise(args.number)
    file, backend = _choose(args)
    if args.start is not None:
        _start(args.number, backend, Path(args.start))
        return
    train = "no" if args.no_train else "always" if args.train else "yes"
    answer = " ".join(args.answer) if args.answer else None
    attempt = Attempt(args.number, exercise, file, backend, train, args.env, answer, args.seed, args.data_dir)
    if not succeeds(attempt):
        raise SystemExit(NOT_YET)
    _congratulate(attempt, is_own=not args.use_soln)


def check_file(number: str, backend: str, file: str) -> None:
    """What the file of an exercise does when it is run: check it, with any other flags of the command."""
    chosen = [] if backend == BACKEND_FREE else ["--backend", backend]
    exit_on_user_error(main, [number, *chosen, "--file", file, *sys.argv[1:]])


def overview(backend: str, data_dir: str) -> str:
    """A table of all exercises, and which are passed in ``backend``."""
    passed = progress.passed(data_dir, BACKEND_FREE) | progress.passed(data_dir, backend)
    exercises = {number: find_exercise(number) for number in all_numbers()}
    width = max(len(exercise.title) for exercise in exercises.values())
    rows = [f"{'':<5}{'':<{width}}  {'minutes':>7}  {'level':<5}"]
    for number, exercise in exercises.items():
        level, state = "*" * exercise.difficulty, f"passed {passed[number]}" if number in passed else "not yet"
        rows.append(f"{number:<5}{exercise.title:<{width}}  {exercise.minutes:>7}  {level:<5}  {state}")
    return "\n".join([*rows, "", f"Start one with `{_command()} 1.1 --start`, check it with `{_command()} 1.1`."])


def _choose(args) -> tuple[Path | None, str]:
    """The file to check (None where there is nothing to write), and its backend."""
    given, here = Path(args.file) if args.file else None, Path(file_name(args.number))
    if given and not given.is_file():
        raise UserError(f"--file {args.file!r} does not exist: `{_command()} {args.number} --start` makes one.")
    own = given or (here if here.is_file() else None)
    backend = backend_for(args.number, args.backend or _backend_in(own) or all_backends()[0])
    if args.backend and own and not args.use_soln and _backend_in(own) not in (None, backend):
        raise UserError(f"{str(own)!r} is for {_backend_in(own)}, not for {backend}: leave out --backend.")
    file = exercise_file(args.number, backend, args.use_soln) if args.use_soln or own is None else own
    return (file.resolve() if file.is_file() else None), backend


def _backend_in(file: Path | None) -> str | None:
    """The backend that the file of an exercise names in its last line, or else imports from."""
    text = file.read_text(encoding="utf-8", errors="replace") if file else ""
    found = re.search(r'check_file\("[\d.]+", "(\w+)"', text) or re.search(r"spinup\.algos\.(\w+)", text)
    return found[1] if found else None


def _start(number: str, backend: str, folder: Path) -> None:
    data = find_exercise(number).data
    source = data or exercise_file(number, backend)
    if not source.is_file():
        raise UserError(f"Exercise {number} has nothing to write: see `{_command()} {number}`.")
    target = folder / source.name
    checks_itself = "check_file(" in source.read_text(encoding="utf-8")  # 2.2 trains when it is run
    where = "" if data or folder == Path() else f" --file {target}"
    check = f"`python {target}`" if checks_itself else f"`{_command()} {number}{where}`"
    if target.exists():
        raise UserError(f"{str(target)!r} exists already, and is kept: go on with {check}.")
    with reporting_write_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomically(target, lambda file: shutil.copyfile(source, file))
    say(f"Look at {target}, as {check} says." if data else f"Complete {target}, then check it with {check}.")


def _congratulate(attempt: Attempt, is_own: bool) -> None:
    if attempt.exercise.trainings and (attempt.train == "no" or attempt.env):
        say("\nAll equations are right; to pass the exercise, check it without --no_train and --env.")
        return
    say(colorize(f"\nExercise {attempt.number} is passed.", "green", bold=True))
    if is_own:
        progress.record(attempt.data_dir, attempt.backend, attempt.number)
    later = [number for number in all_numbers() if number > attempt.number]
    if later:
        say(f"The next one: `{_command()} {later[0]} --start`.")
