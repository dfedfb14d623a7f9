"""How fast the algorithms train, beside other libraries and beside what the machine allows.

    python -m bench.speed [--env ENV ...] [--tasks PPO SAC ...] [--seconds 5] [--rounds 3] [--out DIR]
    python -m bench.speed --sweep width envs seeds replay busy ranks [--out DIR]
    python -m bench.speed --draw DIR/speed.json

Measures environment steps and gradient steps per second of every algorithm in both backends, in Stable-Baselines3 and
in SBX; with --sweep, how they change with the size of networks, buffers and so on. Each run writes a JSON file, and a
table and a picture made from it, which --draw makes again. In bench/speed/, tasks.py says what is compared, bounds.py
what the machine allows, and measuring.py how it is measured.
"""

import argparse
import json
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.commits import describe_commit
from bench.machine import describe_machine
from bench.speed.measuring import calls_of, measure_rounds, summarise
from bench.speed.report import write_report
from bench.speed.sweeps import SWEEPS, sweep_cases
from bench.speed.tasks import (
    FRAMEWORKS,
    LABELS,
    NOTE,
    ON_POLICY,
    SWEEP_NOTE,
    TASKS,
    Case,
    choose_libraries,
    table_cases,
)
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.errors import UserError, first_line
from spinup.experiments.cores import physical_cores
from spinup.mpi.tools import usable_cores

QUICK_EPOCH = 400  # environment steps, off-policy
MAIN_LABELS = [task.label for tasks in TASKS.values() for task in tasks if not task.is_a_variant]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, or draw earlier measurements again."""
    args = parse(argv)
    for file in args.draw:
        write_report(file, read_results(file))
    if args.draw:
        return
    check_threads(args.threads)
    planned = plan(args)
    for file in (result_file(args, sweep) for sweep in planned):
        if file.exists() and not args.overwrite:
            raise UserError(f"{file} exists already: add --overwrite, or choose another folder with --out.")
    args.commit = args.commit or describe_commit()
    make_folder(args.out)
    for sweep, cases in planned.items():
        measure_and_report(args, cases, [max(args.threads)] if sweep else args.threads, sweep)


def plan(args: argparse.Namespace) -> dict[str, list[Case]]:
    """The cases of each sweep, and under "" those of the main table; --quick leaves out sweeps that cannot run."""
    libraries = choose_libraries(args.libraries)
    planned = {} if args.sweep and not args.quick else {"": table_cases(args.env, args.tasks, libraries)}
    for name in SWEEPS if args.quick else args.sweep:
        values = 2 if args.quick else len(SWEEPS[name].values)
        try:
            planned[name] = sweep_cases(name, args.env[0], values, libraries, args.tasks)
        except UserError as error:
            if name in args.sweep:
                raise
            print(f"note: the sweep {name} is left out. {error}")
    return {name: quick_cases(cases) for name, cases in planned.items()} if args.quick else planned


def quick_cases(cases: Sequence[Case]) -> list[Case]:
    """Each task only in the first environment that suits it, sweeps only in one library, and with short epochs."""
    envs = {case.task.label: case.env for case in reversed(cases)}
    libraries = {case.library for case in cases if case.value is None} or {cases[-1].library}
    return [shortened(case) for case in cases if case.env == envs[case.task.label] and case.library in libraries]


def shortened(case: Case) -> Case:
    """The same case with shorter epochs, where their length makes no difference."""
    if case.task.algorithm in ON_POLICY:  # their epochs are their batches
        return case
    return replace(case, task=replace(case.task, settings=replace(case.task.settings, steps_per_epoch=QUICK_EPOCH)))


def result_file(args: argparse.Namespace, sweep: str) -> Path:
    """Where the results of the main table, or of a sweep, are written."""
    return args.out / (f"sweep_{sweep}.json" if sweep else "speed.json")


def default_threads() -> list[int]:
    """Powers of two up to the physical cores that this process may use, and all of those."""
    cores = physical_cores()
    return sorted({2**power for power in range(cores.bit_length())} | {cores})


def check_threads(threads: Sequence[int]) -> None:
    """Refuse more threads than cores that this process may use, because each thread gets a core."""
    usable = usable_cores()
    for count in threads:
        if not 1 <= count <= usable:
            raise UserError(f"--threads {count} is invalid: this process may use 1 to {usable}.")


def make_folder(folder: Path) -> None:
    """Make the folder for the results."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder} is invalid ({first_line(error)}): name a folder.") from None


