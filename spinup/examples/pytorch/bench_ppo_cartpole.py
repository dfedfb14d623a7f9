"""How do network size and activation affect PPO on CartPole? A grid of 4 experiments, each with several seeds.

``python -m spinup.examples.pytorch.bench_ppo_cartpole`` runs it, ``python -m spinup.run plot data/ppo-pyt-bench`` shows
the answer.
"""

import argparse

import torch

from spinup import ExperimentGrid, ppo_pytorch


def main(argv: list[str] | None = None) -> None:
    """Run the grid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", type=int, default=1, help="processes an experiment (default: %(default)s)")
    parser.add_argument("--num_runs", type=int, default=3, help="seeds of each experiment (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of 4000 steps (default: %(default)s)")
    parser.add_argument("--data_dir", help="where to save (default: data)")
    args = parser.parse_args(argv)

    grid = ExperimentGrid(name="ppo-pyt-bench")
    grid.add("env_name", "CartPole-v1", "", True)
    grid.add("seed", [10 * i for i in range(args.num_runs)])
    grid.add("epochs", args.epochs)
    grid.add("ac_kwargs:hidden_sizes", [(32,), (64, 64)], "hid")
    grid.add("ac_kwargs:activation", [torch.nn.Tanh, torch.nn.ReLU], "")
    grid.run(ppo_pytorch, num_cpu=args.cpu, data_dir=args.data_dir)


if __name__ == "__main__":
    main()
