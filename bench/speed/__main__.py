"""How fast does it train, beside other libraries and beside what the machine allows?

    python -m bench.speed [--env ENV ...] [--tasks PPO SAC ...] [--seconds 5] [--rounds 3] [--out DIR]
    python -m bench.speed --sweep width envs seeds replay ranks [--out DIR]
    python -m bench.speed --draw DIR/speed.json

Environment steps and gradient steps a second of every algorithm, in both backends, in Stable-Baselines3 and in SBX;
with --sweep, how they change with the size of things. Each run leaves a JSON file, and a table and a picture made of
it, which --draw makes again. tasks.py says what is compared, bounds.py what the machine allows, and measuring.py how.
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
from bench.speed.report import write
from bench.speed.sweeps import SWEEPS, sweep_jobs
from bench.speed.tasks import FRAMEWORKS, LABELS, NOTE, ON_POLICY, SWEEP_NOTE, TASKS, Job, choose_libraries, table_jobs
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.errors import UserError, first_line
from spinup.experiments.cores import logical_cores, physical_cores

QUICK_EPOCH = 400  # environment steps, off-policy
MAIN_LABELS = [task.label for tasks in TASKS.values() for task in tasks if not task.is_a_variant]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, or draw what was measured."""
    args = parse(argv)
    for file in args.draw:
        write(file, read(file))
    if args.draw:
        return
    check_threads(args.threads)
    planned = plan(args)
    for file in (file_of(args, sweep) for sweep in planned):
        if file.exists() and not args.overwrite:
            raise UserError(f"{file} is there already: add --overwrite, or choose another place with --out.")
    args.commit = args.commit or describe_commit()
    make_folder(args.out)
    for sweep, jobs in planned.items():
        run(args, jobs, [max(args.threads)] if sweep else args.threads, sweep)


def plan(args: argparse.Namespace) -> dict[str, list[Job]]:
    """The lines of each sweep, and under "" those of the table; --quick leaves out sweeps that cannot be made."""
    libraries = choose_libraries(args.libraries)
    planned = {} if args.sweep and not args.quick else {"": table_jobs(args.env, args.tasks, libraries)}
    for name in SWEEPS if args.quick else args.sweep:
        values = 2 if args.quick else len(SWEEPS[name].values)
        try:
            planned[name] = sweep_jobs(name, args.env[0], values, libraries, args.tasks)
        except UserError as error:
            if name in args.sweep:
                raise
            print(f"note: the sweep {name} is left out. {error}")
    return {name: quick_jobs(jobs) for name, jobs in planned.items()} if args.quick else planned


def quick_jobs(jobs: Sequence[Job]) -> list[Job]:
    """Each task in the first environment that suits it, the points of a sweep in one library, in short epochs."""
    envs = {job.task.label: job.env for job in reversed(jobs)}
    libraries = {job.library for job in jobs if job.value is None} or {jobs[-1].library}
    return [shortened(job) for job in jobs if job.env == envs[job.task.label] and job.library in libraries]


def shortened(job: Job) -> Job:
    """The same with shorter epochs, where their length makes no difference."""
    if job.task.algorithm in ON_POLICY:  # whose epochs are batches
        return job
    return replace(job, task=replace(job.task, settings=replace(job.task.settings, steps_per_epoch=QUICK_EPOCH)))


def file_of(args: argparse.Namespace, sweep: str) -> Path:
    """Where the table, or a sweep, is written."""
    return args.out / (f"sweep_{sweep}.json" if sweep else "speed.json")


def default_threads() -> list[int]:
    """Powers of two up to the physical cores that this process may use, and all of those."""
    cores = physical_cores()
    return sorted({2**power for power in range(cores.bit_length())} | {cores})


def check_threads(threads: Sequence[int]) -> None:
    """Refuse more than this process may use, as each thread gets a core."""
    usable = logical_cores()
    for count in threads:
        if not 1 <= count <= usable:
            raise UserError(f"--threads {count} will not do: this process may use 1 to {usable}.")


