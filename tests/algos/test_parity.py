"""The same weights, minibatches and noise give the same numbers in PyTorch and in JAX, to double precision."""

import inspect
import math

import jax
import numpy as np
import pytest
import torch
from torch import nn
from toy_envs import Identity, Target
from toy_parity import JAX, PYTORCH, agents, assert_same, call, compiled_update, laid_out, leaves, sides

GAMMA = dict(gamma=0.9)
TARGETS = [
    ("dqn", "td_target", GAMMA | dict(double_q=True)),
    ("dqn", "td_target", GAMMA | dict(double_q=False)),
    ("ddpg", "td_target", GAMMA),
    ("td3", "td_target", GAMMA | dict(noise_clip=0.5)),
    ("sac", "td_target", GAMMA),
]
DIFFERENTIATED = [
    ("dqn", "q_loss", dict(loss="squared")),
    ("dqn", "q_loss", dict(loss="huber")),
    ("ddpg", "q_loss", {}),
    ("ddpg", "pi_loss", {}),
    ("td3", "target_action", dict(noise_clip=0.5)),
    ("td3", "q_loss", {}),
    ("td3", "pi_loss", {}),
    ("sac", "q_loss", {}),
    ("sac", "pi_loss", {}),
    ("sac", "alpha_loss", dict(target_entropy=-2.0)),
]
PHASE = GAMMA | dict(polyak=0.8)
UPDATES = [
    ("dqn", PHASE | dict(double_q=True, loss="squared")),
    ("dqn", PHASE | dict(double_q=False, loss="huber")),
    ("ddpg", PHASE),
    ("td3", PHASE | dict(noise_clip=0.5, policy_delay=2, steps=0)),
    ("td3", PHASE | dict(noise_clip=0.5, policy_delay=2, steps=1)),
    ("td3", PHASE | dict(noise_clip=0.5, policy_delay=3, steps=1000)),
    ("sac", PHASE | dict(target_entropy=-2.0, learn_alpha=False)),
    ("sac", PHASE | dict(target_entropy=-2.0, learn_alpha=True)),
]
LEARNERS = {  # what changes as each learns
    "dqn": ["ac", "targ", "q_optimizer"],
    "ddpg": ["ac", "targ", "pi_optimizer", "q_optimizer"],
    "td3": ["ac", "targ", "pi_optimizer", "q_optimizer", "steps"],
    "sac": ["ac", "q_targ", "log_alpha", "pi_optimizer", "q_optimizer", "alpha_optimizer"],
}
ONLY_IN_JAX = {"td3": ["loss_pi"]}  # for the log, as a compiled step has to give some loss, whether there is one or not


@pytest.fixture
def double():
    """Let JAX compute in double precision."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


# ---- equations ----


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("algorithm", "equation", "constants"), TARGETS + DIFFERENTIATED)
def test_equations_have_the_same_values(algorithm, equation, constants):
    names, jax_names = sides(algorithm, **constants)
    values = call(PYTORCH[algorithm], equation, names)
    jax_values = call(JAX[algorithm], equation, jax_names)
    if not isinstance(values, tuple):
        values, jax_values = (values,), (jax_values,)
    assert_same(jax_values, [value.detach() for value in values])


def projected(value):
    """One number in which every number of an equation's value has a share; of a loss, the loss itself."""
    x = value[0] if isinstance(value, tuple) else value
    weights = np.cos(np.arange(math.prod(x.shape)))
    return x.ravel() @ (torch.from_numpy(weights) if isinstance(x, torch.Tensor) else weights)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize(("algorithm", "equation", "constants"), DIFFERENTIATED)
def test_equations_have_the_same_gradients(algorithm, equation, constants, activation):
    names, jax_names = sides(algorithm, activation, **constants)
    first = next(iter(inspect.signature(getattr(JAX[algorithm], equation)).parameters))
    params = [*names[first].parameters()] if isinstance(names[first], nn.Module) else [names[first]]
    grads = torch.autograd.grad(projected(call(PYTORCH[algorithm], equation, names)), params)
    jax_grads = jax.grad(lambda x: projected(call(JAX[algorithm], equation, jax_names | {first: x})))(jax_names[first])
    assert_same(jax.tree.leaves(jax_grads), laid_out(grads))


# ---- updates ----


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("algorithm", "settings"), UPDATES)
def test_updates_lead_to_the_same_parameters(algorithm, settings):
    names, jax_names = sides(algorithm, **settings)
    learner, log = call(PYTORCH[algorithm], "update", names)
    jax_learner, jax_log = call(JAX[algorithm], "update", jax_names)

    assert [*learner._fields] == LEARNERS[algorithm]
    assert [*jax_learner._fields] == LEARNERS[algorithm] + ONLY_IN_JAX.get(algorithm, [])
    for name, part in learner._asdict().items():
        assert part is names[name], "moved in place"
        assert_same(jax.tree.leaves(getattr(jax_learner, name)), leaves(part))
    assert log.keys() == jax_log.keys()
    assert_same([jax_log[key] for key in log], log.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("dqn", dict(env_fn=Identity)),
        ("ddpg", dict(env_fn=Target)),
        ("td3", dict(env_fn=Target)),
        ("sac", dict(env_fn=Target)),
        ("sac", dict(env_fn=Target, alpha="auto")),
    ],
)
def test_one_compilation_serves_all_phases_and_seeds(monkeypatch, algorithm, settings):
    module, sizes = JAX[algorithm], []
    update, compiled = module.update, compiled_update(module)
    compiled.clear_cache()

    def counted(*args, **kwargs):
        result = update(*args, **kwargs)
        sizes.append(compiled._cache_size())
        return result

    monkeypatch.setattr(module, "update", counted)
    short = dict(epochs=2, steps_per_epoch=20, update_after=10, update_every=5, num_test_episodes=1)
    for seed in (0, 1):
        constants = dict(ac_kwargs=dict(hidden_sizes=[8]), seed=seed, logger_kwargs=dict(output_dir=f"seed{seed}"))
        getattr(module, algorithm)(**settings, **short, **constants)
    assert sizes == [1] * 2 * 7


# ---- acting ----


@pytest.mark.parametrize("shape", [(3,), (5, 3)], ids=["one", "batch"])
@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])  # the last has no shortcut by NumPy
@pytest.mark.parametrize("algorithm", JAX)
def test_agents_act_alike(algorithm, activation, deterministic, shape):
    o = np.random.default_rng(0).normal(size=shape)
    actions = []
    for agent in agents(algorithm, activation, np.float32):
        np.random.seed(7)
        actions.append(agent.act(o, deterministic=deterministic))
    ours, theirs = actions
    assert type(ours) is type(theirs) is (np.ndarray if ours.shape else np.int64)
    assert ours.dtype == theirs.dtype
    assert_same([theirs], [ours], rtol=1e-5, atol=1e-6)
