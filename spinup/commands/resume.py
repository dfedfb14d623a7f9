"""``spinup resume PATH...``: continue interrupted runs from their last checkpoints."""

from pathlib import Path
from typing import Any

from spinup.commands.arguments import ArgumentParser
from spinup.commands.values import parse_value
from spinup.errors import UserError, command
from spinup.experiments.experiment import Experiment, experiment_of
from spinup.experiments.launch import choose_launcher, launch
from spinup.records.config import algorithm_name, read_call, read_config
from spinup.records.console import say
from spinup.records.directory import CHECKPOINTS, is_finished


def main(argv: list[str]) -> None:
    """Resume every unfinished run in the paths in ``argv``."""
    parser = ArgumentParser(
        prog=command("resume"), description="Continue interrupted runs from their last checkpoints."
    )
    add = parser.add_argument
    parser.add_path("paths", nargs="+", metavar="PATH", help="output directory of a run, or a folder of runs")
    add("--epochs", type=int, help="epochs to train in total (default: those of the run's config.json)")
    add("--jobs", type=parse_value, help="runs to train in parallel, or auto: one on each core")
    add("--retries", type=parse_value, default=0, help="number of retries after a crash (default: %(default)s)")
    add(
        "--trust",
        action="store_true",
        help="allow code from outside the package (environments, networks), and symbolic links",
    )
    args = parser.parse_args(argv)
    if args.epochs is not None and args.epochs < 1:
        raise UserError(f"--epochs {args.epochs} is invalid: expected an integer >= 1.")
    launcher = choose_launcher(args.jobs, args.retries)
    runs = {run: _is_finished(run, args.epochs) for path in args.paths for run in runs_in(Path(path))}
    experiments = [continuation_of(run, args.epochs, args.trust) for run, finished in runs.items() if not finished]
    for run, finished in runs.items():
        if finished:
            say(f"{run} has finished already: skipped.")
    if experiments:
        launch(experiments, launcher=launcher)


def runs_in(path: Path) -> list[Path]:
    """``path`` if it is a run, else the runs of algorithms below it; raises UserError if there are none."""
    if (path / "config.json").is_file():
        return [path]
    runs = []
    for file in sorted(path.rglob("config.json")):
        try:
            algorithm_name(file.parent, read_config(file.parent))
            runs.append(file.parent)
        except UserError as error:  # of a custom loop, or of another program
            say(f"skipped: {error}")
    if not runs:
        what = "holds no run" if path.is_dir() else "does not exist" if not path.exists() else "is a file"
        raise UserError(f"{str(path)!r} {what}: give the output directory of a run, which holds its config.json.")
    return runs


def _is_finished(run: Path, epochs: int | None) -> bool:
    """Whether ``run`` has all ``epochs`` (None: all of its configuration), so that nothing else of it need be read."""
    configured = read_config(run).get("epochs")
    return isinstance(configured, int) and epochs in (None, configured) and is_finished(run, configured)


def continuation_of(run: Path, epochs: int | None, trust: bool) -> Experiment:
    """The experiment that continues ``run``."""
    algorithm, kwargs, env = read_call(run, trust)
    kwargs |= env | {"resume": True} | ({} if epochs is None else {"epochs": epochs})
    config = read_config(run)
    logged = config.get("logger_kwargs") or {}
    logger_kwargs = {key: logged[key] for key in ("exp_name", "output_fname", "track") if key in logged}
    if not trust:
        _refuse_outside_files(run, logger_kwargs.get("output_fname", "progress.txt"))
    exp_name = logger_kwargs.get("exp_name", run.name)
    return experiment_of(
        exp_name, algorithm, kwargs, logger_kwargs | {"output_dir": str(run)}, config.get("num_cpu", 1)
    )


def _refuse_outside_files(run: Path, log: Any) -> None:
    """Refuse to resume a stranger's run if that could write or delete files outside its directory."""
    if not isinstance(log, str) or (run / log).resolve().parent != run.resolve():
        raise UserError(
            f"{str(run / 'config.json')!r} names {log!r} for the run's log, which is not a file in its directory: "
            "add --trust if the run is yours."
        )
    for file in [*run.iterdir(), *(run / CHECKPOINTS).glob("*")]:
        if file.is_symlink():
            raise UserError(
                f"{str(file)!r} is a link, so that a resumed run could write or delete files elsewhere: "
                "add --trust if the run is yours."
            )
