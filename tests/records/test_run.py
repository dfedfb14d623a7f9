"""``Run`` by itself, as a custom training function would use it: its columns, its saves, and how it resumes."""

import csv
import itertools
import os
import signal
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from gymnasium import spaces
from toy_envs import Counter

import spinup
from spinup.backends import about
from spinup.errors import UserError
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.vector_env import VectorEnv
from spinup.records.checkpoints import Checkpoint
from spinup.records.config import read_config
from spinup.records.directory import checkpoint_files, last_epoch
from spinup.records.logger import EpochLogger
from spinup.records.run import Run

OBSERVATIONS, ACTIONS = Counter().observation_space, spaces.Discrete(2)
COLUMNS = "EpRet* EpLen TotalEnvInteracts Loss"
BACKENDS = ["pytorch", "jax"]
every_backend = pytest.mark.parametrize("backend", BACKENDS)


class Learner(NamedTuple):
    """An agent, and how far its parameters have moved."""

    ac: Any
    moved: Any


def new_learner(backend):
    """A learner of this backend, the same each time."""
    np.random.seed(0)
    torch.manual_seed(0)
    agent = import_module(f"spinup.algos.{backend}.core").DQNAgent
    if backend == "jax":
        return Learner(agent.create(OBSERVATIONS, ACTIONS, [2]), jnp.zeros(()))
    return Learner(agent(OBSERVATIONS, ACTIONS, [2]), torch.zeros(()))


@torch.no_grad()
def update(learner, x):
    """Move every parameter by ``x``: PyTorch in place, JAX by another learner."""
    if isinstance(learner.moved, jax.Array):
        return jax.tree.map(lambda leaf: leaf + x, learner)
    for p in [*learner.ac.parameters(), learner.moved]:
        p += x
    return learner


def arrays_of(learner, backend):
    return import_module(f"spinup.algos.{backend}.backend").arrays_of(learner)


class Trained(NamedTuple):
    """What a call of ``train`` saw."""

    learner: Learner
    epochs: list[int]
    steps: list[list[int]]  # of each epoch


def train(backend="pytorch", columns=COLUMNS, learner=None, env_fn=lambda: Counter(length=7), replay=True, **changes):
    """A training function that learns nothing from random actions, but moves its parameters at random."""
    config = dict(env_fn=env_fn, epochs=4, steps_per_epoch=10, num_envs=1, save_freq=1, snapshots=False, resume=False)
    config |= dict(logger_kwargs=dict(output_dir="run")) | changes
    envs = VectorEnv(env_fn, config["num_envs"], 3)
    envs.for_tests(1)
    rng, buffer = np.random.default_rng(5), ReplayBuffer(OBSERVATIONS, ACTIONS, 15)
    learner = learner or new_learner(backend)

    run = Run(config, columns, envs, buffer=buffer if replay else None, rng=rng)
    learner = run.restore(learner)
    epochs, steps = [], []
    for epoch in run.epochs():
        epochs.append(epoch)
        steps.append([])
        for t in run.steps():
            o = envs.o
            a = envs.sample_actions()
            step = envs.step(a)
            buffer.store(o, a, step)
            run.store(EpRet=step.ep_ret, EpLen=step.ep_len)
            steps[-1].append(t)
        x = buffer.sample(1, 2, rng).o.sum().item() + rng.normal() + np.random.normal()
        learner = update(learner, np.float32(x / 100))
        run.store(Loss=[x, 2 * x])
        run.end_epoch(learner)
    return Trained(learner, epochs, steps)


def rows(folder="run"):
    with open(f"{folder}/progress.txt", newline="") as file:
        return [*csv.DictReader(file, delimiter="\t")]


def in_folder(name, **more):
    return dict(logger_kwargs=dict(output_dir=name), **more)


