import os
import subprocess
import sys
import tracemalloc
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

import spinup
from spinup.algos.pytorch import training
from spinup.errors import UserError
from spinup.experience.buffers import Batch, ReplayBuffer
from spinup.experience.vector_env import Step

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (2,), np.float32)
CONTINUOUS, DISCRETE = spaces.Box(-1, 1, (3,), np.float32), spaces.Discrete(5)
DRAWS = 2000  # enough to meet each of a few transitions


def store(buffer, ids, d=False, ended=False):
    """Store one row of transitions, each of which is recognised by its number in all that it holds."""
    ids = np.asarray(ids)
    column = np.stack([ids, -ids], -1)
    d, ended, none = np.full(len(ids), d), np.full(len(ids), ended | d), np.empty(0)
    step = Step(column + 0.5, ids * 10.0, d, ended, np.full_like(column, 1e6), none, none)
    buffer.store(column.astype(np.float32), np.stack([ids, ids + 1, ids + 2], -1), step)


def buffer_of(size):
    return ReplayBuffer(OBSERVATIONS, CONTINUOUS, size)


def ids_in(buffer, draws=DRAWS):
    """The transitions that come out, after a look at whether they are in one piece."""
    batch = buffer.sample(1, draws, np.random.default_rng(0))
    ids = batch.o[0, :, 0]
    np.testing.assert_array_equal(batch.o[0], np.stack([ids, -ids], -1))
    np.testing.assert_array_equal(batch.o2[0], np.stack([ids, -ids], -1) + 0.5)
    np.testing.assert_array_equal(batch.a[0], np.stack([ids, ids + 1, ids + 2], -1))
    np.testing.assert_array_equal(batch.r[0], ids * 10)
    return ids.astype(int)


# ---- what is kept ----


def test_only_what_is_filled_is_sampled():
    buffer = buffer_of(100)
    for i in (1, 2, 3):
        store(buffer, [i])
        assert len(buffer) == i
        assert {*ids_in(buffer)} == {*range(1, i + 1)}


def test_the_oldest_is_written_over_once_it_is_full():
    buffer = buffer_of(3)
    for i in range(1, 8):
        store(buffer, [i])
        assert {*ids_in(buffer)} == {*range(max(1, i - 2), i + 1)}
        assert len(buffer) == min(i, 3)


def test_several_rows_at_once_go_round_the_end():
    buffer = buffer_of(5)
    store(buffer, [1, 2, 3])
    store(buffer, [4, 5, 6])
    assert {*ids_in(buffer)} == {2, 3, 4, 5, 6}
    store(buffer, [7, 8, 9])
    assert {*ids_in(buffer)} == {5, 6, 7, 8, 9}


@pytest.mark.parametrize("before", [0, 1, 2])
def test_more_rows_at_once_than_it_holds(before):
    buffer = buffer_of(3)
    store(buffer, range(100, 100 + before))
    store(buffer, range(1, 9))
    assert {*ids_in(buffer)} == {6, 7, 8}
    store(buffer, [9])
    assert {*ids_in(buffer)} == {7, 8, 9}


@given(st.integers(1, 8), st.lists(st.integers(1, 10), min_size=1, max_size=12))
def test_it_keeps_what_a_deque_would(size, rows):
    buffer, kept, following = buffer_of(size), deque(maxlen=size), 1
    for n in rows:
        ids = range(following, following + n)
        store(buffer, ids)
        kept.extend(ids)
        following += n
    assert len(buffer) == len(kept)
    assert {*ids_in(buffer, 500)} == {*kept}


@pytest.mark.parametrize(("d", "ended", "stored"), [(False, False, 0), (False, True, 0), (True, True, 1)])
def test_truncation_is_not_stored_as_the_end_and_keeps_its_true_successor(d, ended, stored):
    buffer = buffer_of(3)
    store(buffer, [7], d, ended)
    batch = buffer.sample(1, 1, np.random.default_rng(0))
    assert batch.d.item() == stored
    assert batch.o2.tolist() == [[[7.5, -6.5]]], "not the 1e6 of the reset that followed"


# ---- samples ----


@pytest.mark.parametrize(("space", "shape", "dtype"), [(CONTINUOUS, (3,), np.float32), (DISCRETE, (), np.int64)])
def test_samples_have_the_shapes_and_types_of_their_docstring(space, shape, dtype):
    buffer, none = ReplayBuffer(OBSERVATIONS, space, 10), np.empty(0)
    a = np.stack([space.sample() for _ in range(2)]).astype(np.int32 if space is DISCRETE else np.float64)
    ends = np.array([False, True])
    buffer.store(np.zeros((2, 2)), a, Step(np.zeros((2, 2)), np.zeros(2), ends, ends, np.zeros((2, 2)), none, none))
    batch = buffer.sample(4, 6, np.random.default_rng(0))
    assert [x.shape for x in batch] == [(4, 6, 2), (4, 6, *shape), (4, 6), (4, 6, 2), (4, 6)]
    assert [x.dtype for x in batch] == [np.float32, dtype, np.float32, np.float32, np.float32]


