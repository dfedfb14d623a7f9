"""How do network size and activation affect PPO on CartPole? A grid of 4 experiments, each with several seeds.

Run it with ``python -m spinup.examples.jax.bench_ppo_cartpole``, and plot the results with
``spinup plot data/ppo-jax-bench``.
"""

import sys

import jax

from spinup import ExperimentGrid, ppo_jax
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.errors import UserError


def main(argv: list[str] | None = None) -> None:
    """Run the grid."""
    parser = ArgumentParser(prog="python -m spinup.examples.jax.bench_ppo_cartpole", description=__doc__)
    parser.add_argument("--num_runs", type=int, default=3, help="seeds per experiment (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of 4000 steps (default: %(default)s)")
    parser.add_argument("--data_dir", help="parent directory of the results (default: data)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing runs")
    parser.add_argument("--resume", action="store_true", help="continue existing runs")
    args = parser.parse_args(argv)
    if args.num_runs < 1:
        raise UserError(f"--num_runs {args.num_runs} is invalid: expected an integer >= 1.")

    grid = ExperimentGrid(name="ppo-jax-bench")
    grid.add("env_name", "CartPole-v1", "", True)
    grid.add("seed", [10 * i for i in range(args.num_runs)])
    grid.add("epochs", args.epochs)
    grid.add("steps_per_epoch", 4000)
    grid.add("ac_kwargs:hidden_sizes", [(32,), (64, 64)], "hid")
    grid.add("ac_kwargs:activation", [jax.nn.tanh, jax.nn.relu], "")
    grid.add("resume", args.resume)
    grid.run(ppo_jax, data_dir=args.data_dir, overwrite=args.overwrite)


if __name__ == "__main__":
    exit_on_user_error(main, sys.argv[1:])
