"""The same agents and numbers in PyTorch and in JAX, and how to see that they are the same."""

import inspect
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from spinup.algos.jax import core as jax_core
from spinup.algos.jax import training as jax_training
from spinup.algos.pytorch import core as torch_core
from spinup.algos.pytorch import training as torch_training
from spinup.experience.buffers import Batch

AGENTS = {"dqn": "DQNAgent", "ddpg": "DDPGActorCritic", "td3": "TD3ActorCritic", "sac": "SACActorCritic"}
PYTORCH, JAX = ({a: import_module(f"spinup.algos.{backend}.{a}") for a in AGENTS} for backend in ("pytorch", "jax"))
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}  # by their names in jax.nn

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (3,))
BOX = spaces.Box(np.float32([-1, 0, 1]), np.float32([3, 0.5, 1]), dtype=np.float32)  # the last dimension has no width
K, B = 6, 16  # minibatches, and transitions in each
LR = 2.0**-7  # exact in single precision, in which JAX's Adam keeps it


# ---- the same parameters ----


def agents(algorithm, activation="relu", dtype=np.float64, seed=0):
    """An agent of PyTorch with parameters large enough to reach the bounds of actions, and its copy in JAX."""
    settings = (OBSERVATIONS, spaces.Discrete(4) if algorithm == "dqn" else BOX, (16, 16))
    agent = getattr(torch_core, AGENTS[algorithm])(*settings, ACTIVATIONS[activation])
    rng = np.random.default_rng(seed)
    for p in agent.parameters():
        p.data = torch.from_numpy(rng.normal(0, 0.5, p.shape).astype(dtype))
    agent.to(p.dtype)
    tree = getattr(jax_core, AGENTS[algorithm]).create(*settings, getattr(jax.nn, activation))
    return agent, jax.tree.unflatten(jax.tree.structure(tree), map(jnp.array, leaves(agent)))


def leaves(x):
    """What an agent, a network, an optimiser or a tensor of PyTorch holds, as the leaves of its counterpart in JAX."""
    if isinstance(x, nn.Module):
        networks = [part for part in x.modules() if isinstance(part, nn.Sequential)]
        return [leaf for network in networks for leaf in laid_out([*network.parameters()])]
    if isinstance(x, torch_training.Adam):
        return [x.lr, x.steps[0].numpy(), *laid_out(x.m), *laid_out(x.v)]
    return [] if x is None else laid_out([x])


def laid_out(tensors):
    """The weights and biases of a network by turns, as JAX holds them: weights ``[n_in, n_out]`` first, then biases."""
    arrays = [x.detach().numpy() for x in tensors]
    weights, biases = arrays[::2], arrays[1::2]
    if weights[0].ndim == 3:  # twins, one after the other
        return [leaf for i in range(2) for leaf in (*(w[i] for w in weights), *(b[i, 0] for b in biases))]
    return [*(w.T for w in weights), *biases]


def assert_same(in_jax, in_pytorch, rtol=1e-8, atol=1e-9):
    """Compare two lists of arrays, shapes included; single precision would not pass."""
    for x, y in zip(in_jax, in_pytorch, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol, atol)


# ---- the same numbers ----


def sides(algorithm, activation="relu", learn_alpha=True, steps=0, **constants):
    """What equations and updates may ask for, by name: once for PyTorch and once, with the same numbers, for JAX."""
    numbers = _random_numbers(algorithm) | dict(steps=np.array(steps))
    (ac, jax_ac), (targ, jax_targ) = (agents(algorithm, activation, seed=seed) for seed in (1, 2))
    in_pytorch = _named(ac, targ, jax.tree.map(torch.tensor, numbers), _pytorch_adam, learn_alpha)
    in_jax = _named(jax_ac, jax_targ, jax.tree.map(jnp.array, numbers), jax_training.Adam.create, learn_alpha)
    for module, names in ((PYTORCH[algorithm], in_pytorch), (JAX[algorithm], in_jax)):
        names["learner"] = module.Learner(**{name: names[name] for name in module.Learner._fields})
    return constants | in_pytorch, constants | in_jax


def _pytorch_adam(lr, x):
    return torch_training.Adam(lr, x if isinstance(x, nn.Module) else x.requires_grad_())


def _named(ac, targ, numbers, adam, learn_alpha):
    networks = dict(ac=ac, targ=targ, q=ac.q, q_targ=targ.q)
    if hasattr(ac, "pi"):
        networks |= dict(pi=ac.pi, pi_targ=targ.pi)
    learned = dict(pi=networks.get("pi"), q=ac.q, alpha=numbers["log_alpha"] if learn_alpha else None)
    optimizers = {f"{name}_optimizer": None if x is None else adam(LR, x) for name, x in learned.items()}
    return numbers | networks | optimizers


def _random_numbers(algorithm):
    """Minibatches, noise for each, one minibatch with observations from further away, and all other arguments."""
    rng = np.random.default_rng(3)
    batches = Batch(
        o=2 * rng.normal(size=(K, B, 3)),
        a=rng.integers(4, size=(K, B)) if algorithm == "dqn" else rng.uniform(BOX.low, BOX.high, (K, B, 3)),
        r=rng.normal(size=(K, B)),
        o2=2 * rng.normal(size=(K, B, 3)),
        d=rng.integers(2, size=(K, B)).astype(float),
    )
    batch = Batch(*(x[0] for x in batches))
    far = np.geomspace(0.1, 100, B)[:, None]  # from where nothing is cut to where SAC's deviations are, at both ends
    batch = batch._replace(o=far * batch.o, o2=far * batch.o2)
    noise = rng.normal(size=(K, 2, B, 3) if algorithm == "sac" else (K, B, 3))
    y, logp, eps = rng.normal(size=B), rng.normal(size=B), rng.normal(size=(B, 3))
    alpha, log_alpha, loss_pi = np.float64(0.3), np.log(0.3), np.float64(np.nan)
    arguments = dict(batch=batch, o2=batch.o2, eps=eps, y=y, logp=logp, alpha=alpha, log_alpha=log_alpha)
    bounds = dict(act_low=BOX.low.astype(float), act_high=BOX.high.astype(float))
    return arguments | bounds | dict(batches=batches, noise=noise, loss_pi=loss_pi)


def call(module, function, names):
    """Call a function of ``module`` with those of ``names`` that it asks for."""
    function = getattr(module, function)
    return function(**{name: names[name] for name in inspect.signature(function).parameters})


def compiled_update(module):
    """The compiled function that does the work of ``module.update`` in JAX."""
    return getattr(module, "_update", module.update)
