"""What the house asks of JAX, by the names that every backend has: saving, checkpoints, activations, recipes."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from spinup.algos.jax import core
from spinup.algos.jax.core import CLASSES, MLP, check_activation, identity
from spinup.errors import UserError, first_line
from spinup.records.agents import ForeignAgent, refuse_diverged
from spinup.records.recipe import Recipe, pair_of


def is_agent(x):
    """Whether ``x`` is an agent of this backend."""
    return CLASSES.get(type(x).__name__) is type(x)


def parameters_of(agent):
    """The arrays that ``agent`` learns, as NumPy's: anything done with JAX's would be compiled for each shape."""
    return [np.asarray(x) for x in jax.tree.leaves(agent)]


def activation_named(name):
    """The function that ``jax.nn`` calls ``name``, in any spelling (``leaky_relu``, ``LeakyReLU``), or None."""
    functions = {key.replace("_", ""): x for key, x in vars(jax.nn).items() if key[0] != "_" and callable(x)}
    return functions.get(name.replace("_", "").lower())


# ---- saving: a tree of classes, numbers and names of arrays as JSON, in the header of a file of arrays ----


def to_bytes(agent):
    """``agent`` in the format of safetensors, with a description of its classes from which it can be rebuilt."""
    arrays = {}
    description = _describe(agent, "agent", arrays)
    refuse_diverged(arrays.values())
    return safetensors.numpy.save(arrays, {"agent": json.dumps(description)})


def _describe(x, path, arrays):
    """``x`` as JSON can hold it; its arrays go into ``arrays``, by their paths."""
    if dataclasses.is_dataclass(x):
        fields = {f.name: _describe(getattr(x, f.name), f"{path}.{f.name}", arrays) for f in dataclasses.fields(x)}
        return {"class": type(x).__name__, **fields}
    if isinstance(x, tuple):
        return [_describe(item, f"{path}.{i}", arrays) for i, item in enumerate(x)]
    if callable(x):
        return x.__name__
    if isinstance(x, float):
        return x
    arrays[path] = np.asarray(x, order="C")
    return {"array": path}


def from_file(file, trust=False):
    """The agent that ``to_bytes`` wrote; runs nothing, as all it may be made of is in ``CLASSES`` and ``jax.nn``.

    Raises:
        ForeignAgent: if it is made of a class that is not in ``CLASSES``.
        UserError: if the file is damaged.
    """
    try:
        return _rebuild(file)
    except ForeignAgent:
        raise
    except Exception as error:  # where a file is damaged or made by others, anything may be missing or of another kind
        raise UserError(f"{str(file)!r} is no saved agent, or damaged ({first_line(error)}).") from error


def _rebuild(file):
    with safetensors.safe_open(file, "numpy") as arrays:

        def rebuild(x):
            if isinstance(x, list):
                return tuple(map(rebuild, x))
            if isinstance(x, str):
                return identity if x == "identity" else check_activation(getattr(jax.nn, x))
            if isinstance(x, dict):
                if "array" in x:
                    return jnp.asarray(arrays.get_tensor(x["array"]))
                if x["class"] not in CLASSES:
                    raise ForeignAgent(
                        f"{str(file)!r} is made of {x['class']!r}, a class that is not known here: import the module "
                        "that defines it first."
                    )
                return CLASSES[x["class"]](**{name: rebuild(part) for name, part in x.items() if name != "class"})
            return x

        return rebuild(json.loads(arrays.metadata()["agent"]))


# ---- checkpoints ----


def arrays_of(learner):
    """All that changes as ``learner`` learns: the leaves of its tree."""
    return [np.asarray(x) for x in jax.tree.leaves(learner)]


def with_arrays(learner, arrays):
    """``learner`` with what :func:`arrays_of` gave."""
    return jax.tree.unflatten(jax.tree.structure(learner), map(jnp.array, arrays))


# ---- recipes: from an agent, whose networks are instances of MLP, to what every backend can make it of ----


def recipe_of(agent):
    """The recipe of ``agent``."""
    pi = getattr(agent, "pi", None)
    nets = [part for part in jax.tree.leaves(agent, is_leaf=_is_net) if _is_net(part)]
    layers = [[(np.asarray(w), np.asarray(b)) for w, b in zip(net.weights, net.biases)] for net in nets]
    bounds, units = pair_of(pi, "low", "high"), pair_of(pi, "act_mid", "act_half")
    log_std = np.asarray(pi.log_std) if hasattr(pi, "log_std") else None
    return Recipe(type(agent).__name__, nets[0].activation.__name__, layers, bounds, units, log_std)


def agent_from(recipe):
    """An agent with the numbers of ``recipe``."""
    nets = iter(recipe.nets)

    def fill(part):
        if not _is_net(part):
            return jnp.array(recipe.log_std)
        weights, biases = zip(*next(nets))
        return part.replace(weights=tuple(map(jnp.array, weights)), biases=tuple(map(jnp.array, biases)))

    return jax.tree.map(fill, untrained_from(recipe), is_leaf=_is_net)


def untrained_from(recipe):
    """An agent of the class, sizes and activation of ``recipe``."""
    agent = getattr(core, recipe.name).create(*recipe.arguments, getattr(jax.nn, recipe.activation))
    if recipe.units:
        agent = agent.replace(pi=agent.pi.replace(act_mid=recipe.units[0], act_half=recipe.units[1]))
    return agent


def form_of(agent):
    """What all agents of the same recipe share."""
    return jax.tree.structure(agent), [x.shape for x in jax.tree.leaves(agent)]


def _is_net(part):
    return isinstance(part, MLP)
