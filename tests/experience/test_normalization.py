"""Observations and rewards in units of their running standard deviations: while training, in tests, and once saved."""

import csv
import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from toy_envs import Counter, Steady

import spinup
from spinup.backends import import_backend
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.experience.evaluation import deterministic_act, run_episodes
from spinup.experience.vector_env import VectorEnv
from spinup.records.environment import load_env
from spinup.records.recipe import describe, with_normalized_inputs

SMALL = dict(steps_per_epoch=40, epochs=2, ac_kwargs=dict(hidden_sizes=[8]), logger_kwargs=dict(output_dir="run"))
OFF_POLICY = dict(max_ep_len=30, update_after=20, update_every=20, batch_size=8, num_test_episodes=2)
BACKENDS = list(spinup.ALGORITHMS)


def sit(envs):
    return envs.step(np.zeros(envs.num_envs, int))


def test_copies_share_one_mean_and_variance():
    envs = VectorEnv(lambda: Counter(length=3), 2, 0, norm_obs=True)
    plain = VectorEnv(lambda: Counter(length=3), 2, 0)
    seen = [*plain.reset(), *sit(plain).o, *sit(plain).o]
    envs.reset()
    sit(envs)
    sit(envs)
    mean, std = envs.obs_scale()
    assert mean == pytest.approx(np.mean(seen, 0), rel=1e-4)
    assert std == pytest.approx(np.std(seen, 0), rel=1e-3)
    np.testing.assert_allclose(envs.o[1], (plain.o[1] - mean) / std, rtol=1e-5)


def test_returns_of_episodes_are_not_normalised():
    envs = VectorEnv(lambda: Counter("truncate", length=3), 2, 0, norm_obs=True, norm_reward=True, gamma=0.9)
    envs.reset()
    steps = [sit(envs) for _ in range(3)]
    assert steps[-1].ep_ret.tolist() == [6, 6] and steps[-1].ep_len.tolist() == [3, 3]
    # what both copies have returned so far, one after the other: 1, 1, 2.9, 2.9, 5.61, 5.61
    returns = np.array([1, 1, 2.9, 2.9, 5.61, 5.61])
    assert steps[-1].r[1] == pytest.approx(3 / returns.std(), rel=1e-3)


