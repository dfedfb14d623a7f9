"""Exercise 2.2: a silent bug in DDPG.

    python -m spinup.exercises.pytorch.problem_set_2.exercise2_2 [--jobs auto]

trains DDPG on HalfCheetah-v5 six times: three seeds with spinup's own networks, and three with the bugged networks
below. ``spinup plot data/ex2-2`` then draws the learning curves. An interrupted exercise resumes when run again.

The bug causes no error and no warning. Without looking into core.py: what is wrong with the bugged networks, and how
does it affect the equations of ddpg.py? Would some choice of hyperparameters have hidden it?
"""

import sys

from spinup.algos.pytorch import core
from spinup.algos.pytorch.ddpg import ddpg
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.commands.values import parse_value
from spinup.experiments.grid import ExperimentGrid


class BuggedMLPQFunction(core.MLPQFunction):
    """Q(o, a), with a bug."""

    def forward(self, obs, act):
        """Values for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return self.q(self.join(obs, act))


class BuggedDDPGActorCritic(core.DDPGActorCritic):
    """DDPG's policy and action-value function, with the bug."""

    unchecked = ("q",)  # training checks what an agent returns, and would refuse this one before it could be studied

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=core.nn.ReLU):
        super().__init__(observation_space, action_space, hidden_sizes, activation)
        self.q = BuggedMLPQFunction(observation_space.shape[0], action_space, hidden_sizes, activation)


def main(argv: list[str] | None = None) -> None:
    """Train with and without the bug."""
    parser = ArgumentParser(prog="python -m spinup.exercises.pytorch.problem_set_2.exercise2_2", description=__doc__)
    parser.add_argument("--env", default="HalfCheetah-v5", help="environment (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=25, help="epochs of 4000 steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 10, 20], help="random seeds (default: 0 10 20)")
    parser.add_argument("--jobs", type=parse_value, help="number of runs in parallel, or auto")
    parser.add_argument("--data_dir", help="parent directory of the results (default: data)")
    args = parser.parse_args(argv)

    grid = ExperimentGrid("ex2-2")
    grid.add("actor_critic", [core.DDPGActorCritic, BuggedDDPGActorCritic], "", True)
    grid.add("seed", args.seed)
    grid.add("env_name", args.env)
    grid.add("epochs", args.epochs)
    grid.add("resume", True)
    grid.run(ddpg, data_dir=args.data_dir, jobs=args.jobs)


if __name__ == "__main__":
    exit_on_user_error(main, sys.argv[1:])
