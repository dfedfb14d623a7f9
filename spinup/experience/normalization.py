"""Observations and rewards divided by their running standard deviations, by Gymnasium's own wrappers.

    o <- (o - mean(o)) / sqrt(var(o) + 1e-8)         NormalizeObservation
    r <- r / sqrt(var(R) + 1e-8)                     NormalizeReward;  R <- gamma (1 - d) R + r after every step

Means and variances are those of all steps so far. Training updates them; a test uses them and leaves them as they are.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from gymnasium.wrappers.utils import RunningMeanStd

from spinup.experience.memory import layers_of


def normalize(copies: Sequence[gym.Env], obs: bool, reward: bool, gamma: float) -> list[gym.Env]:
    """``copies`` of an environment with normalised observations, rewards, or both; all share their statistics."""
    wrapped: list[gym.Env] = [NormalizeObservation(env) if obs else env for env in copies]
    wrapped = [NormalizeReward(env, gamma) if reward else env for env in wrapped]
    for env in wrapped:
        for layer, first in zip(layers_of(env)[: obs + reward], layers_of(wrapped[0])):
            _set_statistics(layer, _statistics(first))
    return wrapped


def statistics_of(copies: Sequence[gym.Env]) -> list[RunningMeanStd]:
    """The statistics of each normalising wrapper, the outermost first, over all ``copies`` of an environment."""
    return [_pooled([_statistics(layer) for layer in layers]) for layers in zip(*map(_normalisers_of, copies))]


def freeze(env: gym.Env, statistics: Iterable[RunningMeanStd]) -> None:
    """Let the normalising wrappers of ``env`` use these ``statistics``, from :func:`statistics_of`, as they are."""
    for layer, found in zip(_normalisers_of(env), statistics, strict=True):
        _set_statistics(layer, found)
        layer.update_running_mean = False


def obs_scale(env: gym.Env) -> tuple[np.ndarray, np.ndarray]:
    """The mean and standard deviation that the outermost NormalizeObservation of ``env`` normalises by at present."""
    layer = next(layer for layer in layers_of(env) if isinstance(layer, NormalizeObservation))
    return layer.obs_rms.mean.astype(np.float64), np.sqrt(layer.obs_rms.var.astype(np.float64) + layer.epsilon)


def unsaved_normaliser(env: gym.Env) -> str | None:
    """The class of a wrapper of ``env`` that seems to normalise by statistics of its own, unlike Gymnasium's."""
    for layer in layers_of(env)[:-1]:
        parts = [layer, *vars(layer).values()]
        names = " ".join(type(part).__name__ for part in parts).lower()
        if not type(layer).__module__.startswith("gymnasium.") and ("normali" in names or "runningmean" in names):
            return type(layer).__name__
    return None


def as_numbers(statistics: RunningMeanStd) -> dict[str, Any]:
    """``statistics`` in JSON types: ``mean``, ``var`` and ``count``."""
    return {key: np.asarray(getattr(statistics, key)).tolist() for key in ("mean", "var", "count")}


def from_numbers(numbers: dict[str, Any]) -> RunningMeanStd:
    """The inverse of :func:`as_numbers`."""
    statistics = RunningMeanStd()
    statistics.mean, statistics.var = np.array(numbers["mean"]), np.array(numbers["var"])
    statistics.count = numbers["count"]
    return statistics


def _pooled(parts: Sequence[RunningMeanStd]) -> RunningMeanStd:
    """The mean and variance of all that ``parts`` have seen; of one thing, where they are the same object."""
    if all(part is parts[0] for part in parts):
        return parts[0]
    whole = copy.copy(parts[0])
    for part in parts[1:]:
        whole.update_from_moments(part.mean, part.var, part.count)
    return whole


def _normalisers_of(env: gym.Env) -> list[Any]:
    return [layer for layer in layers_of(env) if isinstance(layer, NormalizeObservation | NormalizeReward)]


def _statistics(layer: Any) -> RunningMeanStd:
    return layer.obs_rms if isinstance(layer, NormalizeObservation) else layer.return_rms


def _set_statistics(layer: Any, statistics: RunningMeanStd) -> None:
    setattr(layer, "obs_rms" if isinstance(layer, NormalizeObservation) else "return_rms", statistics)
