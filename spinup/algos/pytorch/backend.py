"""What the house asks of PyTorch, by the names that every backend has: saving, checkpoints, activations, recipes."""

import copy
import io
import pickletools
import re
import zipfile
from functools import partial

import cloudpickle  # keeps the code of classes that a user's script defines, which nothing could import later
import numpy as np
import torch
from torch import nn

from spinup.algos.pytorch import core
from spinup.algos.pytorch.training import Adam
from spinup.errors import UserError, first_line, setting
from spinup.records.agents import ForeignAgent, refuse_diverged
from spinup.records.recipe import ACTIVATIONS, Recipe, pair_of

check_activation = core.activation_layer


def is_agent(x):
    """Whether ``x`` is an agent of this backend."""
    return isinstance(x, nn.Module)


def parameters_of(agent):
    """The tensors that ``agent`` learns."""
    return agent.parameters()


def activation_named(name):
    """The activation that ``torch.nn`` calls ``name``, in any spelling (``LeakyReLU``, ``leaky_relu``), or None."""
    layers = {key.lower(): x for key, x in vars(nn).items() if isinstance(x, type) and issubclass(x, nn.Module)}
    return layers.get(name.replace("_", "").lower())


# ---- saving ----


def to_bytes(agent):
    """``agent`` as ``torch.save`` writes it, on the CPU wherever it trains.

    Raises:
        UserError: if parameters of it are not finite.
    """
    if is_agent(agent):
        refuse_diverged(parameters_of(agent))
        agent = _on_cpu(agent)
    data = io.BytesIO()  # given a file's name, torch.save() would write it into the file
    torch.save(agent, data, pickle_module=cloudpickle)
    return data.getvalue()


def _on_cpu(agent):
    on_cpu = all(p.device.type == "cpu" for p in agent.parameters())
    return agent if on_cpu else copy.deepcopy(agent).cpu()


def from_file(file, trust=False):
    """The agent in ``file``; unless ``trust``, it may be made of nothing but the classes of ``core`` and activations.

    Raises:
        ForeignAgent: if it is made of other classes.
        UserError: if the file is damaged.
    """
    try:
        agent = torch.load(file, map_location="cpu", weights_only=not trust)
        return agent.eval() if is_agent(agent) else agent
    except Exception as error:  # where a file is damaged, unpickling may raise anything
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign and not trust:
            raise ForeignAgent(
                f"The agent {str(file)!r} is made of {_class_of_script(file) or foreign[1]}, which is not part of this "
                f"package and would run code when loaded: add {setting('--trust')} if the run is your own."
            ) from error
        missing = f", or needs code that is not here ({first_line(error)})" if trust else ""
        raise UserError(f"{str(file)!r} is no saved agent, or damaged{missing}.") from error


def _class_of_script(file):
    """The class in ``file`` that is saved with its code, as one of the user's script is; None if there is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            (pickled,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
            steps = [(step.name, value) for step, value, _ in pickletools.genops(archive.read(pickled))]
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    start = next((i for i, (_, value) in enumerate(steps) if str(value).endswith(" _make_skeleton_class")), len(steps))
    names = (value for step, value in steps[start:] if step == "BINUNICODE")  # the first of which is the class's
    return next((f"the class {name} of a script" for name in names), None)


# ---- checkpoints ----


def arrays_of(learner):
    """All that changes as ``learner`` learns: the states of PyTorch's random numbers (CPU, GPUs), and its tensors."""
    return [t.detach().cpu().numpy() for t in [torch.get_rng_state(), *_gpu_states(), *_tensors_of(learner)]]


@torch.no_grad()
def with_arrays(learner, arrays):
    """``learner``, set in place to what :func:`arrays_of` gave."""
    tensors = _tensors_of(learner)
    number = len(arrays) - len(tensors)
    cpu_state, *gpu_states = map(torch.from_numpy, arrays[:number])
    torch.set_rng_state(cpu_state)
    if len(gpu_states) == len(_gpu_states()):  # else the run continues with other GPUs, or without
        torch.cuda.set_rng_state_all(gpu_states)
    for tensor, saved in zip(tensors, arrays[number:], strict=True):
        tensor.copy_(torch.from_numpy(saved))
    return learner


def _tensors_of(part):
    """Every tensor of a module, an optimiser, or a tuple of such; None has none."""
    if part is None:
        return []
    if isinstance(part, tuple):
        return [tensor for item in part for tensor in _tensors_of(item)]
    if isinstance(part, Adam):
        return [*part.m, *part.v, *part.steps]
    return [part] if isinstance(part, torch.Tensor) else list(core.module_of(part).state_dict().values())


def _gpu_states():
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


# ---- recipes: from an agent, whose networks are instances of Sequential, to what every backend can make it of ----


def recipe_of(agent):
    """The recipe of ``agent``."""
    agent = _on_cpu(agent)
    pi = getattr(agent, "pi", None)
    bounds, units = pair_of(pi, "act_low", "act_high"), pair_of(pi, "act_mid", "act_half")
    log_std = pi.log_std.detach().numpy() if hasattr(pi, "log_std") else None
    return Recipe(type(agent).__name__, _activation_of(agent), [*_nets_of(agent)], bounds, units, log_std)


def agent_from(recipe):
    """An agent with the numbers of ``recipe``."""
    agent = untrained_from(recipe)
    for net, values in zip(_nets_of(agent), recipe.nets):
        for (w, b), (new_w, new_b) in zip(net, values):
            w[:], b[:] = new_w, new_b
    if recipe.units:
        agent.pi.act_mid.numpy()[:], agent.pi.act_half.numpy()[:] = recipe.units
    if recipe.log_std is not None:
        agent.pi.log_std.detach().numpy()[:] = recipe.log_std
    return agent


def untrained_from(recipe):
    """An agent of the class, sizes and activation of ``recipe``."""
    return getattr(core, recipe.name)(*recipe.arguments, _layer_of(recipe.activation))


def form_of(agent):
    """What all agents of the same recipe share."""
    return repr(agent), [(name, x.shape) for name, x in agent.state_dict().items()]


def _nets_of(agent):
    """The networks of ``agent``, as arrays that share its memory; twin critics are two."""
    for stack in _stacks_of(agent):
        layers = [_arrays_of_layer(layer) for layer in stack if isinstance(layer, nn.Linear | core.TwinLinear)]
        for i in range(len(layers[0][0])):
            yield [(w[i], b[i]) for w, b in layers]


def _arrays_of_layer(layer) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``[N, n_in, n_out]`` and biases ``[N, n_out]`` of a layer of ``N`` networks."""
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return (w, b[:, 0]) if isinstance(layer, core.TwinLinear) else (w.T[None], b[None])


def _stacks_of(agent):
    return [module for module in agent.modules() if isinstance(module, nn.Sequential)]


def _layer_of(activation):
    layer = getattr(nn, ACTIVATIONS[activation])
    return partial(layer, approximate="tanh") if activation == "gelu" else layer


def _activation_of(agent):
    """The name of the function in ``jax.nn`` or, if there is none, that of the layer."""
    names = {repr(core.activation_layer(_layer_of(name))): name for name in ACTIVATIONS}
    between = _stacks_of(agent)[0][1:-1:2]
    return names.get(repr(between[0]), repr(between[0])) if len(between) else "relu"  # it has no hidden layer
