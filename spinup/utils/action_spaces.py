"""Which actions an algorithm can take, and the units that its networks see them in; the same for every backend."""

from typing import TypeGuard

import numpy as np
from gymnasium import spaces

from spinup.utils.errors import UserError


def check_on_policy(space: spaces.Space) -> None:
    """Raise UserError unless VPG, TRPO and PPO can act in ``space``: Discrete, or a Box of one dimension."""
    if not isinstance(space, spaces.Discrete) and not _is_flat_box(space):
        raise UserError(
            f"The action space {space} cannot be used: VPG, TRPO and PPO need Discrete actions "
            "or a Box of one dimension; wrap the environment to offer one of them."
        )


def check_bounded(space: spaces.Space) -> None:
    """Raise UserError unless DDPG, TD3 and SAC can act in ``space``: a Box of one dimension, bounded."""
    if isinstance(space, spaces.Discrete):
        raise UserError(f"DDPG, TD3 and SAC need continuous actions, not {space}: try DQN or PPO.")
    if not _is_flat_box(space) or not space.is_bounded():
        raise UserError(
            f"The action space {space} cannot be used: DDPG, TD3 and SAC squash their actions into a Box of "
            "one dimension with finite bounds: wrap the environment to offer one, or use PPO if it has no bounds."
        )


def check_discrete(space: spaces.Space) -> None:
    """Raise UserError unless DQN can act in ``space``: Discrete."""
    if not isinstance(space, spaces.Discrete):
        raise UserError(f"DQN needs Discrete actions, not {space}: for a Box, try SAC.")


def _is_flat_box(space: spaces.Space) -> TypeGuard[spaces.Box]:
    return isinstance(space, spaces.Box) and len(space.shape) == 1


def action_units(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle of each dimension's range and half its width, float32; 0 and 1 where it is unbounded, or of no width.

    Args:
        low: bounds ``[act_dim]``.
        high: the same.
    """
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    zero, one = np.float32(0), np.float32(1)
    with np.errstate(over="ignore", invalid="ignore"):
        bounded = (low < high) & np.isfinite(high - low)  # bounds of +-3.4e38 mean none
        return np.where(bounded, (low + high) / 2, zero), np.where(bounded, (high - low) / 2, one)
