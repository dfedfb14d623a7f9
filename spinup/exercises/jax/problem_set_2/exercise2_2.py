"""Exercise 2.2: a silent bug in DDPG.

    python -m spinup.exercises.jax.problem_set_2.exercise2_2 [--jobs auto]

trains DDPG on HalfCheetah-v5 six times: three seeds with spinup's own networks, and three with the bugged networks
below. ``spinup plot data/ex2-2`` then draws the learning curves. An interrupted exercise resumes when run again.

The bug causes no error and no warning. Without looking into core.py: what is wrong with the bugged networks, and how
does it affect the equations of ddpg.py? Repair ``BuggedMLPQFunction``, then check it with ``spinup exercise 2.2``.

    y    = r + gamma (1 - d) Q_targ(o2, mu_targ(o2))                 (1) target
    L_Q  = E[(Q(o, a) - y)^2]                                        (2) critic loss
"""

import importlib
import sys
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from spinup.algos.jax import core
from spinup.commands.arguments import exit_on_user_error
from spinup.exercises.comparison import compare


@core.pytree("act_mid", "act_half")
class BuggedMLPQFunction(core.MLPQFunction):
    """Q(o, a), with a bug."""

    def __call__(self, obs, act):
        """Values for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        x = jnp.concatenate([obs, (act - np.float32(self.act_mid)) / np.float32(self.act_half)], -1)
        return self.net(x)


@core.pytree()
class BuggedDDPGActorCritic(core.DDPGActorCritic):
    """DDPG's policy and action-value function, with the bug."""

    unchecked: ClassVar = ("q",)  # training checks what an agent returns, and would refuse this one

    @classmethod
    def create(cls, observation_space, action_space, hidden_sizes=(256, 256), activation=jax.nn.relu):
        """New networks."""
        shape = (observation_space.shape[0], action_space, hidden_sizes, activation)
        return cls(core.MLPActor.create(*shape), BuggedMLPQFunction.create(*shape))


def plain(observation_space, action_space, **ac_kwargs):
    """An agent without the bug."""
    return core.DDPGActorCritic.create(observation_space, action_space, **ac_kwargs)


def bugged(observation_space, action_space, **ac_kwargs):
    """An agent with the bug."""
    return BuggedDDPGActorCritic.create(observation_space, action_space, **ac_kwargs)


def main(argv: list[str] | None = None) -> None:
    """Train with and without the bug."""
    compare(argv, "jax", [plain, bugged], __doc__)


if __name__ == "__main__":  # the processes of the experiments import the classes, so that JAX gets to know them
    sys.path.insert(0, str(Path(__file__).parent))
    exit_on_user_error(importlib.import_module(Path(__file__).stem).main, sys.argv[1:])
