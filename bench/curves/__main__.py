"""Learning curves beside those of the original: train, collect, draw.

    python -m bench.curves run --algos ppo trpo vpg --steps 1e6 --seeds 0 1 2 3 4 --jobs auto
    python -m bench.curves collect data/curves
    python -m bench.curves draw

`run` trains what is missing: start it again after a crash, with more --steps or with more --seeds, and it goes on.
`collect` turns run directories into CSV files, and `draw` makes figures and tables from those alone.
Each has a --help.
"""

import math
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import spinup
from bench.commits import describe_commit
from bench.curves.collect import add_made_by, collect
from bench.curves.draw import draw_figures
from bench.curves.files import ALGOS, RESULTS, name_of, read_experiments, read_published, unversioned
from bench.curves.settings import PUBLISHED_ENVS, VERSIONS, flat_settings, suits, versioned
from bench.curves.tables import page
from bench.machine import describe_device, describe_machine
from spinup import ALGORITHMS, user_config
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.commands.values import parse_value
from spinup.errors import UserError, did_you_mean
from spinup.experiments.experiment import Experiment, experiment_of
from spinup.experiments.launch import choose_launcher, launch
from spinup.experiments.names import setup_logger_kwargs
from spinup.records.directory import last_epoch
from spinup.records.files import write_atomically

PROGRAM = "python -m bench.curves"


def main(argv: list[str] | None = None) -> None:
    """Do what ``argv`` asks for; raises :class:`UserError` for what cannot be done."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that experiments end with us
    command, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if command in ("--help", "-h"):
        print(__doc__)
    elif command in COMMANDS:
        COMMANDS[command](rest)
    else:
        hint = did_you_mean(command, COMMANDS)
        raise UserError(f"{command!r} is not one of {', '.join(COMMANDS)}.{hint} See {PROGRAM} --help.")


# ---- run ----


def run_main(argv: list[str]) -> None:
    """Train the chosen algorithms in the chosen environments, as far as that is not done yet."""
    args = _run_parser().parse_args(argv)
    if not isinstance(args.steps, int | float) or not 1 <= args.steps < math.inf:
        raise UserError(f"--steps {args.steps!r} will not do: expected a number of environment steps, such as 1e6.")
    where = (args.jobs, args.retries, args.launcher, args.ray_address, args.cpus_per_run, args.gpus_per_run)
    launcher, commit = choose_launcher(*where), args.commit or describe_commit()
    chosen = [(algo, env) for algo in args.algos for env in args.envs if suits(algo, env)]
    if not chosen:
        raise UserError(f"{', '.join(args.algos)} cannot act in {', '.join(args.envs)}: dqn needs discrete actions.")
    # Seed by seed, so that what is cut short is cut short alike for all.
    experiments = [make_experiment(algo, env, seed, args) for seed in args.seeds for algo, env in chosen]
    report = partial(_report, experiments, args, commit)
    launch(experiments, launcher=launcher, report=report, here=args.launcher == "local")


def make_experiment(algo: str, env: str, seed: int, args: Namespace) -> Experiment:
    """One run of ``args.steps``, rounded up to whole epochs, or of as many as it has been trained for already."""
    env_name, settings = versioned(env), flat_settings(algo, env)
    name = name_of(env_name, algo, args.backend)
    logger_kwargs = setup_logger_kwargs(name, seed, args.data_dir)
    trained = last_epoch(logger_kwargs["output_dir"])
    epochs = max(math.ceil(args.steps / settings["steps_per_epoch"]), 0 if trained is None else trained + 1)
    kwargs = {"env_name": env_name, "seed": seed, "epochs": epochs, "device": args.device, "resume": True, **settings}
    thunk = getattr(spinup, f"{algo}_{args.backend}")
    return experiment_of(name, thunk, kwargs, logger_kwargs)


def _report(experiments: Sequence[Experiment], args: Namespace, commit: str) -> None:
    """Say what there is to do, and note in the folder of each experiment what does it."""
    unfinished = [experiment for experiment in experiments if not experiment.is_finished]
    print(f"{len(unfinished)} of {len(experiments)} runs to train, in {args.data_dir}", flush=True)
    machine = describe_trainer(args) if unfinished else {}
    groups: dict[Path, list[Experiment]] = {}
    for experiment in unfinished:
        groups.setdefault(experiment.output_dir.parent, []).append(experiment)
    for folder, group in groups.items():
        about = {"command": _command(*_algo_and_env(group[0]), args), "commit": commit, "machine": machine}
        seeds = {experiment.kwargs["seed"]: last_epoch(experiment.output_dir) for experiment in group}
        untrained = [seed for seed, trained in seeds.items() if trained is None]
        add_made_by(folder, about | {"seeds": list(seeds)}, untrained)


def describe_trainer(args: Namespace) -> dict[str, str | int]:
    """The machine that trains, and its GPU if it trains on one; a Ray cluster's machines are not known here."""
    if args.launcher == "ray":
        return {"cluster": "machines of a Ray cluster, not described", "device": args.device}
    return describe_machine() | describe_device(args.device, args.backend)


