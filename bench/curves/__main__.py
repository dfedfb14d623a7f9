"""Learning curves beside those of the original: train, collect, draw.

    python -m bench.curves run --algos ppo trpo vpg --steps 1e6 --seeds 0 1 2 3 4 --jobs auto
    python -m bench.curves collect data/curves
    python -m bench.curves draw

`run` trains what is missing: started again after a crash, or with more --steps or --seeds, it resumes.
`collect` turns run directories into CSV files, and `draw` makes figures and tables from those alone.
Each command has a --help.
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
from bench.curves.files import ALGOS, RESULTS, experiment_name, read_all_collected, read_published, unversioned
from bench.curves.settings import PUBLISHED_ENVS, VERSIONS, benchmark_settings, suits, versioned
from bench.curves.tables import markdown_page
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
    """Run one of the commands; raises :class:`UserError` if the arguments are invalid."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the experiments end too
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
    """Train the chosen algorithms in the chosen environments, except what is trained already."""
    args = _run_parser().parse_args(argv)
    if not isinstance(args.steps, int | float) or not 1 <= args.steps < math.inf:
        raise UserError(f"--steps {args.steps!r} is invalid: expected a number of environment steps, such as 1e6.")
    where = (args.jobs, args.retries, args.launcher, args.ray_address, args.cpus_per_run, args.gpus_per_run)
    launcher, commit = choose_launcher(*where), args.commit or describe_commit()
    chosen = [(algo, env) for algo in args.algos for env in args.envs if suits(algo, env)]
    if not chosen:
        raise UserError(f"{', '.join(args.algos)} cannot act in {', '.join(args.envs)}: dqn needs discrete actions.")
    # Seed by seed, so that an interrupted benchmark has the same seeds for all.
    experiments = [make_experiment(algo, env, seed, args) for seed in args.seeds for algo, env in chosen]
    report = partial(_report, experiments, args, commit)
    launch(experiments, launcher=launcher, report=report, here=args.launcher == "local")


def make_experiment(algo: str, env: str, seed: int, args: Namespace) -> Experiment:
    """One run of ``args.steps`` rounded up to whole epochs, or of as many epochs as it has already, if that is more."""
    env_name, settings = versioned(env), benchmark_settings(algo, env)
    name = experiment_name(env_name, algo, args.backend)
    logger_kwargs = setup_logger_kwargs(name, seed, args.data_dir)
    trained = last_epoch(logger_kwargs["output_dir"])
    epochs = max(math.ceil(args.steps / settings["steps_per_epoch"]), 0 if trained is None else trained + 1)
    kwargs = {"env_name": env_name, "seed": seed, "epochs": epochs, "device": args.device, "resume": True, **settings}
    thunk = getattr(spinup, f"{algo}_{args.backend}")
    return experiment_of(name, thunk, kwargs, logger_kwargs)


def _report(experiments: Sequence[Experiment], args: Namespace, commit: str) -> None:
    """Print how many runs there are to train, and record in the folder of each experiment what trains them."""
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
    """The machine that trains, and its GPU if it uses one; the machines of a Ray cluster are not known here."""
    if args.launcher == "ray":
        return {"cluster": "machines of a Ray cluster, not described", "device": args.device}
    return describe_machine() | describe_device(args.device, args.backend)


def _algo_and_env(experiment: Experiment) -> tuple[str, str]:
    return experiment.thunk.__name__, unversioned(experiment.config["env_name"])


def _command(algo: str, env: str, args: Namespace) -> str:
    """The command that trains this experiment alone, without flags that make no difference to the result."""
    words = [PROGRAM, "run", "--algos", algo, "--backend", args.backend, "--envs", env, "--steps", f"{args.steps:.0f}"]
    words += ["--seeds", *map(str, args.seeds)]
    for flag, value, default in (("--device", args.device, "cpu"), ("--launcher", args.launcher, "local")):
        words += [flag, value] if value != default else []
    return " ".join(words)


def _run_parser() -> ArgumentParser:
    parser = ArgumentParser(prog=f"{PROGRAM} run", description=f"{run_main.__doc__}\n{SETTINGS}")
    add, some = parser.add_argument, parser.add_names
    algos, envs = " ".join(ALGOS), " ".join(VERSIONS)
    some(
        "--algos",
        ALGOS,
        nargs="+",
        default=ALGOS,
        metavar="ALGO",
        help=f"some of: {algos} (default: all that suit)",
    )
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
    add("--data_dir", default=data_dir, help="where runs are saved (default: %(default)s)")
    add("--device", default="cpu", help="cpu, cuda or auto (default: %(default)s)")
    add("--jobs", type=parse_value, help="how many runs to train side by side, or auto: one for each core")
    add("--retries", type=parse_value, help="how often to restart a run that crashed (default: 0; on Ray: 3)")
    add("--launcher", default="local", help="local, or ray for a Ray cluster (default: %(default)s)")
    add("--ray_address", help="address of the cluster (default: this machine's, or this machine alone)")
    add("--cpus_per_run", type=parse_value, help="CPUs of the Ray cluster for each run (default: 1)")
    add("--gpus_per_run", type=parse_value, help="GPUs of the Ray cluster for each run (default: 0)")
    add("--commit", help="the commit that trains (default: what git reports)")
    return parser


SETTINGS = """
The settings are those of the published benchmark. On-policy: networks (64, 32) with tanh, epochs of 4000 steps.
Off-policy: networks (256, 256) with relu, epochs of 10,000 steps that end with ten test episodes. All else is at our
defaults. Classic control has our default networks, epochs of 2000 steps off-policy, and the few settings listed in
bench/curves/settings.py. Finished runs are skipped. More --steps resume the runs there are, more --seeds add runs."""


# ---- collect, draw ----


def collect_main(argv: list[str]) -> None:
    """Add the learning curves of run directories to CSV files, and what made them to JSON files beside them."""
    parser = ArgumentParser(prog=f"{PROGRAM} collect", description=collect_main.__doc__)
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="DIR", help="folders with runs at any depth")
    add("--to", type=Path, default=RESULTS, metavar="DIR", help="where to write (default: bench/results/curves)")
    add(
        "--overwrite",
        action="store_true",
        help="replace what was collected before from other runs of the same seeds, or with other settings",
    )
    add("--unfinished", action="store_true", help="also collect runs that lack epochs")
    args = parser.parse_args(argv)
    collect(args.sources, args.to, args.overwrite, args.unfinished)


def draw_main(argv: list[str]) -> None:
    """Draw figures and tables from the files that collect wrote, and from nothing else."""
    parser = ArgumentParser(prog=f"{PROGRAM} draw", description=draw_main.__doc__)
    add = parser.add_argument
    add("folder", nargs="?", type=Path, default=RESULTS, help="where collect wrote (default: bench/results/curves)")
    add("--to", type=Path, metavar="DIR", help="where to write (default: the same folder)")
    args = parser.parse_args(argv)
    collected, originals, to = read_all_collected(args.folder), read_published(), args.to or args.folder
    text = markdown_page(collected, originals, draw_figures(collected, originals, to))
    write_atomically(to / "README.md", lambda part: part.write_bytes(text.encode()))
    print(f"Saved {to / 'README.md'}")


COMMANDS = {"run": run_main, "collect": collect_main, "draw": draw_main}

if __name__ == "__main__":
    exit_on_user_error(main)
