import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_envs import Counter

from spinup.experience.envs import EnvFn
from spinup.experience.evaluation import run_episodes
from spinup.experience.vector_env import VectorEnv


def counters(lengths, end="terminate", max_ep_len=None):
    """One Counter for each of ``lengths``: a whole episode of ``n`` steps pays 1 + 2 + ... + n."""
    waiting = iter(lengths)
    return VectorEnv(lambda: Counter(end, next(waiting)), len(lengths), 0, max_ep_len)


def sit(o):
    return np.zeros(len(o), int)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_each_environment_counts_its_first_episode_whole_and_alone(lengths):
    # the short ones begin several more while the longest is under way
    ep_ret, ep_len = run_episodes(sit, counters(lengths), seed=0)
    assert ep_len.tolist() == lengths
    assert ep_ret.tolist() == [n * (n + 1) / 2 for n in lengths]


@pytest.mark.parametrize("end", ["terminate", "truncate", "both"])
def test_an_episode_ends_in_any_way(end):
    assert run_episodes(sit, counters([3, 5], end), seed=0)[1].tolist() == [3, 5]


def test_an_endless_episode_ends_by_its_time_limit():
    ep_ret, ep_len = run_episodes(sit, counters([3, 3], None, max_ep_len=7), seed=0)
    assert (ep_ret.tolist(), ep_len.tolist()) == ([28, 28], [7, 7])


def test_types_and_shapes():
    ep_ret, ep_len = run_episodes(sit, counters([1, 2, 3]), seed=0)
    assert (ep_ret.shape, ep_ret.dtype) == ((3,), np.float64)
    assert (ep_len.shape, ep_len.dtype) == ((3,), int)


def test_no_more_steps_than_the_longest_needs():
    seen = []
    run_episodes(lambda o: seen.append(o) or sit(o), counters([2, 6, 3]), seed=0)
    assert len(seen) == 6
    assert {o.shape for o in seen} == {(3, 1)}


def test_an_environment_is_evaluated_again_from_the_start():
    envs = counters([2, 4])
    assert run_episodes(sit, envs, seed=0)[1].tolist() == [2, 4]
    assert run_episodes(sit, envs, seed=0)[1].tolist() == [2, 4]


@pytest.mark.parametrize("env_name", ["CartPole-v1", "Pendulum-v1"])
def test_the_same_seed_gives_the_same_episodes_and_another_seed_others(env_name):
    envs = VectorEnv(EnvFn(env_name), 3, 0)
    space = envs.action_space

    def act(o):
        return np.full((3, *space.shape), o[0, 0] > 0, space.dtype)

    one, two, other = (run_episodes(act, envs, seed) for seed in ([7, 1], [7, 1], [7, 2]))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert len({*one[0]}) == 3, "no two copies start alike"


def test_the_first_epochs_evaluation_does_not_replay_the_training_environments():
    train, test = (VectorEnv(EnvFn("Pendulum-v1"), 1, 7) for _ in range(2))
    starts = []
    run_episodes(lambda o: starts.append(o[0]) or np.zeros((1, 1)), test, seed=[7, 1])
    assert not np.allclose(train.reset(), starts[0])
