import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinup.errors import UserError
from spinup.experience.buffers import RolloutBuffer, discount_cumsum, gae
from spinup.experience.vector_env import Step

NO, YES = False, True


def bools(*values):
    return np.array(values, bool)


# ---- discount_cumsum ----


def test_discount_cumsum_by_hand():
    # 1 + 0.5 * (2 + 0.5 * 4) = 3,  2 + 0.5 * 4 = 4,  4
    y = discount_cumsum(np.array([1.0, 2.0, 4.0]), 0.5, bools(NO, NO, YES))
    np.testing.assert_array_equal(y, [3, 4, 4])


def test_discount_cumsum_does_not_reach_across_the_end_of_an_episode():
    # the second step ends an episode: it keeps its own reward alone
    y = discount_cumsum(np.array([1.0, 2.0, 4.0, 8.0]), 0.5, bools(NO, YES, NO, YES))
    np.testing.assert_array_equal(y, [1 + 0.5 * 2, 2, 4 + 0.5 * 8, 8])


def test_discount_cumsum_keeps_environments_apart():
    x = np.array([[1.0, 10.0], [2.0, 20.0]])
    y = discount_cumsum(x, 0.5, np.array([[NO, YES], [YES, YES]]))
    np.testing.assert_array_equal(y, [[2, 10], [2, 20]])


@pytest.mark.parametrize(("discount", "expected"), [(0.0, [1, 2, 4]), (1.0, [7, 6, 4])])
def test_discount_cumsum_at_the_ends_of_its_range(discount, expected):
    np.testing.assert_array_equal(discount_cumsum(np.array([1.0, 2.0, 4.0]), discount, bools(NO, NO, NO)), expected)


def test_discount_cumsum_of_integers_is_not_rounded():
    np.testing.assert_array_equal(discount_cumsum(np.array([1, 1]), 0.5, bools(NO, YES)), [1.5, 1])


# ---- gae ----

# Three steps, gamma = lam = 1/2, so deltas are summed with 1/4. r = 1, 2, 3; V(o) = 4, 8, 16; V(o2) = 8, 16, 32.
R, V, V2 = np.array([1.0, 2.0, 3.0]), np.array([4.0, 8.0, 16.0]), np.array([8.0, 16.0, 32.0])


def gae_at_half(d, ended, gamma=0.5, lam=0.5):
    return gae(R, V, V2, bools(*d), bools(*ended), gamma, lam)


def test_gae_is_bootstrapped_at_the_end_of_the_rollout():
    # deltas: 1 + 4 - 4 = 1,  2 + 8 - 8 = 2,  3 + 16 - 16 = 3
    # sums:   1 + 2.75 / 4,   2 + 3 / 4,      3
    np.testing.assert_array_equal(gae_at_half([NO, NO, NO], [NO, NO, YES]), [1.6875, 2.75, 3])


def test_gae_after_termination_expects_nothing():
    # the second delta is 2 - 8 = -6, and the sum before it stops there: 1 - 6 / 4 = -0.5
    np.testing.assert_array_equal(gae_at_half([NO, YES, NO], [NO, YES, YES]), [-0.5, -6, 3])


def test_gae_after_truncation_expects_the_value_of_the_true_successor():
    # the second delta stays 2 + 8 - 8 = 2, and the sum before it stops there: 1 + 2 / 4 = 1.5
    np.testing.assert_array_equal(gae_at_half([NO, NO, NO], [NO, YES, YES]), [1.5, 2, 3])


def test_gae_when_termination_and_truncation_meet_expects_nothing():
    # ``ended`` is their union, so a step that does both looks like one that terminates: 3 - 16 = -13
    # 2 - 13 / 4 = -1.25,  1 - 1.25 / 4 = 0.6875
    np.testing.assert_array_equal(gae_at_half([NO, NO, YES], [NO, NO, YES]), [0.6875, -1.25, -13])


def test_gae_with_lam_0_is_the_one_step_advantage():
    np.testing.assert_array_equal(gae_at_half([NO, NO, YES], [NO, NO, YES], lam=0), [1, 2, -13])


def test_gae_with_lam_1_is_the_return_minus_the_value():
    # returns, bootstrapped with 32: 3 + 16 = 19,  2 + 19 / 2 = 11.5,  1 + 11.5 / 2 = 6.75
    np.testing.assert_array_equal(gae_at_half([NO, NO, NO], [NO, NO, YES], lam=1), [2.75, 3.5, 3])


def test_gae_with_gamma_0_is_the_reward_minus_the_value():
    np.testing.assert_array_equal(gae_at_half([NO, NO, NO], [NO, NO, YES], gamma=0, lam=1), [-3, -6, -13])