def read_results(file: Path) -> dict[str, Any]:
    """Read what an earlier run wrote."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}): name a JSON file that --out holds.") from None
    if "note" not in data:
        raise UserError(f"{file} was written by another version of bench.speed: measure again.")
    return data


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ArgumentParser(prog="python -m bench.speed", description=__doc__)
    add, some = parser.add_argument, parser.add_names
    add("--env", nargs="+", default=["HalfCheetah-v5", "CartPole-v1"], help="environments; sweeps use the first")
    tasks, libraries, sweeps = "; ".join(LABELS), ", ".join(FRAMEWORKS), ", ".join(SWEEPS)
    some("--tasks", LABELS, nargs="+", metavar="TASK", help=f"some of: {tasks} (default: all)")
    some(
        "--libraries",
        FRAMEWORKS,
        nargs="+",
        metavar="NAME",
        help=f"some of: {libraries} (default: all that are installed)",
    )
    add("--seconds", type=float, help="how long a measurement lasts at least, after its first epoch (default: 5)")
    add("--rounds", type=int, help="how often everything is measured (default: 3)")
    add(
        "--threads",
        type=int,
        nargs="+",
        help="numbers to try (default: powers of two up to all cores); sweeps use the largest",
    )
    some("--sweep", SWEEPS, nargs="+", default=[], metavar="NAME", help=f"how speed changes with: {sweeps}")
    add("--quick", action="store_true", help="a small version of everything: the main tasks, two points of each sweep")
    add("--out", type=Path, default=Path("data/bench"), help="where to write (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace earlier results")
    add("--commit", help="the commit that is measured (default: what git reports)")
    add("--draw", type=Path, nargs="+", default=[], metavar="FILE.json", help="only draw table and picture again")
    args = parser.parse_args(argv)
    chosen = {key: value for key, value in vars(args).items() if value is not None}
    args = argparse.Namespace(**(vars(args) | (quick_defaults() if args.quick else defaults()) | chosen))
    if not 0 < args.seconds < math.inf or args.rounds < 1:
        parser.error("--seconds must be more than 0, and --rounds 1 or more")
    return args


def defaults() -> dict[str, Any]:
    """The defaults of the flags."""
    return {"seconds": 5.0, "rounds": 3, "threads": default_threads(), "tasks": LABELS}


def quick_defaults() -> dict[str, Any]:
    """The defaults of the flags with --quick."""
    return {"seconds": 0.5, "rounds": 1, "threads": [max(default_threads())], "tasks": MAIN_LABELS}


def measure_and_report(args: argparse.Namespace, cases: list[Case], threads: list[int], sweep: str = "") -> None:
    """Measure ``cases``, and write the results so far after each round.

    Raises:
        UserError: at the end, if some cases could not be measured.
    """
    file = result_file(args, sweep)
    command = f"python -m bench.speed {shlex.join(sys.argv[1:])}"
    data: dict[str, Any] = {"command": command, "commit": args.commit, "sweep": sweep, "rounds": 0}
    data |= {"axis": SWEEPS[sweep].axis if sweep else "", "length": f"at least {args.seconds:g} s each"}
    data |= {"machine": describe_machine(), "note": SWEEP_NOTE if sweep else NOTE}
    for results in measure_rounds(calls_of(cases, threads), args.rounds, args.seconds):
        data["rounds"] += 1
        data["rows"] = summarise(cases, results)
        file.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        write_report(file, data)
    print(f"Saved {file} and {file.with_suffix('.md')}")
    if failed := {case.name for case in cases} - {name for name, _ in results}:
        raise UserError(f"{', '.join(sorted(failed))} could not be measured; the rest is in {file}.")


if __name__ == "__main__":
    exit_on_user_error(main)
