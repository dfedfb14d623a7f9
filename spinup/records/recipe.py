"""Conversion of a trained agent to the format of another backend.

An agent is read into a :class:`Recipe`, from which every backend can build it. Nothing is lost: an agent is converted
only if its own backend would build the same one from the recipe.
"""

from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from spinup.backends import algorithms, import_backend
from spinup.errors import UserError, setting
from spinup.records.agents import ForeignAgent, load, save_agent, saved_models
from spinup.records.directory import find_run

ACTIVATIONS = {  # functions of jax.nn, and the classes of torch.nn that compute the same
    "relu": "ReLU",
    "tanh": "Tanh",
    "elu": "ELU",
    "celu": "CELU",
    "selu": "SELU",
    "gelu": "GELU",  # the approximate one
    "silu": "SiLU",
    "mish": "Mish",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "sigmoid": "Sigmoid",
    "log_sigmoid": "LogSigmoid",
    "softplus": "Softplus",
    "soft_sign": "Softsign",
    "hard_tanh": "Hardtanh",
    "hard_sigmoid": "Hardsigmoid",
    "hard_silu": "Hardswish",
}

Net = list[tuple[np.ndarray, np.ndarray]]  # weights [n_in, n_out] and biases [n_out] of each layer
Pair = tuple[tuple[float, ...], tuple[float, ...]]  # two numbers for each dimension of an action


class Recipe(NamedTuple):
    """The description of an agent: the name of its class, its activation's name in ``jax.nn``, and its networks.

    The rest describes its policy, where applicable: the lowest and highest action (``bounds``), the middle and half the
    width of the action range (``units``), and the parameter ``log_std``.
    """

    name: str
    activation: str
    nets: list[Net]
    bounds: Pair | None
    units: Pair | None
    log_std: np.ndarray | None

    @property
    def arguments(self) -> tuple:
        """The constructor arguments of an agent: observation space, action space and hidden sizes."""
        *hidden_sizes, n_out = (len(biases) for _, biases in self.nets[0])
        action_space: spaces.Space = spaces.Box(-1, 1, (n_out,)) if self.units else spaces.Discrete(n_out)
        if self.bounds:
            low, high = map(np.array, self.bounds)
            action_space = spaces.Box(low, high, dtype=np.float64)
        return spaces.Box(-1, 1, (len(self.nets[0][0][0]),)), action_space, hidden_sizes


def convert(path: str | Path, to: str, overwrite: bool = False) -> Path:
    """Write the latest agent of a run in the format of another backend, to the same directory.

    Args:
        path: output directory of a run.
        to: 'jax' or 'pytorch'.
        overwrite: replace the agent that the run already holds in that format.

    Returns:
        The file written.

    Raises:
        UserError: for an unknown run or format, an agent that already exists or cannot be expressed in that format, or
            a framework that is not installed.
    """
    if to not in algorithms():
        raise UserError(f"There is no format {to!r}: expected {' or '.join(sorted(algorithms()))}.")
    run = find_run(path)
    saved = saved_models(run)
    sources = [backend for backend in saved if backend != to]
    if not saved:
        raise UserError(f"{str(run)!r} holds no saved agent yet.")
    if to in saved and not (sources and overwrite):
        hint = f"add {setting('--overwrite')} to replace it" if sources else "there is nothing to convert"
        raise UserError(f"{str(saved[to])!r} already exists: {hint}.")
    recipe = read_recipe(saved[sources[0]], import_backend(sources[0], "backend"))
    save_agent(run, to, import_backend(to, "backend").agent_from(recipe))
    return saved_models(run)[to]


def read_recipe(file: Path, backend: ModuleType) -> Recipe:
    """The recipe of the agent in ``file``; raises UserError if no recipe describes it."""
    try:
        return describe(load(file), backend)
    except NoRecipe as error:
        raise UserError(f"{str(file)!r} cannot be converted: {error}") from error
    except ForeignAgent:
        raise UserError(f"{str(file)!r} cannot be converted: {_CUSTOM}") from None


class NoRecipe(UserError):
    """No recipe describes an agent."""


_CUSTOM = "its agent is a custom one, and only spinup's own agents exist in every backend."


def describe(agent: Any, backend: ModuleType) -> Recipe:
    """The recipe of ``agent``, from which every backend can build the same one.

    Raises:
        NoRecipe: if there is none.
    """
    try:
        recipe = backend.recipe_of(agent)
        described = recipe.activation not in ACTIVATIONS or (
            backend.form_of(backend.untrained_from(recipe)) == backend.form_of(agent)
        )
    except Exception as error:  # a custom agent may lack anything
        raise NoRecipe(_CUSTOM) from error
    if recipe.activation not in ACTIVATIONS:
        raise NoRecipe(
            f"its activation {recipe.activation} is not the same function in every backend; "
            f"expected one of {', '.join(ACTIVATIONS)}."
        )
    if not described:
        raise NoRecipe(_CUSTOM)
    return recipe


def with_normalized_inputs(recipe: Recipe, mean: np.ndarray, std: np.ndarray) -> Recipe:
    """The recipe of an agent that computes for ``o`` what that of ``recipe`` does for ``(o - mean) / std``.

    Both are linear in the observation, so the first layer of each network can do it:
    ``W (o - mean) / std + b = (W / std) o + (b - (W / std) mean)``.
    """
    return recipe._replace(nets=[_with_normalized_inputs(net, mean, std) for net in recipe.nets])


def _with_normalized_inputs(net: Net, mean: np.ndarray, std: np.ndarray) -> Net:
    (w, b), *others = net
    w = w.astype(np.float64)
    w[: len(std)] /= std[:, None]  # the other inputs are actions
    return [(w.astype(np.float32), (b - mean @ w[: len(std)]).astype(np.float32)), *others]


def pair_of(actor: Any, *names: str) -> Pair | None:
    """Two attributes of ``actor`` with one number for each dimension of an action; None if either is missing."""
    if not all(hasattr(actor, name) for name in names):
        return None
    first, second = (tuple(np.asarray(getattr(actor, name), np.float64).tolist()) for name in names)
    return first, second