@pytest.mark.parametrize("dtype", [bool, int, float])
def test_ends_may_be_bools_or_numbers(dtype):
    x, ended = np.array([1.0, 2.0]), np.array([YES, NO])
    np.testing.assert_array_equal(discount_cumsum(x, 0.5, ended.astype(dtype)), [1, 2])
    np.testing.assert_array_equal(gae(x, x, x, ended.astype(dtype), ended.astype(dtype), 0.5, 0.5), [0, 1])


@st.composite
def rollouts(draw):
    """Rewards, values and ends of [T, N] steps, where V(o2) is V of the next step's o unless an episode ended."""
    shape = (draw(st.integers(1, 8)), draw(st.integers(1, 3)))
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    r, v, beyond = numbers.normal(size=(3, *shape))
    d, truncated = numbers.random((2, *shape)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    ended = d | truncated
    ended[-1] = True
    v2 = np.where(ended, beyond, np.roll(v, -1, axis=0))
    return r, v, v2, d, ended


def n_step_advantage(n, t, r, v, v2, d, gamma):
    """r_t + ... + gamma^(n-1) r_(t+n-1) + gamma^n V - V_t, the paper's equations 11 to 14."""
    rewards = sum(gamma**i * r[t + i] for i in range(n))
    last = t + n - 1
    return rewards + gamma**n * (0 if d[last] else v2[last]) - v[t]


def gae_by_definition(r, v, v2, d, ended, gamma, lam):
    """(1 - lam) (A^(1) + lam A^(2) + ...), equation 16; beyond the last step k, every A^(n) is A^(k)."""
    adv = np.zeros_like(r)
    for t in range(len(r)):
        k = 1 + next(i for i in range(len(r) - t) if ended[t + i])
        weights = [(1 - lam) * lam ** (n - 1) for n in range(1, k)] + [lam ** (k - 1)]
        adv[t] = sum(w * n_step_advantage(n, t, r, v, v2, d, gamma) for n, w in enumerate(weights, start=1))
    return adv


@given(rollouts(), st.floats(0, 1), st.floats(0, 1))
def test_gae_is_the_weighted_mean_of_n_step_advantages(rollout, gamma, lam):
    adv = gae(*rollout, gamma, lam)
    for env in range(adv.shape[1]):
        column = (x[:, env] for x in rollout)
        np.testing.assert_allclose(adv[:, env], gae_by_definition(*column, gamma, lam), atol=1e-12)


# ---- RolloutBuffer ----


def steps(r, d, ended, o2, o):
    """One Step a row; observations are their own first number, and ``value`` below is ten times that."""

    def column(x, dtype=np.float32):
        return np.array(x, dtype)[:, None]

    none = np.empty(0)
    return [
        Step(column(o2[t]), np.array(r[t]), bools(*d[t]), bools(*ended[t]), column(o[t]), none, none)
        for t in range(len(r))
    ]


def value(o):
    assert o.ndim == 2
    return 10 * o[:, 0]


def fill(buffer, first, actions, steps):
    o = np.array(first, np.float32)[:, None]
    for a, step in zip(actions, steps, strict=True):
        buffer.store(o, np.asarray(a), step)
        o = step.o


def two_environments():
    """Two steps of two environments: the first is truncated at once, at the true successor 5, and goes on from 6."""
    return steps(
        r=[[1.0, 2.0], [3.0, 4.0]],
        d=[[NO, NO], [NO, YES]],
        ended=[[YES, NO], [NO, YES]],
        o2=[[5, 2], [7, 3]],
        o=[[6, 2], [7, 0]],
    )


def test_finish_by_hand():
    buffer = RolloutBuffer(gamma=0.5, lam=0.5)
    fill(buffer, [0, 1], [[[0.1], [0.2]], [[0.3], [0.4]]], two_environments())
    batch = buffer.finish(value)

    np.testing.assert_array_equal(batch.o[:, 0], [0, 1, 6, 2])  # time first, then environment
    np.testing.assert_allclose(batch.a[:, 0], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(batch.v, [0, 10, 60, 20])
    # environment 0: 1 + 50 / 2 = 26 (truncated at 5), 3 + 70 / 2 = 38 (the rollout ends at 7)
    # environment 1: 2 + 4 / 2 = 4, 4 (terminated)
    np.testing.assert_array_equal(batch.ret, [26, 4, 38, 4])
    # deltas of environment 0: 1 + 25 - 0 = 26, 3 + 35 - 60 = -22, each cut off
    # deltas of environment 1: 2 + 10 - 10 = 2, 4 - 20 = -16, the first followed by the second: 2 - 16 / 4 = -2
    adv = np.array([26, -2, -22, -16])
    np.testing.assert_allclose(batch.adv, (adv - adv.mean()) / adv.std(), rtol=1e-6)


def test_finish_takes_the_true_successor_of_an_episode_not_the_reset_after_it():
    buffer = RolloutBuffer(gamma=1.0, lam=1.0)
    fill(buffer, [0], [[0]], steps([[0.0]], [[NO]], [[YES]], o2=[[3]], o=[[1000]]))
    assert buffer.finish(value).ret == 30


def test_finish_cuts_the_rollout_without_ending_the_episode():
    buffer = RolloutBuffer(gamma=1.0, lam=1.0)
    fill(buffer, [0], [[0]], steps([[1.0]], [[NO]], [[NO]], o2=[[1]], o=[[1]]))
    assert buffer.finish(value).ret == 1 + 10
    fill(buffer, [1], [[0]], steps([[1.0]], [[YES]], [[YES]], o2=[[2]], o=[[0]]))
    batch = buffer.finish(value)
    assert batch.ret == 1, "the first step was forgotten, and nothing follows a termination"
    assert batch.o == 1


def test_rewards_whose_sum_overflows_float32_are_told():
    buffer = RolloutBuffer(gamma=1.0, lam=1.0)
    fill(buffer, [0], [[0], [0]], steps([[2e38], [2e38]], [[NO]] * 2, [[NO]] * 2, [[1], [2]], [[1], [2]]))
    with pytest.raises(UserError, match=r"The rewards add up to 4e\+38, which overflows float32"):
        buffer.finish(value)


def test_finish_leaves_the_stored_steps_as_they_were():
    buffer, stored = RolloutBuffer(0.9, 0.9), two_environments()
    fill(buffer, [0, 1], [[0, 1], [1, 0]], stored)
    buffer.finish(value)
    np.testing.assert_array_equal(stored[-1].ended, [NO, YES])


def test_finish_gives_float32_and_whole_actions():
    buffer = RolloutBuffer(0.9, 0.9)
    fill(buffer, [0, 1], [[0, 1], [2, 3]], two_environments())
    batch = buffer.finish(lambda o: value(o).astype(np.float32))
    assert batch.a.dtype == np.int64
    np.testing.assert_array_equal(batch.a, [0, 1, 2, 3])
    assert {x.dtype for x in (batch.o, batch.ret, batch.adv, batch.v)} == {np.dtype(np.float32)}
    assert {x.shape for x in (batch.a, batch.ret, batch.adv, batch.v)} == {(4,)}
    assert batch.o.shape == (4, 1)


@pytest.mark.parametrize("length", [1, 3])
def test_equal_advantages_become_0(length):
    # reward 0.1, value 0 and gamma 0 everywhere: a standard deviation of 0
    rows = [[0.1]] * length
    ends, places = [[YES]] * length, [[0]] * length
    buffer = RolloutBuffer(gamma=0.0, lam=1.0)
    fill(buffer, [0], [[0]] * length, steps(rows, ends, ends, places, places))
    np.testing.assert_allclose(buffer.finish(value).adv, 0, atol=1e-6)


@given(rollouts(), st.floats(0, 1))
def test_with_lam_1_returns_are_values_plus_advantages(rollout, gamma):
    r, v, v2, d, ended = rollout
    ret = discount_cumsum(r + gamma * (ended & ~d) * v2, gamma, ended)
    np.testing.assert_allclose(gae(r, v, v2, d, ended, gamma, lam=1.0), ret - v, atol=1e-12)


@given(rollouts(), st.floats(0, 1), st.floats(0, 1))
def test_finish_normalises_the_advantages_of_the_whole_epoch(rollout, gamma, lam):
    r, v, v2, d, ended = rollout
    places = [*range(len(r))]  # observations are indices into the values; successors follow all of them
    buffer = RolloutBuffer(gamma, lam)
    nothing = np.empty(0)
    for t in places:
        rows = np.arange(r.shape[1]) + t * r.shape[1]
        o, o2 = (x.astype(np.float64)[:, None] for x in (rows, rows + r.size))
        buffer.store(o, rows, Step(o2, r[t], d[t], ended[t], o, nothing, nothing))
    table = np.concatenate([v.ravel(), v2.ravel()])
    batch = buffer.finish(lambda o: table[o[:, 0].astype(int)])
    adv = gae(*rollout, gamma, lam).ravel()
    np.testing.assert_allclose(batch.adv * (adv.std() + 1e-8), adv - adv.mean(), atol=1e-5)
    np.testing.assert_array_equal(batch.a, np.arange(r.size))
