"""Exercise 2.2: a silent bug in DDPG.

    python -m spinup.exercises.pytorch.problem_set_2.exercise2_2 [--jobs auto]

trains DDPG on HalfCheetah-v5 six times: three seeds with spinup's own networks, and three with the bugged networks
below. ``spinup plot data/ex2-2`` then draws the learning curves. An interrupted exercise resumes when run again.

The bug causes no error and no warning. Without looking into core.py: what is wrong with the bugged networks, and how
does it affect the equations of ddpg.py? Repair ``BuggedMLPQFunction``, then check it with ``spinup exercise 2.2``.

    y    = r + gamma (1 - d) Q_targ(o2, mu_targ(o2))                 (1) target
    L_Q  = E[(Q(o, a) - y)^2]                                        (2) critic loss
"""

import sys

import torch

from spinup.algos.pytorch import core
from spinup.commands.arguments import exit_on_user_error
from spinup.exercises.comparison import compare


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
    compare(argv, "pytorch", [core.DDPGActorCritic, BuggedDDPGActorCritic], __doc__)


if __name__ == "__main__":
    exit_on_user_error(main, sys.argv[1:])
