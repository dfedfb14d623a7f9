"""The action spaces that each algorithm supports, and the units of actions in networks; the same in every backend."""

from typing import TypeGuard

import numpy as np
from gymnasium import spaces

from spinup.errors import UserError


def check_on_policy(space: spaces.Space) -> None:
    """Raise UserError unless ``space`` suits VPG, TRPO and PPO: Discrete, or a one-dimensional Box of floats."""
    if not isinstance(space, spaces.Discrete) and not _is_flat_box(space):
        raise UserError(
            f"The action space {space} is invalid: VPG, TRPO and PPO need Discrete actions or a one-dimensional Box; "
            "wrap the environment to provide one of them."
        )
    _refuse_integers(space)


def check_bounded(space: spaces.Space) -> None:
    """Raise UserError unless ``space`` suits DDPG, TD3 and SAC: a bounded, one-dimensional Box of floats."""
    if isinstance(space, spaces.Discrete):
        raise UserError(f"DDPG, TD3 and SAC need continuous actions, not {space}: try DQN or PPO.")
    if not _is_flat_box(space) or not _is_bounded(space):
        raise UserError(
            f"The action space {space} is invalid: DDPG, TD3 and SAC squash actions into a Box of one "
            "dimension with finite bounds; wrap the environment to provide one, or use PPO if actions are unbounded."
        )
    _refuse_integers(space)


def check_discrete(space: spaces.Space) -> None:
    """Raise UserError unless ``space`` suits DQN: Discrete."""
    if not isinstance(space, spaces.Discrete):
        raise UserError(f"DQN needs Discrete actions, not {space}: for a Box, try SAC.")


def _is_flat_box(space: spaces.Space) -> TypeGuard[spaces.Box]:
    return isinstance(space, spaces.Box) and len(space.shape) == 1 and space.shape[0] > 0


def _refuse_integers(space: spaces.Space) -> None:
    if isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating):
        raise UserError(
            f"The action space {space} is invalid: policies act in a Box of floats; wrap the environment to take "
            "a Box of float32 and round the actions, or to provide Discrete actions."
        )


def _is_bounded(space: spaces.Box) -> bool:
    """Whether the range of every dimension is finite in float32; bounds of +-3.4e38 mean none."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(space.high.astype(np.float32) - space.low.astype(np.float32)).all())


def action_units(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle and half the width of each dimension's range, float32; 0 and 1 if it is unbounded or of width 0.

    Args:
        low: bounds ``[act_dim]``.
        high: the same.
    """
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    zero, one = np.float32(0), np.float32(1)
    with np.errstate(over="ignore", invalid="ignore"):
        bounded = (low < high) & np.isfinite(high - low)  # bounds of +-3.4e38 mean none
        return np.where(bounded, (low + high) / 2, zero), np.where(bounded, (high - low) / 2, one)
