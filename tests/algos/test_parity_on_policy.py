"""The same weights and rollouts give the same numbers in PyTorch and in JAX, to double precision: VPG, TRPO and PPO."""

import importlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from gymnasium import spaces
from toy_parity import assert_same, laid_out

from spinup.algos.jax import core as jax_core
from spinup.algos.jax import training as jax_training
from spinup.algos.pytorch import core as torch_core
from spinup.algos.pytorch import training as torch_training
from spinup.experience.buffers import Rollout

MODULES = {
    backend: {algo: importlib.import_module(f"spinup.algos.{backend}.{algo}") for algo in ("vpg", "trpo", "ppo")}
    for backend in ("pytorch", "jax")
}
OBSERVATIONS = spaces.Box(-np.inf, np.inf, (3,))
SPACES = {"discrete": spaces.Discrete(4), "continuous": spaces.Box(np.float32([-1, 0]), np.float32([3, 0.5]))}
every_space = pytest.mark.parametrize("space", SPACES)
B = 64
LR = 2.0**-8  # exact in single precision, in which JAX's Adam keeps it


@pytest.fixture(autouse=True)
def _double():
    """Let JAX compute in double precision."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


# ---- the same agents and rollouts ----


def agents(space, seed=0):
    """An agent of PyTorch and its copy in JAX."""
    settings = (OBSERVATIONS, SPACES[space], (8, 6))
    agent, rng = torch_core.MLPActorCritic(*settings).double(), np.random.default_rng(seed)
    for p in agent.parameters():
        p.data = torch.from_numpy(rng.normal(0, 0.5, p.shape))
    tree = jax_core.MLPActorCritic.create(*settings)
    return agent, jax.tree.unflatten(jax.tree.structure(tree), [jnp.array(x) for x in leaves(agent)])


def leaves(agent):
    """The parameters of an agent of PyTorch as the leaves of its counterpart in JAX."""
    return [leaf for part in (agent.pi, agent.v) for leaf in in_order_of_jax(part.parameters())]


def in_order_of_jax(tensors):
    """The same for a policy or a critic, or its gradients; log std comes first in PyTorch and last in JAX."""
    tensors = [*tensors]
    log_std = tensors.pop(0) if len(tensors) % 2 else None
    return laid_out(tensors) if log_std is None else [*laid_out(tensors), log_std.detach().numpy()]


def flat(tensors):
    """What ``ravel_pytree`` makes of a policy in JAX, from the tensors of one in PyTorch."""
    return np.concatenate([leaf.ravel() for leaf in in_order_of_jax(tensors)])


def like(params, vector):
    """The vector in pieces of the shapes of ``params``."""
    return [x.view_as(p) for x, p in zip(vector.split([p.numel() for p in params]), params, strict=True)]


def rollout(agent, seed=0):
    """Actions of ``agent``, in NumPy, and random observations and outcomes."""
    np.random.seed(seed)
    o = 2 * np.random.normal(size=(B, 3))
    return Rollout(o, agent.act(o), *np.random.normal(size=(3, B)))


def in_pytorch(batch):
    return Rollout(*map(torch.tensor, batch))


# ---- equations of numbers for each step ----

RATIO, ADV = (x.ravel() for x in np.meshgrid([0.3, 0.79, 0.81, 1, 1.19, 1.21, 3], [-1.5, 0.7, 2]))  # eps is 0.2
LOGP_OLD, V, RET = np.random.default_rng(0).normal(size=(3, RATIO.size))
NUMBERS = dict(logp=LOGP_OLD + np.log(RATIO), logp_old=LOGP_OLD, adv=ADV, v=V, ret=RET)


@pytest.mark.parametrize(
    ("algorithm", "name", "arguments", "constants"),
    [
        ("vpg", "policy_loss", ["logp", "adv"], {}),
        ("vpg", "value_loss", ["v", "ret"], {}),
        ("ppo", "policy_loss", ["logp", "logp_old", "adv"], dict(clip_ratio=0.2)),
        ("ppo", "approx_kl", ["logp", "logp_old"], {}),
        ("ppo", "value_loss", ["v", "ret"], {}),
        ("trpo", "surrogate", ["logp", "logp_old", "adv"], {}),
        ("trpo", "value_loss", ["v", "ret"], {}),
    ],
)
def test_equations_have_the_same_values_and_gradients(algorithm, name, arguments, constants):
    ours, theirs = (getattr(MODULES[backend][algorithm], name) for backend in ("pytorch", "jax"))
    x, *others = (torch.tensor(NUMBERS[argument]) for argument in arguments)
    value = ours(x.requires_grad_(), *others, **constants)
    in_jax = jax.value_and_grad(theirs)(*(NUMBERS[argument] for argument in arguments), **constants)
    assert_same(in_jax, [value.detach(), *torch.autograd.grad(value, x)])


# ---- equations of distributions ----


@every_space
def test_log_probabilities_and_entropies_are_the_same(space):
    ours, theirs = agents(space)
    batch = rollout(ours)
    (pi, logp), (dist, logp_jax) = ours.pi(*in_pytorch(batch)[:2]), theirs.pi(batch.o, batch.a)
    assert dist.entropy().shape == (B,)
    assert_same([logp_jax, dist.entropy()], [logp.detach(), pi.entropy().detach()])


def divergences(space):
    """Policies of each backend whose divergence from others is not 0, and its two functions of their parameters."""
    (ours, theirs), (ours_old, theirs_old) = agents(space), agents(space, seed=1)
    o = rollout(ours).o
    kl = MODULES["pytorch"]["trpo"].mean_kl(*(x.pi(torch.tensor(o))[0] for x in (ours, ours_old)))
    pi_old = theirs_old.pi(o)[0]
    return ours.pi, kl, theirs.pi, lambda pi: MODULES["jax"]["trpo"].mean_kl(pi(o)[0], pi_old)


@every_space
def test_mean_kl_has_the_same_value_and_gradient(space):
    ours, kl, theirs, kl_jax = divergences(space)
    value, grad = jax.value_and_grad(kl_jax)(theirs)
    assert value > 0.1
    assert_same([value], [kl.detach()])
    assert_same(jax.tree.leaves(grad), in_order_of_jax(torch.autograd.grad(kl, [*ours.parameters()])))


@every_space
@pytest.mark.parametrize("damping_coeff", [0.0, 0.1])
def test_hessian_vector_products_are_the_same(space, damping_coeff):
    ours, kl, theirs, kl_jax = divergences(space)
    theta, policy_of = jax.flatten_util.ravel_pytree(theirs)
    params = [*ours.parameters()]
    x = torch.from_numpy(np.random.default_rng(0).normal(size=theta.shape))
    product = MODULES["pytorch"]["trpo"].hessian_vector_product(kl, params, x, damping_coeff)
    in_jax = MODULES["jax"]["trpo"].hessian_vector_product(
        lambda theta: kl_jax(policy_of(theta)), theta, flat(like(params, x)), damping_coeff
    )
    assert_same([in_jax], [flat(like(params, product))])


# ---- TRPO's algebra ----


@pytest.mark.parametrize("cg_iters", [0, 1, 3, 8, 50])
@pytest.mark.parametrize("g", [np.zeros(8), np.ones(8), np.arange(8.0)])
def test_conjugate_gradients_are_the_same(g, cg_iters):
    a = np.random.default_rng(0).normal(size=(8, 8))
    matrix = a @ a.T + np.eye(8)
    ours = MODULES["pytorch"]["trpo"].conjugate_gradient(lambda x: torch.tensor(matrix) @ x, torch.tensor(g), cg_iters)
    theirs = MODULES["jax"]["trpo"].conjugate_gradient(lambda x: jnp.array(matrix) @ x, jnp.array(g), cg_iters)
    assert_same([theirs], [ours], rtol=1e-8)


@pytest.mark.parametrize(
    ("x", "hx", "delta", "step"),
    [
        ([3.0, 4.0], [1.0, 3.0], 0.3, [0.6, 0.8]),  # sqrt(2 * 0.3 / 15) = 1/5
        ([-2.0], [-8.0], 0.5, [-0.5]),  # sqrt(1 / 16) = 1/4
        ([0.0, 0.0], [0.0, 0.0], 0.3, [0.0, 0.0]),  # no gradient, no step
    ],
)
def test_natural_steps_are_the_same(x, hx, delta, step):
    ours = MODULES["pytorch"]["trpo"].natural_step(torch.DoubleTensor(x), torch.DoubleTensor(hx), delta)
    theirs = MODULES["jax"]["trpo"].natural_step(jnp.array(x), jnp.array(hx), delta)
    assert_same([theirs], [ours])
    np.testing.assert_allclose(theirs, step, rtol=1e-8)


@pytest.mark.parametrize(
    ("evaluate", "step", "backtracks"),
    [
        (lambda theta: (theta[0], 0 * theta[0]), 8.0, 0),  # the whole step will do
        (lambda theta: (theta[0], (theta[0] - 1) ** 2 / 400), 8.0, 2),  # KL: at 9, 5 and 3 it is 0.16, 0.04 and 0.01
        (lambda theta: (-((theta[0] - 1.5) ** 2), 0 * theta[0]), 8.0, 3),  # not worse than at 1 is nothing beyond 2
        (lambda theta: (theta[0], 1 + 0 * theta[0]), 8.0, 4),  # nothing will do
        (lambda theta: (-theta[0], 0 * theta[0]), 8.0, 4),
        (lambda theta: (theta[0], math.nan * theta[0]), 8.0, 4),
        (lambda theta: (theta[0], 0 * theta[0]), math.nan, 4),
    ],
)
def test_line_searches_are_the_same(evaluate, step, backtracks):
    constants = dict(delta=0.01, backtrack_coeff=0.5, backtrack_iters=4)
    ours, theirs = (
        MODULES[backend]["trpo"].line_search(evaluate, as_array([1.0]), as_array([step]), **constants)
        for backend, as_array in (("pytorch", torch.DoubleTensor), ("jax", jnp.array))
    )
    assert ours[1] == theirs[1] == backtracks
    assert_same([theirs[0]], [ours[0]])


# ---- update ----

VALUES = dict(train_v_iters=5)
PPO = VALUES | dict(clip_ratio=0.2, target_kl=None, train_pi_iters=20)
TRPO = VALUES | dict(algo="trpo", delta=0.01, damping_coeff=0.1, cg_iters=10, backtrack_iters=10, backtrack_coeff=0.8)
FAR = TRPO | dict(delta=0.3, damping_coeff=0.0)  # too far for the quadratic that a natural gradient believes in
UPDATES = {  # algorithm, constants, and what the log shows where the case is what it is called
    "vpg": ("vpg", VALUES, lambda log: log["KL"] != 0),
    "ppo stopping early": ("ppo", PPO | dict(target_kl=0.004), lambda log: 1 < log["StopIter"] < 20),
    "ppo never stopping": ("ppo", PPO, lambda log: log["StopIter"] == 20 and log["ClipFrac"] > 0.1),
    "trpo": ("trpo", TRPO, lambda log: log["BacktrackIters"] == 0),
    "trpo backtracking": ("trpo", FAR, lambda log: 0 < log["BacktrackIters"] < 10),
    "trpo staying": ("trpo", FAR | dict(backtrack_iters=1), lambda log: log["BacktrackIters"] == 1 and log["KL"] == 0),
    "npg": ("trpo", FAR | dict(algo="npg"), lambda log: log["KL"] > 0.3),
}


@pytest.mark.slow
@every_space
@pytest.mark.parametrize("case", UPDATES)
def test_updates_give_the_same_parameters_and_logs_in_each_of_three_phases(case, space):
    algorithm, constants, is_the_case = UPDATES[case]
    ours, theirs = agents(space)
    adams = [torch_training.Adam(LR, part) for part in (ours.pi, ours.v)]
    adams_jax = [jax_training.Adam.create(LR, part) for part in (theirs.pi, theirs.v)]
    used = slice(1, 2) if algorithm == "trpo" else slice(2)  # by optimisers, TRPO only fits the value function
    in_torch, in_jax = (MODULES[backend][algorithm] for backend in ("pytorch", "jax"))
    learner, learner_jax = in_torch.Learner(ours, *adams[used]), in_jax.Learner(theirs, *adams_jax[used])
    assert learner._fields == learner_jax._fields
    for phase in range(3):
        batch = rollout(ours, seed=phase)
        learner, log = in_torch.update(learner, in_pytorch(batch), **constants)
        learner_jax, log_jax = in_jax.update(learner_jax, batch, **constants)
        assert is_the_case(log)
        assert log.keys() == log_jax.keys()
        assert_same([log_jax[key] for key in log], log.values(), rtol=1e-7)
        assert learner.ac is ours
        assert_same(jax.tree.leaves(learner_jax.ac), leaves(ours), rtol=1e-7)
