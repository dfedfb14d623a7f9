"""How fast does it train, beside other libraries and beside what the machine allows?

    python bench/speed.py [--env ENV ...] [--tasks PPO SAC ...] [--epochs 5] [--pairs 3] [--out DIR]
    python bench/speed.py --sweep width envs seeds replay ranks [--out DIR]
    python bench/speed.py --draw DIR/speed.json

Environment steps and gradient steps a second of every algorithm, in both backends, in Stable-Baselines3 and in SBX;
with --sweep, how they change with the size of things. Each run leaves a JSON file, and a table and a picture made of
it, which --draw makes again. tasks.py says what is compared, bounds.py what the machine allows, and measuring.py how.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commits import describe_commit
from machine import describe_machine
from measuring import calls_of, measure_rounds, summarise
from speed_report import write
from sweeps import SWEEPS, sweep_jobs
from tasks import FRAMEWORKS, LABELS, NOTE, TASKS, Job, choose_libraries, table_jobs

from spinup.utils.errors import UserError, exit_on_user_error, first_line
from spinup.utils.parallel import logical_cores, physical_cores

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
    args.out.mkdir(parents=True, exist_ok=True)
    for sweep, jobs in planned.items():
        threads, epochs = ([max(args.threads)], min(3, args.epochs)) if sweep else (args.threads, args.epochs)
        run(args, jobs, threads, epochs, sweep)


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
    return planned


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


def read(file: Path) -> dict[str, Any]:
    """What an earlier run wrote."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}): name a JSON file that --out holds.") from None
    if "note" not in data:
        raise UserError(f"{file} is not of this version of bench/speed.py: measure again.")
    return data


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--env", nargs="+", default=["HalfCheetah-v5", "CartPole-v1"], help="environments; sweeps take the first")
    add("--tasks", nargs="+", choices=LABELS, metavar="TASK", help=f"some of: {'; '.join(LABELS)} (default: all)")
    add("--libraries", nargs="+", choices=list(FRAMEWORKS), help="which of them (default: all that are installed)")
    add("--epochs", type=int, default=5, help="epochs of each measurement, the first not counted (sweeps: at most 3)")
    add("--pairs", type=int, default=3, help="rounds: how often everything is measured (default: %(default)s)")
    add("--threads", type=int, nargs="+", default=default_threads(), help="to try; sweeps take the most")
    add("--sweep", nargs="+", default=[], choices=list(SWEEPS), help="how cost grows")
    add("--quick", action="store_true", help="a small version of everything: the main tasks, two values of each sweep")
    add("--out", type=Path, default=Path("data/bench"), help="where to write (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace what is there")
    add("--commit", help="which commit is measured (default: git knows)")
    add("--draw", type=Path, nargs="+", default=[], metavar="FILE.json", help="only make table and picture again")
    args = parser.parse_args(argv)
    if args.epochs < 2 or args.pairs < 1:
        parser.error("--epochs must be 2 or more (the first is not counted), and --pairs 1 or more")
    if args.quick:
        args.epochs, args.pairs, args.threads = 2, 1, [max(args.threads)]
    args.tasks = args.tasks or (MAIN_LABELS if args.quick else LABELS)
    return args


def run(args: argparse.Namespace, jobs: list[Job], threads: list[int], epochs: int, sweep: str = "") -> None:
    """Measure ``jobs``, and write what is known after each round."""
    file = file_of(args, sweep)
    command = f"python bench/speed.py {shlex.join(sys.argv[1:])}"
    data: dict[str, Any] = {"command": command, "commit": args.commit, "sweep": sweep}
    data |= {"axis": SWEEPS[sweep].axis if sweep else "", "epochs": epochs, "machine": describe_machine(), "note": NOTE}
    for results in measure_rounds(calls_of(jobs, threads, epochs), args.pairs):
        data["rounds"] = min(map(len, results.values()))
        data["rows"] = summarise(jobs, threads, results)
        file.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        write(file, data)
    print(f"Saved {file} and {file.with_suffix('.md')}")


if __name__ == "__main__":
    exit_on_user_error(main)