# ---- rows ----


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (COLUMNS, "AverageEpRet StdEpRet MaxEpRet MinEpRet EpLen TotalEnvInteracts Loss"),
        ("Loss* EpLen EpRet", "AverageLoss StdLoss MaxLoss MinLoss EpLen EpRet"),
        ("TotalEnvInteracts Loss EpLen*", "TotalEnvInteracts Loss AverageEpLen StdEpLen MaxEpLen MinEpLen"),
        ("", ""),
    ],
)
def test_columns_come_in_the_order_given_between_epoch_and_time(columns, expected):
    train(columns=columns)
    assert [*rows()[0]] == ["Epoch", *expected.split(), "Time"]
    assert [row["Epoch"] for row in rows()] == ["0", "1", "2", "3"]


def test_a_star_stands_for_average_deviation_maximum_and_minimum():
    # episodes of 2 and 3 steps, which pay 1 + 2 and 1 + 2 + 3; in 6 steps of each there are 3 and 2 of them
    lengths = itertools.chain([2, 3], itertools.repeat(2))
    train(env_fn=lambda: Counter(length=next(lengths)), num_envs=2, steps_per_epoch=12, epochs=1)
    (row,) = rows()
    returns, ep_len = [3, 3, 3, 6, 6], (3 * 2 + 2 * 3) / 5
    for name, value in dict(Average=np.mean(returns), Std=np.std(returns), Max=6, Min=3).items():
        assert float(row[f"{name}EpRet"]) == pytest.approx(value)
    assert float(row["EpLen"]) == pytest.approx(ep_len)


def test_what_an_epoch_did_not_store_is_an_empty_cell():
    train(env_fn=lambda: Counter(length=15), columns=f"{COLUMNS} Never")
    assert [row["AverageEpRet"] == row["EpLen"] == "" for row in rows()] == [True, False, False, True]
    assert {row["Never"] for row in rows()} == {""}
    assert all(row["Loss"] for row in rows())


@pytest.mark.parametrize("num_envs", [1, 2, 5])
def test_steps_are_counted_over_all_environments_and_epochs(num_envs):
    steps = train(num_envs=num_envs, epochs=3).steps
    assert steps == [[*range(first, first + 10, num_envs)] for first in (0, 10, 20)]
    assert [row["TotalEnvInteracts"] for row in rows()] == ["10", "20", "30"]


def test_time_never_falls():
    train()
    times = [float(row["Time"]) for row in rows()]
    assert times == sorted(times) and times[0] >= 0


# ---- files ----


@every_backend
@pytest.mark.parametrize(
    ("save_freq", "epochs", "saved"),
    [(1, 4, [0, 1, 2, 3]), (2, 4, [0, 2, 3]), (3, 7, [0, 3, 6]), (4, 7, [0, 4, 6]), (10, 4, [0, 3]), (10, 1, [0])],
)
def test_the_agent_is_saved_every_save_freq_epochs_and_at_the_end(backend, save_freq, epochs, saved):
    learner = train(backend, save_freq=save_freq, epochs=epochs, snapshots=True).learner
    model = Path("run", about(backend).MODEL_FILE)
    found = {file.name for file in model.parent.iterdir()}
    assert found == {model.name.format(which) for which in ["", *saved]}
    assert sorted(checkpoint_files(Path("run"))) == saved[-2:]
    assert len(rows()) == epochs, "every epoch has its row"
    for itr in ("last", saved[-1]):
        agent = Learner(spinup.load("run", itr), learner.moved)
        for x, y in zip(arrays_of(agent, backend), arrays_of(learner, backend), strict=True):
            np.testing.assert_array_equal(x, y)
    if len(saved) > 1:
        before = Learner(spinup.load("run", saved[-2]), learner.moved)
        assert any((x != y).any() for x, y in zip(arrays_of(before, backend), arrays_of(learner, backend), strict=True))


@every_backend
def test_without_snapshots_the_last_agent_is_all_there_is(backend):
    train(backend)
    model = Path("run", about(backend).MODEL_FILE.format(""))
    assert [*model.parent.iterdir()] == [model]