def test_samples_are_uniform_and_independent():
    buffer = buffer_of(8)
    store(buffer, range(8))
    batch = buffer.sample(2, 8000, np.random.default_rng(0))
    first, second = batch.o[..., 0].astype(int)
    np.testing.assert_allclose(np.bincount(first), 1000, atol=5 * 1000**0.5)
    assert abs((first == second).mean() - 1 / 8) < 0.02
    assert abs((first[1:] == first[:-1]).mean() - 1 / 8) < 0.02


def test_samples_follow_the_generator_alone():
    buffer = buffer_of(8)
    store(buffer, range(8))
    np.random.seed(0)
    one = buffer.sample(3, 4, np.random.default_rng(5))
    np.random.seed(1)
    np.testing.assert_array_equal(one.o, buffer.sample(3, 4, np.random.default_rng(5)).o)
    assert not np.array_equal(one.o, buffer.sample(3, 4, np.random.default_rng(6)).o)


def test_samples_are_copies():
    buffer = buffer_of(2)
    store(buffer, [1])
    batch = buffer.sample(1, 1, np.random.default_rng(0))
    store(buffer, [2, 3])
    assert batch.o.tolist() == [[[1, -1]]]


# ---- memory ----

ANT = spaces.Box(-np.inf, np.inf, (105,)), spaces.Box(-1, 1, (8,)), 1_000_000


def test_a_million_transitions_of_ant_take_less_than_a_gigabyte():
    tracemalloc.start()
    try:
        buffer = ReplayBuffer(*ANT)
        reserved, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(buffer) == 0
    assert reserved == pytest.approx(1e6 * (8 * 105 + 4 * 8 + 8), rel=1e-3)
    assert reserved < 1.0e9


MEASURED = """
import numpy as np, psutil
from gymnasium import spaces
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.vector_env import Step

process = psutil.Process()
before = process.memory_info().rss
buffer, none = ReplayBuffer(spaces.Box(-np.inf, np.inf, (105,)), spaces.Box(-1, 1, (8,)), 1_000_000), np.empty(0)
print(process.memory_info().rss - before)
n = 50_000
o, zero = np.ones((n, 105), np.float32), np.zeros(n)
step = Step(o, zero, zero, zero, o, none, none)
buffer.store(o, np.ones((n, 8), np.float32), step)
print(process.memory_info().rss - before - o.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count resident memory in other ways")
def test_memory_is_taken_as_it_fills():
    # in a fresh process: what other tests left on the heap would be used again, and set to 0 at once
    env = {**os.environ, "PYTHONPATH": str(Path(spinup.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", MEASURED], env=env, capture_output=True, text=True, check=True)
    empty, filled = map(int, done.stdout.split())
    assert empty < 20e6
    assert 0.9 * 50_000 * 880 < filled < 1.5 * 50_000 * 880


@pytest.mark.parametrize("size", [10**16, 10**30])
def test_more_than_memory_holds_is_refused(size):
    with pytest.raises(UserError, match=f"replay_size={size} .*choose a smaller one"):
        buffer_of(size)


# ---- from the buffer to the equations ----


def test_to_tensors_keeps_names_types_and_values():
    buffer = buffer_of(4)
    store(buffer, [1, 2, 3])
    arrays = buffer.sample(2, 3, np.random.default_rng(0))
    tensors = training.to_tensors(arrays, torch.device("cpu"))
    assert type(tensors) is Batch
    for array, tensor in zip(arrays, tensors, strict=True):
        assert tensor.dtype is torch.float32
        np.testing.assert_array_equal(array, tensor)
    discrete = arrays._replace(a=np.array([[1, 2, 3]]))
    assert training.to_tensors(discrete, "cpu").a.dtype is torch.int64


def test_minibatches_are_the_first_axis():
    buffer = buffer_of(4)
    store(buffer, [1, 2, 3])
    batches = training.to_tensors(buffer.sample(5, 3, np.random.default_rng(0)), "cpu")
    minibatches = [*training.minibatches(batches)]
    assert len(minibatches) == 5
    for k, minibatch in enumerate(minibatches):
        assert type(minibatch) is Batch
        for leaf, of_all in zip(minibatch, batches, strict=True):
            assert torch.equal(leaf, of_all[k])


def test_the_logs_of_all_steps_are_stacked_as_numpy():
    x = torch.ones(1, requires_grad=True)
    log = training.stack([dict(Loss=(x * k).sum(), Vals=x.expand(4) * k) for k in (1, 2, 3)])
    assert log["Loss"].tolist() == [1, 2, 3]
    assert log["Vals"].tolist() == [[1] * 4, [2] * 4, [3] * 4]
    assert all(isinstance(value, np.ndarray) for value in log.values())
