import csv
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium import spaces
from toy_envs import Identity, Steady, Target

from spinup.algos.pytorch.ddpg import ddpg
from spinup.algos.pytorch.dqn import dqn
from spinup.algos.pytorch.sac import sac
from spinup.algos.pytorch.td3 import td3
from spinup.experience.envs import EnvFn

LEARN = dict(
    steps_per_epoch=1200,
    epochs=1,
    update_after=200,
    batch_size=50,
    num_test_episodes=1,
    logger_kwargs=dict(output_dir="run"),
)


def all_rows():
    with open("run/progress.txt", newline="") as file:
        return [*csv.DictReader(file, delimiter="\t")]


def last_row():
    return all_rows()[-1]


# ---- the best action ----


@pytest.mark.parametrize("settings", [{}, dict(double_q=False), dict(loss="huber"), dict(num_envs=5)])
def test_dqn_names_the_digit(settings):
    fast = dict(q_lr=0.01, epsilon_steps=200, steps_per_epoch=400, update_after=100)
    agent = dqn(lambda: Identity(4), ac_kwargs=dict(hidden_sizes=[16]), **LEARN | fast | settings)
    np.testing.assert_array_equal(agent.act(np.eye(4)), np.arange(4))
    assert last_row()["AverageTestEpRet"] == "1.0"


ALGORITHMS = {
    "ddpg": partial(ddpg, pi_lr=3e-4, q_lr=0.01),
    "td3": partial(td3, pi_lr=3e-4, q_lr=0.01),
    "sac": partial(sac, lr=5e-3, alpha=0.02),
}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_best_action_is_found_in_dimensions_of_different_ranges(algorithm):
    # between -1 and 3, and between 0 and 0.5; before training, it is about half a half range away
    half_range = np.array([2, 0.25])
    env_fn = partial(Target, goal=(2.0, 0.1), unit=half_range)
    ac = ALGORITHMS[algorithm](env_fn, ac_kwargs=dict(hidden_sizes=[32, 32]), start_steps=400, **LEARN)
    error = (ac.act(np.ones(1), deterministic=True) - [2, 0.1]) / half_range
    np.testing.assert_allclose(error, 0, atol=0.2)


# ---- what the action-value function learns where an episode ends: r = 1, gamma = 1/2, all actions are the same ----

FOREVER, DEAD = 1 / (1 - 0.5), 1.0


def values_of(algorithm, env_fn, **kwargs):
    """Some values Q(o, a), of every critic there is, after enough random steps to learn them."""
    constants = dict(gamma=0.5, polyak=0.0, steps_per_epoch=200, update_after=20, update_every=20, batch_size=16)
    exploration = dict(epsilon=1.0) if algorithm is dqn else dict(start_steps=200)
    rates = dict(lr=0.05, alpha=0.0) if algorithm is sac else dict(q_lr=0.05)
    settings = LEARN | constants | exploration | rates | dict(ac_kwargs=dict(hidden_sizes=[]))
    ac = algorithm(env_fn, **settings, **kwargs)
    o, a = torch.ones(3, 1), torch.tensor([[-0.5], [0.0], [0.5]])
    if algorithm is dqn:
        return ac.q(o).detach()
    return ac.q(o, a).detach()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [dqn, ddpg, td3, sac])
@pytest.mark.parametrize(
    ("end", "max_ep_len", "expected"),
    [
        (None, 7, FOREVER),  # our time limit is no death
        ("truncate", 1000, FOREVER),  # nor is the environment's own
        ("terminate", 1000, DEAD),
        ("both", 1000, DEAD),  # death counts, whatever the clock says
        ("terminate", 1, DEAD),  # our time limit too
    ],
)
def test_values_are_bootstrapped_if_and_only_if_the_episode_did_not_terminate(algorithm, end, max_ep_len, expected):
    space = spaces.Discrete(2) if algorithm is dqn else spaces.Box(-1, 1, (1,))
    values = values_of(algorithm, lambda: Steady(end, action_space=space), max_ep_len=max_ep_len)
    torch.testing.assert_close(values, torch.full_like(values, expected), atol=0.05, rtol=0)


# ---- SAC's temperature ----


@pytest.mark.slow
@pytest.mark.parametrize(("target_entropy", "expected"), [(None, -1.0), (0.5, 0.5)])
def test_a_learned_temperature_drives_the_entropy_to_its_target(target_entropy, expected):
    settings = dict(lr=0.01, alpha="auto", target_entropy=target_entropy, steps_per_epoch=800)
    ac = sac(lambda: Target([-1], [1], [0.3]), ac_kwargs=dict(hidden_sizes=[16]), start_steps=200, **LEARN | settings)
    torch.manual_seed(0)
    _, logp = ac.pi(torch.ones(2000, 1), torch.randn(2000, 1))
    assert -logp.mean().item() == pytest.approx(expected, abs=0.3)  # untrained, it is about 0.6
    assert 0 < float(last_row()["Alpha"]) < 1


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "deviation"), [(0.02, 0.1), (0.18, 0.3)])
def test_a_fixed_temperature_trades_reward_for_entropy(alpha, deviation):
    # the best policy is proportional to exp(-(a - 0.3)^2 / alpha): nearly a Gaussian of variance alpha / 2
    settings = dict(lr=0.01, alpha=alpha, steps_per_epoch=1600)
    ac = sac(lambda: Target([-1], [1], [0.3]), ac_kwargs=dict(hidden_sizes=[16]), start_steps=200, **LEARN | settings)
    assert ac.act(np.ones((2000, 1))).std() == pytest.approx(deviation, rel=0.3)
    assert float(last_row()["Alpha"]) == pytest.approx(alpha)


# ---- an environment people know ----


@pytest.mark.slow
def test_sac_swings_the_pendulum_up_within_6000_steps():
    schedule = dict(steps_per_epoch=2000, epochs=3, start_steps=1000)
    sac(EnvFn("Pendulum-v1"), logger_kwargs=dict(output_dir="run"), **schedule)
    assert max(float(row["AverageTestEpRet"]) for row in all_rows()) > -250  # at random, it is about -1200