def make_folder(folder: Path) -> None:
    """Make the folder that results go to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder} will not do ({first_line(error)}): name a folder.") from None


def read(file: Path) -> dict[str, Any]:
    """What an earlier run wrote."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}): name a JSON file that --out holds.") from None
    if "note" not in data:
        raise UserError(f"{file} is not of this version of bench.speed: measure again.")
    return data


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = ArgumentParser(prog="python -m bench.speed", description=__doc__)
    add, some = parser.add_argument, parser.add_names
    add("--env", nargs="+", default=["HalfCheetah-v5", "CartPole-v1"], help="environments; sweeps take the first")
    tasks, libraries, sweeps = "; ".join(LABELS), ", ".join(FRAMEWORKS), ", ".join(SWEEPS)
    some("--tasks", LABELS, nargs="+", metavar="TASK", help=f"some of: {tasks} (default: all)")
    some(
        "--libraries",
        FRAMEWORKS,
        nargs="+",
        metavar="NAME",
        help=f"some of: {libraries} (default: all that are installed)",
    )
    add("--seconds", type=float, help="how long a measurement lasts at least, after a first epoch (default: 5)")
    add("--rounds", type=int, help="how often everything is measured (default: 3)")
    add("--threads", type=int, nargs="+", help="to try (default: powers of two up to all cores); sweeps take the most")
    some("--sweep", SWEEPS, nargs="+", default=[], metavar="NAME", help=f"how cost grows with: {sweeps}")
    add("--quick", action="store_true", help="a small version of everything: the main tasks, two points of each sweep")
    add("--out", type=Path, default=Path("data/bench"), help="where to write (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace what is there")
    add("--commit", help="which commit is measured (default: git knows)")
    add("--draw", type=Path, nargs="+", default=[], metavar="FILE.json", help="only make table and picture again")
    args = parser.parse_args(argv)
    chosen = {key: value for key, value in vars(args).items() if value is not None}
    args = argparse.Namespace(**(vars(args) | (quick_defaults() if args.quick else defaults()) | chosen))
    if not 0 < args.seconds < math.inf or args.rounds < 1:
        parser.error("--seconds must be more than 0, and --rounds 1 or more")
    return args


def defaults() -> dict[str, Any]:
    """What is measured unless flags say otherwise."""
    return {"seconds": 5.0, "rounds": 3, "threads": default_threads(), "tasks": LABELS}


def quick_defaults() -> dict[str, Any]:
    """The same with --quick."""
    return {"seconds": 0.5, "rounds": 1, "threads": [max(default_threads())], "tasks": MAIN_LABELS}


def run(args: argparse.Namespace, jobs: list[Job], threads: list[int], sweep: str = "") -> None:
    """Measure ``jobs``, and write what is known after each round.

    Raises:
        UserError: at the end, if some could not be measured.
    """
    file = file_of(args, sweep)
    command = f"python -m bench.speed {shlex.join(sys.argv[1:])}"
    data: dict[str, Any] = {"command": command, "commit": args.commit, "sweep": sweep, "rounds": 0}
    data |= {"axis": SWEEPS[sweep].axis if sweep else "", "length": f"at least {args.seconds:g} s each"}
    data |= {"machine": describe_machine(), "note": SWEEP_NOTE if sweep else NOTE}
    for results in measure_rounds(calls_of(jobs, threads), args.rounds, args.seconds):
        data["rounds"] += 1
        data["rows"] = summarise(jobs, results)
        file.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        write(file, data)
    print(f"Saved {file} and {file.with_suffix('.md')}")
    if failed := {job.name for job in jobs} - {name for name, _ in results}:
        raise UserError(f"{', '.join(sorted(failed))} could not be measured; the rest is in {file}.")


if __name__ == "__main__":
    exit_on_user_error(main)
