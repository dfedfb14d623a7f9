"""Write a trained agent in the format of another backend: ``python -m spinup.run convert PATH --to jax``.

An agent is read into a :class:`Recipe`, from which every backend can make it. Nothing that a recipe leaves out gets
lost: an agent is converted only if its own backend would make the same one from the recipe.
"""

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from spinup.backends import import_backend
from spinup.errors import UserError
from spinup.records.agents import ForeignAgent, load, save_jax, save_pytorch, saved_models
from spinup.records.directory import find_run

_AGENTS = ("MLPActorCritic", "DQNAgent", "DDPGActorCritic", "TD3ActorCritic", "SACActorCritic")
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
    """What an agent is made from: the name of its class, of its activation in ``jax.nn``, its networks.

    And of its policy, where there are such: the lowest and the highest action (``bounds``), the middle of the action
    range and half its width (``units``), and the parameter ``log_std``.
    """

    name: str
    activation: str
    nets: list[Net]
    bounds: Pair | None
    units: Pair | None
    log_std: np.ndarray | None

    @property
    def arguments(self) -> tuple:
        """Observation space, action space and hidden sizes, which agents are constructed from."""
        *hidden_sizes, n_out = (len(biases) for _, biases in self.nets[0])
        action_space: spaces.Space = spaces.Box(-1, 1, (n_out,)) if self.units else spaces.Discrete(n_out)
        if self.bounds:
            low, high = map(np.array, self.bounds)
            action_space = spaces.Box(low, high, dtype=np.float64)
        return spaces.Box(-1, 1, (len(self.nets[0][0][0]),)), action_space, hidden_sizes


def convert(path: str | Path, to: str, overwrite: bool = False) -> Path:
    """Write the last agent of a run in the format of another backend, into the same directory.

    Args:
        path: output directory of a run.
        to: 'jax' or 'pytorch'.
        overwrite: replace the agent that the run already holds in that format.

    Returns:
        The file written.

    Raises:
        UserError: for a run or format that does not exist, an agent that is there already or has no equal in that
            format, or a framework that is not installed.
    """
    if to not in _BACKENDS:
        raise UserError(f"There is no format {to!r}: expected {' or '.join(_BACKENDS)}.")
    run = find_run(path)
    saved = saved_models(run)
    sources = [backend for backend in saved if backend != to]
    if not saved:
        raise UserError(f"{str(run)!r} holds no saved agent yet.")
    if to in saved and not (sources and overwrite):
        hint = "add --overwrite to replace it" if sources else "there is nothing to convert"
        raise UserError(f"{str(saved[to])!r} is there already: {hint}.")
    recipe = _read(saved[sources[0]], _BACKENDS[sources[0]]())
    target = _BACKENDS[to]()
    target.save(run, target.fill(target.make(recipe), recipe))
    return saved_models(run)[to]


def _read(file: Path, backend: Any) -> Recipe:
    """The recipe of the agent in ``file``; raises UserError for an agent that no recipe describes."""
    custom = UserError(
        f"{str(file)!r} cannot be converted: its agent is a custom one, and only those that the package's own "
        "actor_critic makes are known to every backend."
    )
    try:
        agent = load(file)
        recipe = backend.read(agent)
        _check_activation(recipe.activation, file)
        described = recipe.name in _AGENTS and backend.form(backend.make(recipe)) == backend.form(agent)
    except ForeignAgent:
        raise custom from None
    except UserError:
        raise
    except Exception as error:  # a custom agent may lack anything
        raise custom from error
    if not described:
        raise custom
    return recipe


def _check_activation(name: str, file: Path) -> None:
    if name not in ACTIVATIONS:
        raise UserError(
            f"{str(file)!r} cannot be converted: its activation {name} is not the same function in every backend, "
            f"as these are: {', '.join(ACTIVATIONS)}."
        )


# ---- backends: read an agent, make an untrained one, tell what all agents of a recipe share, and fill in its numbers


