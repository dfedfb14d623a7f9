import csv
from functools import partial

import numpy as np
import pytest
import torch
from toy_envs import Identity, Steady, Target

from spinup.algos.pytorch.ppo import ppo
from spinup.algos.pytorch.trpo import trpo
from spinup.algos.pytorch.vpg import vpg
from spinup.experience.envs import EnvFn

ALGORITHMS = {
    "vpg": partial(vpg, pi_lr=0.05),
    "trpo": partial(trpo, delta=0.05),
    "npg": partial(trpo, algo="npg", delta=0.05),
    "ppo": partial(ppo, pi_lr=0.01, target_kl=0.05),
}
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def train(algorithm, env_fn, **kwargs):
    """Train a small agent for a second or two."""
    settings = dict(
        ac_kwargs=dict(hidden_sizes=[8]), vf_lr=0.02, train_v_iters=20, logger_kwargs=dict(output_dir="run")
    )
    return ALGORITHMS[algorithm](env_fn, **settings | kwargs)


@every_algorithm
def test_discrete_actions_are_learned(algorithm):
    ac = train(algorithm, lambda: Identity(4), steps_per_epoch=200, epochs=25)
    digits = np.arange(4).repeat(250)
    assert (ac.act(np.eye(4)[digits]) == digits).mean() > 0.9  # 0.25 by chance
    np.testing.assert_array_equal(ac.act(np.eye(4), deterministic=True), np.arange(4))


@pytest.mark.slow
@every_algorithm
@pytest.mark.parametrize("low, high, goal", [(-1, 3, 2), (0, 0.5, 0.1)])
def test_continuous_actions_are_learned_whatever_their_range(algorithm, low, high, goal):
    ac = train(algorithm, lambda: Target([low], [high], [goal]), steps_per_epoch=100, epochs=40)
    a = ac.act(np.ones(1), deterministic=True).item()
    assert abs(a - goal) < 0.2 * (high - low) / 2  # untrained, it is about half a half range away


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["trpo", "npg", "ppo"])  # one step an epoch is too few for VPG
def test_dimensions_of_different_ranges_are_learned_together(algorithm):
    ac = train(algorithm, Target, steps_per_epoch=200, epochs=60)
    np.testing.assert_allclose(ac.act(np.ones(1), deterministic=True), [2.0, 0.1], atol=0.1)


# ---- what the value function learns where an episode ends: r = 1, gamma = 1/2, and every observation is the same ----

FOREVER, DEAD = 1 / (1 - 0.5), 1.0


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["vpg", "trpo", "ppo"])
@pytest.mark.parametrize(
    ("end", "max_ep_len", "expected"),
    [
        (None, 1000, FOREVER),  # only the rollout ends
        (None, 1, FOREVER),  # our time limit is no death
        ("truncate", 1000, FOREVER),  # nor is the environment's own
        ("terminate", 1000, DEAD),
        ("both", 1000, DEAD),  # death counts, whatever the clock says
        ("terminate", 1, DEAD),  # our time limit too
    ],
)
def test_value_is_bootstrapped_if_and_only_if_the_episode_did_not_terminate(algorithm, end, max_ep_len, expected):
    ac = train(algorithm, lambda: Steady(end), max_ep_len=max_ep_len, gamma=0.5, steps_per_epoch=8, epochs=10)
    with torch.no_grad():
        assert ac.v(torch.ones(1, 1)).item() == pytest.approx(expected, abs=0.1)


# ---- an environment people know ----


def best_return(epochs, algorithm, **kwargs):
    """The best mean return of an epoch on CartPole-v1 at the defaults."""
    algorithm(EnvFn("CartPole-v1"), epochs=epochs, logger_kwargs=dict(output_dir="run"), **kwargs)
    with open("run/progress.txt", newline="") as file:
        return max(float(row["AverageEpRet"]) for row in csv.DictReader(file, delimiter="\t"))


@pytest.mark.slow
def test_ppo_balances_the_pole_within_120_000_steps():
    assert best_return(30, ppo) >= 475


@pytest.mark.slow
def test_trpo_balances_the_pole_within_120_000_steps():
    assert best_return(30, trpo) >= 475


@pytest.mark.slow
def test_vpg_gets_far_within_200_000_steps():
    assert best_return(50, vpg, pi_lr=0.01) > 400
