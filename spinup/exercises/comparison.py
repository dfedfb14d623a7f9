"""Training DDPG with two agents, to compare them."""

from collections.abc import Callable, Sequence

from spinup.backends import import_backend
from spinup.commands.arguments import ArgumentParser
from spinup.commands.values import parse_value
from spinup.experiments.grid import ExperimentGrid


def compare(argv: list[str] | None, backend: str, agents: Sequence[Callable], description: str) -> None:
    """Train each of ``agents`` with three seeds, by the flags in ``argv``."""
    module = f"spinup.exercises.{backend}.problem_set_2.exercise2_2"
    parser = ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--env", default="HalfCheetah-v5", help="environment (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=25, help="epochs of 4000 steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 10, 20], help="random seeds (default: 0 10 20)")
    parser.add_argument("--jobs", type=parse_value, help="number of runs in parallel, or auto")
    parser.add_argument("--data_dir", help="parent directory of the results (default: data)")
    args = parser.parse_args(argv)

    grid = ExperimentGrid("ex2-2")
    grid.add("actor_critic", agents, "", True)
    grid.add("seed", args.seed)
    grid.add("env_name", args.env)
    grid.add("epochs", args.epochs)
    grid.add("resume", True)
    grid.run(import_backend(backend, "ddpg").ddpg, data_dir=args.data_dir, jobs=args.jobs)