def test_configuration_and_environment_are_there_from_the_start():
    def env_fn():
        return Counter(length=7)

    config = dict(env_fn=env_fn, resume=False, logger_kwargs=dict(output_dir="run", exp_name="mine"), width=3)
    run = Run(config, COLUMNS, VectorEnv(env_fn, 1, 0))
    assert {file.name for file in Path("run").iterdir()} == {".lock", "config.json", "vars.pkl"}
    config = read_config(Path("run"))
    assert (config["width"], config["exp_name"]) == (3, "mine")
    assert isinstance(run.logger, EpochLogger) and run.logger.output_dir == Path("run")


def test_a_run_is_neither_written_over_nor_resumed_as_another():
    train(epochs=2)
    before = {file: file.read_bytes() for file in Path("run").rglob("*") if file.is_file()}
    with pytest.raises(UserError, match="'run' already holds a run"):
        train(epochs=2)
    with pytest.raises(UserError, match="was trained with num_envs=1 and cannot be resumed with 2"):
        train(epochs=4, num_envs=2, resume=True)
    assert {file: file.read_bytes() for file in Path("run").rglob("*") if file.is_file()} == before


# ---- resume ----


def without_time(table):
    return [{key: cell for key, cell in row.items() if key != "Time"} for row in table]


@every_backend
@pytest.mark.parametrize("num_envs", [1, 2])
def test_a_resumed_run_continues_after_its_last_checkpoint_and_gives_the_same_rows(backend, num_envs):
    settings = dict(backend=backend, num_envs=num_envs)
    whole = train(**settings, **in_folder("whole", epochs=6))
    assert train(**settings, **in_folder("run", epochs=1)).epochs == [0]
    assert train(**settings, **in_folder("run", epochs=3, resume=True)).epochs == [1, 2]
    last = train(**settings, **in_folder("run", epochs=6, resume=True))
    assert (last.epochs, last.steps) == ([3, 4, 5], whole.steps[3:])
    assert without_time(rows("whole")) == without_time(rows("run"))
    for x, y in zip(arrays_of(whole.learner, backend), arrays_of(last.learner, backend), strict=True):
        np.testing.assert_array_equal(x, y)


def test_epochs_after_the_last_checkpoint_are_trained_again():
    train(**in_folder("whole", epochs=6, save_freq=2))
    train(**in_folder("run", epochs=6, save_freq=2))
    Path("run/checkpoint/epoch000005.npz").unlink()
    assert train(**in_folder("run", epochs=6, save_freq=2, resume=True)).epochs == [5]
    assert without_time(rows("whole")) == without_time(rows("run"))


def test_without_a_replay_buffer_every_epoch_has_its_checkpoint():
    train(epochs=4, save_freq=10, replay=False)
    assert sorted(checkpoint_files(Path("run"))) == [2, 3]
    train(**in_folder("off_policy", epochs=4, save_freq=10))
    assert sorted(checkpoint_files(Path("off_policy"))) == [0, 3]


class Impatient(Counter):
    """Ctrl-C is pressed in the middle of step ``when``, counted from 1 over all copies."""

    steps, when = 0, 0

    def step(self, action):
        Impatient.steps += 1
        if Impatient.steps == self.when:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(action)


@pytest.mark.parametrize(
    ("when", "said", "rest"),
    [
        (5, "Interrupted: nothing is saved yet.", [0, 1, 2, 3]),
        (25, "Interrupted: 'run' is saved up to the end of epoch 1. Resume with resume=True.", [2, 3]),
    ],
)
def test_ctrl_c_says_what_is_saved_and_how_to_go_on(when, said, rest, monkeypatch):
    monkeypatch.setattr(Impatient, "steps", 0)
    monkeypatch.setattr(Impatient, "when", when)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        train(env_fn=Impatient)
    assert str(interrupt.value) == said
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert train(env_fn=Impatient, resume=True).epochs == rest


def test_time_continues_where_it_was():
    train(epochs=2)
    lines = Path("run/progress.txt").read_text()
    train(epochs=4, resume=True)
    assert Path("run/progress.txt").read_text().startswith(lines)
    times = [float(row["Time"]) for row in rows()]
    assert times == sorted(times)


