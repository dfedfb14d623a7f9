"""The JAX algorithms learn what those of PyTorch do, with their settings; a run repeats itself and compiles once."""

import csv
import importlib
from functools import partial

import jax
import numpy as np
import pytest
import test_learning
import test_learning_off_policy
from gymnasium import spaces
from test_learning_off_policy import DEAD, FOREVER, LEARN
from toy_envs import Identity, Steady, Target
from toy_parity import compiled_update

from spinup.algos.jax.dqn import dqn
from spinup.experience.envs import EnvFn

# ---- the best action ----


def in_jax(algorithm):
    """The JAX twin of a training function of PyTorch, whose settings it keeps."""
    module = importlib.import_module(algorithm.func.__module__.replace("pytorch", "jax"))
    return partial(getattr(module, algorithm.func.__name__), **algorithm.keywords)


SMALL = dict(ac_kwargs=dict(hidden_sizes=[8]), vf_lr=0.02, train_v_iters=20, logger_kwargs=dict(output_dir="run"))
ON_POLICY = {name: partial(in_jax(f), **SMALL) for name, f in test_learning.ALGORITHMS.items()}
OFF_POLICY = {
    name: partial(in_jax(f), **LEARN | dict(ac_kwargs=dict(hidden_sizes=[32, 32]), start_steps=400))
    for name, f in test_learning_off_policy.ALGORITHMS.items()
}
FAST_DQN = dict(q_lr=0.01, epsilon_steps=200, steps_per_epoch=400, update_after=100, ac_kwargs=dict(hidden_sizes=[16]))
NAMES_DIGITS = {name: partial(f, steps_per_epoch=200, epochs=25) for name, f in ON_POLICY.items()}
NAMES_DIGITS["dqn"] = partial(dqn, **LEARN | FAST_DQN)
HITS_TARGETS = {name: partial(f, steps_per_epoch=100, epochs=40) for name, f in ON_POLICY.items()} | OFF_POLICY


def quick(names, *chosen):
    """``names``; those not ``chosen`` count as slow, as elsewhere each learns in PyTorch and is the same in JAX."""
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("algorithm", quick(NAMES_DIGITS, "trpo", "dqn"))
def test_discrete_actions_are_learned(algorithm):
    agent = NAMES_DIGITS[algorithm](lambda: Identity(4))
    np.testing.assert_array_equal(agent.act(np.eye(4), deterministic=True), np.arange(4))


@pytest.mark.parametrize("algorithm", quick(HITS_TARGETS, "ppo", "sac"))
def test_continuous_actions_are_learned(algorithm):
    # between -1 and 3, and off-policy between 0 and 0.5 too; untrained, they are about half a half range away
    dimensions = 2 if algorithm in OFF_POLICY else 1
    low, high, goal, half_range = np.array([[-1, 0], [3, 0.5], [2, 0.1], [2, 0.25]])[:, :dimensions]
    ac = HITS_TARGETS[algorithm](partial(Target, low, high, goal, half_range))
    error = (ac.act(np.ones(1), deterministic=True) - goal) / half_range
    np.testing.assert_allclose(error, 0, atol=0.2)


# ---- what values become where an episode ends: r = 1, gamma = 1/2, and all observations and actions are the same ----

ENDS = {  # the environment's own way, and our time limit
    (None, 1000): FOREVER,  # on-policy, only the rollout ends
    (None, 7): FOREVER,  # our time limit is no death
    ("truncate", 1000): FOREVER,  # nor is the environment's own
    ("terminate", 1000): DEAD,
    ("both", 1000): DEAD,  # death counts, whatever the clock says
    ("terminate", 1): DEAD,  # our time limit too
}
FAST = dict(steps_per_epoch=200, update_after=20, update_every=20, batch_size=16, polyak=0.0)
CONSTANTS = LEARN | FAST | dict(ac_kwargs=dict(hidden_sizes=[]))
RATES = {"ddpg": dict(q_lr=0.05), "td3": dict(q_lr=0.05), "sac": dict(lr=0.05, alpha=0.0)}
EVALUATES = {name: partial(ON_POLICY[name], steps_per_epoch=8, epochs=10) for name in ("vpg", "trpo", "ppo")}
EVALUATES["dqn"] = partial(dqn, **CONSTANTS | dict(epsilon=1.0, q_lr=0.05))
EVALUATES |= {name: partial(OFF_POLICY[name], **CONSTANTS | RATES[name] | dict(start_steps=200)) for name in RATES}


