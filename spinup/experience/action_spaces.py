"""Which actions an algorithm can take, and the units that its networks see them in; the same for every backend."""

from typing import TypeGuard

import numpy as np
from gymnasium import spaces

from spinup.errors import UserError


def check_on_policy(space: spaces.Space) -> None:
    """Raise UserError unless VPG, TRPO and PPO can act in ``space``: Discrete, or a Box of one dimension, of floats."""
    if not isinstance(space, spaces.Discrete) and not _is_flat_box(space):
        raise UserError(
            f"The action space {space} cannot be used: VPG, TRPO and PPO need Discrete actions "
            "or a Box of one dimension; wrap the environment to offer one of them."
        )
    _refuse_integers(space)


def check_bounded(space: spaces.Space) -> None:
    """Raise UserError unless DDPG, TD3 and SAC can act in ``space``: a bounded Box of one dimension, of floats."""
    if isinstance(space, spaces.Discrete):
        raise UserError(f"DDPG, TD3 and SAC need continuous actions, not {space}: try DQN or PPO.")
    if not _is_flat_box(space) or not _is_bounded(space):
        raise UserError(
            f"The action space {space} cannot be used: DDPG, TD3 and SAC squash their actions into a Box of "
            "one dimension with finite bounds: wrap the environment to offer one, or use PPO if it has no bounds."
        )
    _refuse_integers(space)


def check_discrete(space: spaces.Space) -> None:
    """Raise UserError unless DQN can act in ``space``: Discrete."""
    if not isinstance(space, spaces.Discrete):
        raise UserError(f"DQN needs Discrete actions, not {space}: for a Box, try SAC.")


def _is_flat_box(space: spaces.Space) -> TypeGuard[spaces.Box]:
    return isinstance(space, spaces.Box) and len(space.shape) == 1


def _refuse_integers(space: spaces.Space) -> None:
    if isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating):
        raise UserError(
            f"The action space {space} cannot be used: a Box must be of floats, as a policy's actions are; wrap the "
            "environment to take a Box of float32 and round what it is given, or to offer Discrete actions."
        )


def _is_bounded(space: spaces.Box) -> bool:
    """Whether float32 can say how far the bounds are from each other; those of +-3.4e38 mean none."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(space.high.astype(np.float32) - space.low.astype(np.float32)).all())


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
