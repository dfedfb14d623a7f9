"""Random numbers from one seed: everything that an environment may draw from is seeded."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gymnasium as gym
import numpy as np

from spinup.experience.memory import layers_of


def spread(seed: int | Sequence[int], count: int) -> list[int]:
    """Seeds of ``count`` independent random streams."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count)]


def seed_globals(seed: int) -> None:
    """Seed the generators that are one for the whole process: those of NumPy and of Python's ``random``."""
    np.random.seed(seed)
    random.seed(int(seed))  # which refuses NumPy's integers


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Let these generators continue after the block as if nothing had been drawn in it."""
    numpy, python = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(numpy)
        random.setstate(python)


def seed_env(env: gym.Env, seed: int) -> None:
    """Seed what ``env`` and all that it wraps may draw from but that ``reset(seed=seed)`` leaves alone.

    These are its spaces, and the generator ``np_random`` if its ``reset`` does not pass the seed on to it.
    """
    drawn_from = {
        id(space): space for layer in layers_of(env) for space in (layer.observation_space, layer.action_space)
    }
    for space, its_seed in zip(drawn_from.values(), spread(seed, len(drawn_from)), strict=True):
        space.seed(its_seed)
    if isinstance(vars(env.unwrapped).get("_np_random"), _Generator | None):
        env.unwrapped.np_random = _Generator(np.random.PCG64(seed))


class _Generator(np.random.Generator):
    """The ``np_random`` of an environment that neither makes one nor seeds it, so that it would differ in every run."""