def values_learned(algorithm, end, max_ep_len):
    space = spaces.Box(-1, 1, (1,)) if algorithm in OFF_POLICY else spaces.Discrete(2)
    logger = dict(output_dir=f"run-{end}-{max_ep_len}")
    constants = dict(gamma=0.5, max_ep_len=max_ep_len, logger_kwargs=logger)
    ac = EVALUATES[algorithm](lambda: Steady(end, action_space=space), **constants)
    o, a = np.ones((3, 1)), np.float32([[-0.5], [0], [0.5]])
    return ac.v(o) if algorithm in ON_POLICY else ac.q(o) if algorithm == "dqn" else ac.q(o, a)


@pytest.mark.parametrize("algorithm", quick(EVALUATES, "vpg", "td3"))
def test_value_is_bootstrapped_if_and_only_if_the_episode_did_not_terminate(algorithm):
    for case, expected in ENDS.items():
        np.testing.assert_allclose(values_learned(algorithm, *case), expected, rtol=0, atol=0.1, err_msg=str(case))


# ---- the same seed, and one compilation ----

BRIEF_ON_POLICY = dict(steps_per_epoch=40, epochs=3)
BRIEF_OFF_POLICY = BRIEF_ON_POLICY | dict(update_after=20, update_every=20, batch_size=8, num_test_episodes=1)
BRIEF = {name: partial(f, **BRIEF_ON_POLICY) for name, f in ON_POLICY.items()}
BRIEF["dqn"] = partial(dqn, **BRIEF_OFF_POLICY)
BRIEF |= {name: partial(f, **BRIEF_OFF_POLICY | dict(start_steps=20)) for name, f in OFF_POLICY.items()}


def train_briefly(algorithm, folder, seed):
    """Run a few updates; returns the rows of progress.txt without the column that tells wall-clock time."""
    constants = dict(ac_kwargs=dict(hidden_sizes=[4]), max_ep_len=15, seed=seed, logger_kwargs=dict(output_dir=folder))
    env_fn = EnvFn("CartPole-v1" if algorithm == "dqn" else "Pendulum-v1")
    BRIEF[algorithm](env_fn, **constants)
    with open(folder / "progress.txt", newline="") as file:
        return [{key: x for key, x in row.items() if key != "Time"} for row in csv.DictReader(file, delimiter="\t")]


@pytest.fixture(scope="module", params=BRIEF)
def runs(request, tmp_path_factory):
    """Three runs of an algorithm, of seeds 3, 3 and 4, and how often they compiled ``update`` between them."""
    folder, update = tmp_path_factory.mktemp("runs"), compiled_update(module_of(request.param))
    update.clear_cache()
    tables = [train_briefly(request.param, folder / f"run{n}", seed) for n, seed in enumerate((3, 3, 4))]
    return *tables, update._cache_size()


def module_of(algorithm):
    return importlib.import_module(BRIEF[algorithm].func.__module__)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_and_another_seed_another(runs):
    first, same, other, _ = runs
    assert len(first) == 3
    assert first == same != other


def test_update_is_compiled_once(runs):
    assert runs[-1] == 1


@pytest.mark.parametrize("algorithm", BRIEF)
def test_update_works_in_the_memory_of_the_agent_it_improves(algorithm, monkeypatch, tmp_path):
    update, given = module_of(algorithm).update, []

    def spy(learner, *rest, **constants):
        given.append(learner)
        return update(learner, *rest, **constants)

    monkeypatch.setattr(f"{BRIEF[algorithm].func.__module__}.update", spy)
    train_briefly(algorithm, tmp_path / "run", 3)  # goes on acting, saving and evaluating between its updates
    assert len(given) == (3 if algorithm in ON_POLICY else 6)
    assert all(x.is_deleted() for x in jax.tree.leaves(given[0]))