def _algo_and_env(experiment: Experiment) -> tuple[str, str]:
    return experiment.thunk.__name__, unversioned(experiment.config["env_name"])


def _command(algo: str, env: str, args: Namespace) -> str:
    """What trains this experiment alone; where it is kept and how many run side by side make no difference."""
    words = [PROGRAM, "run", "--algos", algo, "--backend", args.backend, "--envs", env, "--steps", f"{args.steps:.0f}"]
    words += ["--seeds", *map(str, args.seeds)]
    for flag, value, default in (("--device", args.device, "cpu"), ("--launcher", args.launcher, "local")):
        words += [flag, value] if value != default else []
    return " ".join(words)


def _run_parser() -> ArgumentParser:
    parser = ArgumentParser(prog=f"{PROGRAM} run", description=f"{run_main.__doc__}\n{SETTINGS}")
    add, some = parser.add_argument, parser.add_names
    algos, envs = " ".join(ALGOS), " ".join(VERSIONS)
    some("--algos", ALGOS, nargs="+", default=ALGOS, metavar="ALGO", help=f"some of: {algos} (default: all that suit)")
    some("--backend", ALGORITHMS, default="jax", help="jax or pytorch (default: %(default)s)")
    some(
        "--envs",
        VERSIONS,
        nargs="+",
        default=PUBLISHED_ENVS,
        metavar="ENV",
        help=f"some of: {envs} (default: the first five)",
    )
    add("--steps", type=parse_value, default=1e6, help="environment steps, rounded up to whole epochs (default: 1e6)")
    add("--seeds", type=int, nargs="+", default=range(5), metavar="SEED", help="default: 0 1 2 3 4")
    data_dir = str(Path(user_config.DEFAULT_DATA_DIR) / "curves")
    add("--data_dir", default=data_dir, help="where runs are kept (default: %(default)s)")
    add("--device", default="cpu", help="cpu, cuda or auto (default: %(default)s)")
    add("--jobs", type=parse_value, help="runs that train side by side, or auto: one on each core")
    add("--retries", type=parse_value, help="how often to try again what crashed (default: 0; on Ray: 3)")
    add("--launcher", default="local", help="local, or ray for a Ray cluster (default: %(default)s)")
    add("--ray_address", help="of the cluster (default: the one of this machine, or this machine alone)")
    add("--cpus_per_run", type=parse_value, help="of the Ray cluster, for each run (default: 1)")
    add("--gpus_per_run", type=parse_value, help="of the Ray cluster, for each run (default: 0)")
    add("--commit", help="which commit trains (default: git knows)")
    return parser


SETTINGS = """
The settings are those of the published benchmark: networks (64, 32) with tanh on-policy and (256, 256) with relu
off-policy, epochs of 4000 steps on-policy and of 10,000, with ten test episodes at their ends, off-policy; all else at
our defaults. Classic control has our networks, epochs of 2000 steps off-policy, and the few settings that
bench/curves/settings.py lists. What is finished is skipped. More --steps go on with the runs there are, more --seeds
add to them."""


# ---- collect, draw ----


def collect_main(argv: list[str]) -> None:
    """Add the learning curves of run directories to CSV files, and what made them to JSON files beside these."""
    parser = ArgumentParser(prog=f"{PROGRAM} collect", description=collect_main.__doc__)
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="DIR", help="folders that hold runs, however deep")
    add(
        "--to", type=Path, default=RESULTS, metavar="CHECKPOINTS", help="where to write (default: bench/results/curves)"
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace collected runs by others of the same seeds, or of other settings",
    )
    add("--unfinished", action="store_true", help="take runs too that have not got all their epochs yet")
    args = parser.parse_args(argv)
    collect(args.sources, args.to, args.overwrite, args.unfinished)


def draw_main(argv: list[str]) -> None:
    """Draw figures and tables from the files that collect wrote, and from nothing else."""
    parser = ArgumentParser(prog=f"{PROGRAM} draw", description=draw_main.__doc__)
    add = parser.add_argument
    add("folder", nargs="?", type=Path, default=RESULTS, help="of the files (default: bench/results/curves)")
    add("--to", type=Path, metavar="CHECKPOINTS", help="where to write (default: the same folder)")
    args = parser.parse_args(argv)
    experiments, originals, to = read_experiments(args.folder), read_published(), args.to or args.folder
    text = page(experiments, originals, draw_figures(experiments, originals, to))
    write_atomically(to / "README.md", lambda part: part.write_bytes(text.encode()))
    print(f"Saved {to / 'README.md'}")


COMMANDS = {"run": run_main, "collect": collect_main, "draw": draw_main}

if __name__ == "__main__":
    exit_on_user_error(main)