def test_resuming_where_there_is_nothing_is_a_new_run():
    train(**in_folder("new"))
    assert train(**in_folder("resumed", resume=True)).epochs == [0, 1, 2, 3]
    assert without_time(rows("new")) == without_time(rows("resumed"))


def test_a_finished_run_comes_back_with_its_learner():
    trained = train()
    again = train(resume=True)
    assert again.epochs == []
    assert again.learner.moved == trained.learner.moved != 0
    assert (last_epoch("run"), len(rows())) == (3, 4)


# ---- environments ----


@pytest.mark.parametrize("epochs_before", [0, 4])  # after 4, there is nothing left to train
def test_all_environments_are_closed_after_the_last_epoch(monkeypatch, epochs_before):
    if epochs_before:
        train(epochs=epochs_before, num_envs=2, env_fn=lambda: Closing([]))
    made, open_envs = [], []

    class Watching(Run):
        def end_epoch(self, learner):
            super().end_epoch(learner)
            open_envs.append(len(made) - sum(env.closed for env in made))

    monkeypatch.setitem(globals(), "Run", Watching)
    epochs = train(epochs=4, num_envs=2, env_fn=lambda: Closing(made), resume=True).epochs
    assert open_envs == [3] * len(epochs) == [3] * (4 - epochs_before), "two to train in and one to test in"
    assert len(made) >= 3 and all(env.closed for env in made)


class Closing(Counter):
    """Knows whether it has been closed; ``made`` gets every copy."""

    def __init__(self, made):
        super().__init__()
        self.closed = False
        made.append(self)

    def close(self):
        self.closed = True


# ---- agents that cannot be saved ----


@pytest.mark.parametrize("agent", [None, "agent", object(), np.zeros(3), torch.zeros(3), [torch.nn.Linear(1, 1)]])
def test_an_agent_of_no_backend_is_refused_before_the_first_epoch(agent):
    with pytest.raises(TypeError, match=r"is not an agent of any backend \(pytorch, jax\)$"):
        train(learner=Learner(agent, torch.zeros(())))
    assert not Path("run/progress.txt").exists() and not Path("run/checkpoint").exists()


@pytest.mark.parametrize("replay", [True, False])
def test_an_agent_that_diverges_keeps_what_was_saved_before(monkeypatch, replay):
    train(epochs=2, save_freq=5, replay=replay)
    before = {
        file: file.read_bytes() for folder in ("pyt_save", "checkpoint") for file in Path("run", folder).iterdir()
    }
    monkeypatch.setitem(globals(), "update", lambda learner, _: update_to_nan(learner))
    with pytest.raises(UserError, match="The agent has diverged"):
        train(epochs=4, save_freq=5, resume=True, replay=replay)
    for file, content in before.items():
        assert file.read_bytes() == content


@torch.no_grad()
def update_to_nan(learner):
    for p in learner.ac.parameters():
        p.fill_(float("nan"))
    return learner


# ---- its parts without it ----


@every_backend
def test_logger_and_checkpoint_can_be_used_without_a_run(backend):
    module = import_module(f"spinup.algos.{backend}.backend")

    def custom_loop(folder, epochs, resume=False):
        logger, envs = EpochLogger(folder, resume=resume), VectorEnv(lambda: Counter(length=7), 2, 0)
        checkpoint = Checkpoint(logger, envs)
        first, learner, _ = checkpoint.begin(new_learner(backend), module)
        for epoch in range(first, epochs):
            for _ in range(5):
                logger.store(EpLen=envs.step(envs.sample_actions()).ep_len)
            learner = update(learner, np.float32(np.random.normal()))
            logger.log_tabular("EpLen", average_only=True)
            logger.log_tabular("Moved", float(learner.moved))
            logger.dump_tabular()
            checkpoint.save(epoch, learner, module)
        return first

    assert custom_loop("whole", 6) == custom_loop("parts", 2) == 0
    assert custom_loop("parts", 6, resume=True) == 2
    assert rows("whole") == rows("parts")
