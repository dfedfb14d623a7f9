"""Custom agents: common layers, layers that know training from acting, and agents taken elsewhere."""

import csv
from pathlib import Path

import jax
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from torch.distributions import Categorical

import spinup
from spinup.algos.jax import core as jax_core
from spinup.algos.pytorch import core, training
from tests.toy_envs import Identity, Target

OBS, BOX, DISCRETE = spaces.Box(-1, 1, (4,)), spaces.Box(-2, 2, (3,)), spaces.Discrete(3)
ON_POLICY = dict(steps_per_epoch=40, num_envs=2, train_v_iters=3)
OFF_POLICY = dict(steps_per_epoch=40, epochs=2, update_after=20, update_every=20, batch_size=10, num_test_episodes=2)


def rows(run="run"):
    with Path(run, "progress.txt").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "Time"} for row in csv.DictReader(file, delimiter="\t")]


def train(name, env_fn, run="run", **settings):
    return getattr(spinup, name)(env_fn, logger_kwargs=dict(output_dir=run), **settings)


# ---- common layers: pi and v are methods ----


class CommonLayers(nn.Module):
    """A policy and a value function with a layer in common, as methods of one module."""

    def __init__(self, observation_space, action_space, hidden=8):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(observation_space.shape[0], hidden), nn.Tanh())
        self.logits, self.value = nn.Linear(hidden, int(action_space.n)), nn.Linear(hidden, 1)

    def pi(self, obs, act=None):
        pi = Categorical(logits=self.logits(self.trunk(obs)))
        return pi, None if act is None else pi.log_prob(act)

    def v(self, obs):
        return self.value(self.trunk(obs)).squeeze(-1)

    @torch.no_grad()
    def act(self, obs, deterministic=False):
        pi, _ = self.pi(core.as_tensor(obs, self))
        return (pi.mode if deterministic else pi.sample()).numpy()


@jax_core.pytree()
class CommonLayersInJax:
    """The same in JAX."""

    trunk: jax_core.MLP
    logits: jax_core.MLP
    value: jax_core.MLP

    @classmethod
    def create(cls, observation_space, action_space, hidden=8):
        sizes = [observation_space.shape[0], hidden], [hidden, int(action_space.n)], [hidden, 1]
        trunk, *heads = (jax_core.MLP.create(size, jax.nn.tanh) for size in sizes)
        return cls(trunk, *heads)

    def pi(self, obs, act=None):
        pi = jax_core.Categorical(self.logits(jax.nn.tanh(self.trunk(obs))))
        return pi, None if act is None else pi.log_prob(act)

    def v(self, obs):
        return self.value(jax.nn.tanh(self.trunk(obs))).squeeze(-1)

    def act(self, obs, deterministic=False):
        logits = self.logits.forward_numpy(np.tanh(self.trunk.forward_numpy(np.asarray(obs, np.float32))))
        return (logits if deterministic else logits + np.random.gumbel(size=logits.shape)).argmax(-1)


AGENTS = {"pytorch": CommonLayers, "jax": CommonLayersInJax.create}
slow = pytest.mark.slow


def arrays(backend, agent):
    return [*agent.state_dict().values()] if backend == "pytorch" else jax.tree.leaves(agent)


@pytest.mark.parametrize("backend", AGENTS)
@pytest.mark.parametrize("algo", ["ppo", pytest.param("vpg", marks=slow), pytest.param("trpo", marks=slow)])
def test_policy_and_value_may_have_layers_in_common(backend, algo):
    def run(where, **settings):
        return train(f"{algo}_{backend}", Identity, where, **ON_POLICY, actor_critic=AGENTS[backend], **settings)

    np.random.seed(0), torch.manual_seed(0)
    start, end = AGENTS[backend](spaces.Box(0, 1, (3,)), DISCRETE), run("whole", epochs=2)
    for before, after in zip(*(arrays(backend, ac) for ac in (start, end)), strict=True):
        assert not np.array_equal(before, after)

    run("cut", epochs=1)
    resumed = run("cut", epochs=2, resume=True)
    assert rows("cut") == rows("whole")
    loaded = spinup.load("cut", trust=True)
    for agent in (resumed, loaded):
        for x, y in zip(*(arrays(backend, ac) for ac in (agent, end)), strict=True):
            np.testing.assert_array_equal(x, y)


# ---- layers that know training from acting ----


class Restless(core.DDPGActorCritic):
    """One whose networks have dropout and batch normalisation, and that notes in which mode it acts."""

    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space, [8])
        layers = [*self.pi.net]
        self.pi.net = nn.Sequential(layers[0], nn.BatchNorm1d(8), nn.Dropout(0.5), *layers[1:])
        self.acted = set()

    def act(self, obs, deterministic=False):
        self.acted.add(self.training)
        return core.evaluate(self.pi, np.atleast_2d(obs)).reshape(*np.shape(obs)[:-1], -1)


def test_agents_act_and_are_tested_in_evaluation_mode_and_learn_in_training_mode():
    ac = train("ddpg_pytorch", Target, actor_critic=Restless, start_steps=0, **OFF_POLICY)
    assert ac.acted == {False} and not ac.training
    norm = ac.pi.net[1]
    assert norm.num_batches_tracked == 80  # once in each gradient step

    agent, o = spinup.load("run", trust=True), np.ones(1)
    assert not agent.training
    np.testing.assert_array_equal(agent.act(o), agent.act(o))
    np.testing.assert_allclose(agent.act(o), ac.act(o))


def test_targets_follow_the_statistics_of_batch_normalisation():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    target = training.target_of(module)
    module.train()(torch.randn(10, 2))
    training.polyak_update(target, module, 0.75)
    assert target[1].running_mean.abs().sum() > 0
    for name, buffer in module.named_buffers():
        assert torch.equal(buffer, dict(target.named_buffers())[name])
    assert training._layers_with_statistics(core.TD3ActorCritic(OBS, BOX)) == []  # ordinary agents pay nothing


# ---- agents taken elsewhere ----

EXPORTED = [
    (core.MLPActorCritic, BOX),
    (core.MLPActorCritic, DISCRETE),
    (core.DDPGActorCritic, BOX),
    (core.TD3ActorCritic, BOX),
    (core.SACActorCritic, BOX),
    (core.DQNAgent, DISCRETE),
]


@pytest.fixture(params=EXPORTED, ids=lambda param: f"{param[0].__name__}-{type(param[1]).__name__}")
def agent(request):
    make, space = request.param
    torch.manual_seed(0)
    return make(OBS, space, hidden_sizes=[8], activation=nn.Tanh).eval()


def test_an_agent_called_with_tensors_acts_as_its_most_likely_self(agent):
    o = np.random.default_rng(0).standard_normal((6, 4), np.float32)
    np.testing.assert_allclose(agent(torch.as_tensor(o)).detach(), agent.act(o, deterministic=True), atol=1e-6)


def test_a_traced_agent_acts_alike(agent):
    o = torch.randn(6, 4)
    traced = torch.jit.trace(agent, torch.randn(2, 4))
    torch.testing.assert_close(traced(o), agent(o))


@slow  # as torch.export imports much
def test_an_exported_agent_acts_alike(agent):
    o = torch.randn(6, 4)
    exported = torch.export.export(agent, (o,)).module()
    torch.testing.assert_close(exported(o), agent(o))