class PyTorch:
    """Agents that are modules, whose networks are instances of ``Sequential``."""

    def __init__(self) -> None:
        self.core = import_backend("pytorch", "core")
        self.linear = self.core.nn.Linear, self.core.TwinLinear

    def save(self, run: Path, agent: Any) -> None:
        """Write ``agent`` into the directory of a run."""
        save_pytorch(run, agent)

    def read(self, agent: Any) -> Recipe:
        """The recipe of ``agent``."""
        pi: Any = getattr(agent, "pi", None)
        bounds, units = _pair(pi, "act_low", "act_high"), _pair(pi, "act_mid", "act_half")
        log_std = pi.log_std.detach().numpy() if hasattr(pi, "log_std") else None
        return Recipe(type(agent).__name__, self._activation(agent), [*self._nets(agent)], bounds, units, log_std)

    def make(self, recipe: Recipe) -> Any:
        """An untrained agent."""
        return getattr(self.core, recipe.name)(*recipe.arguments, self._layer(recipe.activation))

    def form(self, agent: Any) -> Any:
        """What all agents of the same recipe share."""
        return repr(agent), [(name, x.shape) for name, x in agent.state_dict().items()]

    def fill(self, agent: Any, recipe: Recipe) -> Any:
        """``agent``, which ``make`` made, with the numbers of the recipe."""
        for net, values in zip(self._nets(agent), recipe.nets):
            for (w, b), (new_w, new_b) in zip(net, values):
                w[:], b[:] = new_w, new_b
        if recipe.units:
            agent.pi.act_mid.numpy()[:], agent.pi.act_half.numpy()[:] = recipe.units
        if recipe.log_std is not None:
            agent.pi.log_std.detach().numpy()[:] = recipe.log_std
        return agent

    def _nets(self, agent: Any) -> Iterator[Net]:
        """The networks of ``agent``, as arrays that share its memory; twin critics are two."""
        for stack in self._stacks(agent):
            layers = [self._arrays(layer) for layer in stack if isinstance(layer, self.linear)]
            for i in range(len(layers[0][0])):
                yield [(w[i], b[i]) for w, b in layers]

    def _arrays(self, layer: Any) -> tuple[np.ndarray, np.ndarray]:
        """Weights ``[N, n_in, n_out]`` and biases ``[N, n_out]`` of a layer of ``N`` networks."""
        w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        return (w, b[:, 0]) if isinstance(layer, self.core.TwinLinear) else (w.T[None], b[None])

    def _stacks(self, agent: Any) -> list[Any]:
        return [module for module in agent.modules() if isinstance(module, self.core.nn.Sequential)]

    def _layer(self, activation: str) -> Any:
        layer = getattr(self.core.nn, ACTIVATIONS[activation])
        return partial(layer, approximate="tanh") if activation == "gelu" else layer

    def _activation(self, agent: Any) -> str:
        """The name of the function in ``jax.nn`` or, if there is none, that of the layer."""
        names = {repr(self.core.activation_layer(self._layer(name))): name for name in ACTIVATIONS}
        between = self._stacks(agent)[0][1:-1:2]
        return names.get(repr(between[0]), repr(between[0])) if len(between) else "relu"  # it has no hidden layer


class Jax:
    """Agents that are trees, whose networks are instances of ``MLP``."""

    def __init__(self) -> None:
        self.core = import_backend("jax", "core")
        self.tree = self.core.jax.tree

    def save(self, run: Path, agent: Any) -> None:
        """Write ``agent`` into the directory of a run."""
        save_jax(run, lambda: agent)

    def read(self, agent: Any) -> Recipe:
        """The recipe of ``agent``."""
        pi: Any = getattr(agent, "pi", None)
        nets = [part for part in self.tree.leaves(agent, is_leaf=self._is_net) if self._is_net(part)]
        layers = [[(np.asarray(w), np.asarray(b)) for w, b in zip(net.weights, net.biases)] for net in nets]
        bounds, units = _pair(pi, "low", "high"), _pair(pi, "act_mid", "act_half")
        log_std = np.asarray(pi.log_std) if hasattr(pi, "log_std") else None
        return Recipe(type(agent).__name__, nets[0].activation.__name__, layers, bounds, units, log_std)

    def make(self, recipe: Recipe) -> Any:
        """An untrained agent."""
        activation = getattr(self.core.jax.nn, recipe.activation)
        agent = getattr(self.core, recipe.name).create(*recipe.arguments, activation)
        if recipe.units:
            agent = agent.replace(pi=dataclasses.replace(agent.pi, act_mid=recipe.units[0], act_half=recipe.units[1]))
        return agent

    def form(self, agent: Any) -> Any:
        """What all agents of the same recipe share."""
        return self.tree.structure(agent), [x.shape for x in self.tree.leaves(agent)]

    def fill(self, agent: Any, recipe: Recipe) -> Any:
        """``agent``, which ``make`` made, with the numbers of the recipe."""
        array, nets = self.core.jnp.array, iter(recipe.nets)

        def fill_part(part):
            if not self._is_net(part):
                return array(recipe.log_std)
            weights, biases = zip(*next(nets))
            return dataclasses.replace(part, weights=tuple(map(array, weights)), biases=tuple(map(array, biases)))

        return self.tree.map(fill_part, agent, is_leaf=self._is_net)

    def _is_net(self, part: Any) -> bool:
        return isinstance(part, self.core.MLP)


def _pair(actor: Any, *names: str) -> Pair | None:
    """Two attributes of an actor, which are numbers for each dimension of an action."""
    if not all(hasattr(actor, name) for name in names):
        return None
    first, second = (tuple(np.asarray(getattr(actor, name), np.float64).tolist()) for name in names)
    return first, second


_BACKENDS: dict[str, Any] = {"jax": Jax, "pytorch": PyTorch}