def test_tests_use_the_statistics_of_training_and_leave_them():
    envs = VectorEnv(lambda: NormalizeObservation(Counter(length=3)), 2, 0, norm_obs=True)
    tests = envs.for_tests(3)
    envs.reset()
    sit(envs)
    inner, (mean, std) = envs.statistics()[0], envs.obs_scale()
    for _ in range(2):
        o = (tests.reset(1) * std + mean) * np.sqrt(inner.var + 1e-8) + inner.mean
        np.testing.assert_allclose(o, 0, atol=1e-5)
        sit(tests)
    np.testing.assert_array_equal(envs.obs_scale(), (mean, std))
    assert inner.count == pytest.approx(4, abs=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("algo", ["ppo", "dqn", "sac"])
def test_the_saved_agent_takes_observations_as_they_are(algo, backend):
    env_fn = EnvFn("Pendulum-v1" if algo == "sac" else "CartPole-v1")
    settings = SMALL | ({} if algo == "ppo" else OFF_POLICY)
    trained = getattr(spinup, f"{algo}_{backend}")(env_fn, norm_obs=True, norm_reward=True, **settings)
    loaded = spinup.load("run")
    envs = VectorEnv(env_fn, 2, 0, max_ep_len=30)
    returns, _ = run_episodes(deterministic_act(loaded), envs, seed=[0, 2])
    np.testing.assert_array_equal(returns, run_episodes(deterministic_act(trained), envs, seed=[0, 2])[0])
    if algo != "ppo":  # what training has measured in its last tests, on normalised observations
        *_, row = csv.DictReader(Path("run/progress.txt").read_text().splitlines(), delimiter="\t")
        assert returns.mean() == pytest.approx(float(row["AverageTestEpRet"]), rel=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("algo", ["ppo", "dqn", "ddpg", "sac"])
def test_first_layers_take_over_the_normalisation(algo, backend):
    env_fn = EnvFn("Pendulum-v1" if algo != "dqn" else "CartPole-v1")
    agent = getattr(spinup, f"{algo}_{backend}")(env_fn, **SMALL | ({} if algo == "ppo" else OFF_POLICY))
    rng, module, size = np.random.default_rng(0), import_backend(backend, "backend"), 4 if algo == "dqn" else 3
    mean, std = rng.normal(0, 3, size), rng.uniform(0.1, 5, size)
    o, a = rng.normal(mean, std, (6, size)).astype(np.float32), rng.normal(size=(6, 1)).astype(np.float32)
    folded = module.agent_from(with_normalized_inputs(describe(agent, module), mean, std))
    scaled = ((o - mean) / std).astype(np.float32)
    np.testing.assert_allclose(folded.act(o, deterministic=True), agent.act(scaled, deterministic=True), atol=1e-5)
    values = [[ac.v if algo == "ppo" else ac.q for ac in (folded, agent)], [(o,), (scaled,)]]
    if algo in ("ddpg", "sac"):
        values[1] = [(o, a), (scaled, a)]
    if backend == "pytorch":
        values[1] = [map(torch.from_numpy, x) for x in values[1]]
    ours, theirs = (np.asarray(net(*x).tolist()) for net, x in zip(*values, strict=True))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_does_not_depend_on_how_often_its_agent_is_saved(backend):
    rows = []
    for save_freq in (1, 9):
        settings = SMALL | dict(epochs=3, save_freq=save_freq, logger_kwargs=dict(output_dir=f"every{save_freq}"))
        getattr(spinup, f"ppo_{backend}")(EnvFn("CartPole-v1"), norm_obs=True, **settings)
        lines = csv.DictReader(Path(f"every{save_freq}/progress.txt").read_text().splitlines(), delimiter="\t")
        rows.append([{**line, "Time": ""} for line in lines])
    assert rows[0] == rows[1]


def test_only_spinups_own_agents_can_take_it_over():
    settings = SMALL | dict(ac_kwargs=dict(hidden_sizes=[8], activation=torch.nn.Softmax))
    with pytest.raises(UserError, match=r"norm_obs=True cannot become part .* Put gymnasium.wrappers.NormalizeObs"):
        spinup.ppo_pytorch(lambda: Counter(length=3), norm_obs=True, **settings)


# ---- wrappers that env_fn itself puts on ----


@pytest.mark.parametrize("algo", ["ppo_pytorch", "dqn_jax"])
def test_statistics_of_wrappers_are_kept_with_the_agent(algo):
    settings = SMALL | ({} if algo.startswith("ppo") else OFF_POLICY)
    getattr(spinup, algo)(
        lambda: NormalizeReward(NormalizeObservation(gym.make("CartPole-v1"))), snapshots=True, save_freq=1, **settings
    )
    of_reward, of_obs = json.loads(Path("run/normalization.json").read_text())
    for itr, count in (("last", 80), (0, 40)):
        env = load_env("run", itr=itr)
        wrapper = env.env if isinstance(env.env, NormalizeObservation) else env
        assert wrapper.obs_rms.count >= count and not wrapper.update_running_mean
        first = [env.reset(seed=0)[0] for _ in range(2)]
        np.testing.assert_array_equal(*first)
    np.testing.assert_allclose(of_obs["mean"], load_env("run").env.obs_rms.mean)
    assert of_reward["count"] == pytest.approx(80, abs=1)


class MyNormalizer(gym.ObservationWrapper):
    def __init__(self, env):
        super().__init__(env)
        self.total, self.count = np.zeros(1, np.float32), 0

    def observation(self, o):
        self.total, self.count = self.total + o, self.count + 1
        return o - self.total / self.count


def test_a_normalisation_of_ones_own_is_mentioned_at_the_start(capsys):
    spinup.ppo_pytorch(lambda: MyNormalizer(Steady(length=3)), **SMALL)
    assert "MyNormalizer seems to normalise by statistics of its own" in capsys.readouterr().out
