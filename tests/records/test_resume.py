"""A run that was interrupted and resumed ends as one that never was, for every algorithm and backend."""

import importlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_envs import Counter

import spinup
from spinup.backends import about
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.experience.vector_env import VectorEnv
from spinup.interrupts import interrupts_deferred
from spinup.records import checkpoints
from spinup.records.config import read_config
from spinup.records.directory import is_finished, last_epoch
from spinup.records.files import pack, unpack

ON_POLICY = dict(steps_per_epoch=60, num_envs=2)
OFF_POLICY = dict(steps_per_epoch=60, update_after=40, update_every=20, batch_size=8, num_test_episodes=1)
ALGORITHMS = [(algo, backend) for backend, algos in spinup.ALGORITHMS.items() for algo in algos]
every_algorithm = pytest.mark.parametrize(("algo", "backend"), ALGORITHMS)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(algo, backend, folder, epochs=6, **kwargs):
    """A few epochs; the time limit cuts episodes at other moments than epochs end, and the replay buffer overflows."""
    settings = dict(ac_kwargs=dict(hidden_sizes=[4]), seed=7, max_ep_len=23, save_freq=2, **ON_POLICY)
    if algo not in ("vpg", "trpo", "ppo"):
        settings |= OFF_POLICY | dict(replay_size=130, save_freq=1, num_envs=1)
    if algo == "sac":
        settings |= dict(alpha="auto")
    if algo == "td3":
        settings |= dict(
            policy_delay=3
        )  # which does not divide the 20 steps of a phase: the delay is counted over them
    env_fn = EnvFn("Pendulum-v1" if algo in ("ddpg", "td3", "sac", "ppo") else "CartPole-v1")
    function = getattr(importlib.import_module(f"spinup.algos.{backend}.{algo}"), algo)
    settings |= dict(epochs=epochs, logger_kwargs=dict(output_dir=folder))
    return function(**dict(env_fn=env_fn) | settings | kwargs)


def rows(folder):
    """What the run logged, without the column that tells wall-clock time."""
    header, *lines = [line.split("\t") for line in (Path(folder) / "progress.txt").read_text().splitlines()]
    return [[cell for name, cell in zip(header, line, strict=True) if name != "Time"] for line in [header, *lines]]


def state(folder):
    """The arrays of the last checkpoint: networks, optimisers, the framework's random numbers."""
    file = Path(folder) / f"checkpoint/epoch{last_epoch(folder):06d}.npz"
    return unpack(file.read_bytes())[0]  # of the first process


def steps_in_progress(folder):
    (episode,) = state(folder)["envs"]["episodes"]
    return len(episode["actions"])


def assert_same_run(first, other, backend):
    assert rows(first) == rows(other)
    (a, b), model = (state(first), state(other)), about(backend).MODEL_FILE.format("")
    assert all(np.array_equal(x, y) for x, y in zip(a.pop("learner"), b.pop("learner"), strict=True))
    for each in (a, b):
        each["log"] = each["seconds"] = None  # which tell wall-clock time
    np.testing.assert_equal(a, b)
    assert (Path(first) / model).read_bytes() == (Path(other) / model).read_bytes()


# ---- the same numbers ----


@pytest.mark.slow
@every_algorithm
def test_a_run_in_three_parts_is_the_same_as_one_in_one(algo, backend):
    train(algo, backend, "whole")
    train(algo, backend, "parts", epochs=1)
    train(algo, backend, "parts", epochs=3, resume=True)
    assert (last_epoch("parts"), is_finished("parts")) == (2, True)
    train(algo, backend, "parts", epochs=6, resume=True)
    assert_same_run("whole", "parts", backend)


def test_what_was_not_checkpointed_is_done_again():
    train("ppo", "pytorch", "whole", epochs=8, save_freq=3)
    train("ppo", "pytorch", "killed", epochs=8, save_freq=3)
    Path("killed/checkpoint/epoch000007.npz").unlink()
    assert (last_epoch("killed"), is_finished("killed")) == (6, False)
    train("ppo", "pytorch", "killed", epochs=8, save_freq=3, resume=True)
    assert_same_run("whole", "killed", "pytorch")


def test_a_finished_run_returns_its_agent_at_once():
    trained = train("ppo", "pytorch", "run")
    before = Path("run/progress.txt").read_bytes()
    again = train("ppo", "pytorch", "run", resume=True)
    o = np.ones(3, np.float32)
    np.testing.assert_array_equal(trained.act(o, deterministic=True), again.act(o, deterministic=True))
    assert Path("run/progress.txt").read_bytes() == before


def test_nothing_to_resume_is_a_new_run():
    train("ppo", "pytorch", "whole", epochs=2)
    train("ppo", "pytorch", "new", epochs=2, resume=True)
    assert_same_run("whole", "new", "pytorch")


def test_rows_without_a_checkpoint_are_not_thrown_away():
    train("ppo", "pytorch", "run", epochs=2)
    for file in Path("run/checkpoint").iterdir():
        file.unlink()
    before = Path("run/progress.txt").read_bytes()
    with pytest.raises(UserError, match=r"there is no checkpoint in 'run': start again with .*overwrite=True"):
        train("ppo", "pytorch", "run", epochs=2, resume=True)
    assert Path("run/progress.txt").read_bytes() == before


def test_another_configuration_is_refused():
    train("ppo", "pytorch", "run", epochs=2)
    before = Path("run/config.json").read_bytes()
    with pytest.raises(UserError, match=r"'run' was trained with gamma=0.99 and cannot be resumed with 0.9: only"):
        train("ppo", "pytorch", "run", epochs=4, gamma=0.9, resume=True)
    assert Path("run/config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        (dict(ac_kwargs=dict(hidden_sizes=[5])), r"\(networks or optimisers differ\)"),
        (dict(num_envs=3), r"\(observations have shape \[2, 3\] there and \[3, 3\] here\)"),
    ],
)
def test_a_checkpoint_that_does_not_fit_an_edited_configuration_is_refused(edited, told):
    """JAX would take the old networks for the new ones without a word, and PyTorch fail in the middle."""
    train("ppo", "pytorch", "run", epochs=1)
    file, rows_before = Path("run/config.json"), rows("run")
    file.write_text(json.dumps(json.loads(file.read_text()) | edited))
    with pytest.raises(
        UserError, match=rf"'run.checkpoint.epoch000000.npz' does not fit the config.json.* {told}: put"
    ):
        train("ppo", "pytorch", "run", epochs=2, resume=True, **edited)
    assert rows("run") == rows_before and last_epoch("run") == 0


def test_a_run_goes_on_with_another_number_of_threads():
    """As the launcher gives several runs fewer threads than one, the same grid with other ``--jobs`` must go on."""
    train("ppo", "pytorch", "run", epochs=1)
    train("ppo", "pytorch", "run", epochs=2, threads=2, resume=True)
    assert is_finished("run", 2) and read_config(Path("run"))["threads"] == 2


def test_fewer_epochs_than_there_are_are_refused():
    train("ppo", "pytorch", "run", epochs=3)
    before = Path("run/config.json").read_bytes()
    with pytest.raises(UserError, match=r"^'run' has been trained for 3 epochs and cannot be resumed with epochs=2: "):
        train("ppo", "pytorch", "run", epochs=2, resume=True)
    assert Path("run/config.json").read_bytes() == before


def cartpole(**kwargs):
    return gym.make("CartPole-v1", **kwargs)


OTHER_ENVS = {
    "Acrobot-v1": lambda: gym.make("Acrobot-v1"),
    '"sutton_barto_reward": true': lambda: cartpole(sutton_barto_reward=True),
    '"max_episode_steps": 9': lambda: cartpole(max_episode_steps=9),
    "ClipReward": lambda: gym.wrappers.ClipReward(cartpole(), 0, 1),
    "the environment of <function": lambda: Counter(length=7),
}


@pytest.mark.parametrize("told", OTHER_ENVS)
def test_another_environment_is_refused(told):
    settings = dict(steps_per_epoch=20, ac_kwargs=dict(hidden_sizes=[4]), logger_kwargs=dict(output_dir="run"))
    spinup.ppo_pytorch(lambda: cartpole(), epochs=1, **settings)
    before = Path("run/config.json").read_bytes()
    with pytest.raises(UserError, match=r"^'run' was trained in CartPole-v1 .* and cannot be resumed in ") as raised:
        spinup.ppo_pytorch(OTHER_ENVS[told], epochs=2, resume=True, **settings)
    assert told in str(raised.value).split("resumed in")[1]
    assert Path("run/config.json").read_bytes() == before
    spinup.ppo_pytorch(EnvFn("CartPole-v1"), epochs=2, resume=True, **settings)  # the same, whatever builds it
    assert is_finished("run", 2)


# ---- environments ----

ENVIRONMENTS = {
    "CartPole-v1": {},
    "MountainCarContinuous-v0": {},
    "HalfCheetah-v5": {},
    "Ant-v5": {},
    "Swimmer-v5": {},
    "LunarLander-v3": {},
    "LunarLander-v3, windy": dict(enable_wind=True),
}


def some_steps(envs, number):
    return [envs.step(envs.sample_actions()) for _ in range(number)]


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("before", [0, 5, 260])
def test_environments_go_on_where_they_were(name, before):
    env_fn = EnvFn(name.partition(",")[0], ENVIRONMENTS[name])
    envs, others = (VectorEnv(env_fn, 2, 3, max_ep_len=120) for _ in range(2))
    o = envs.reset()
    for step in some_steps(envs, before):
        o = step.o
    saved = unpack(pack(envs.state()))
    assert others.restore(saved) == 0
    np.testing.assert_array_equal(others.o, o)
    for step, other in zip(some_steps(envs, 150), some_steps(others, 150), strict=True):
        for a, b in zip(step, other, strict=True):
            np.testing.assert_array_equal(a, b)


class Forgetful(Counter):
    """Remembers earlier episodes in a list, so that replaying the last does not lead to the same observations."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._episodes = []

    def reset(self, *, seed=None, options=None):
        self._episodes.append(None)
        return super().reset(seed=seed)

    def _observation(self):
        return np.array([self._t + 10 * len(self._episodes)], np.float32)


@pytest.mark.parametrize("algorithm", ["ppo_pytorch", "ppo_jax"])
def test_an_environment_can_be_given_by_name_and_resumed_by_any_function_that_builds_it(algorithm):
    train = partial(getattr(spinup, algorithm), logger_kwargs=dict(output_dir="run"), ac_kwargs=dict(hidden_sizes=[4]))
    train("CartPole-v1", steps_per_epoch=8, epochs=1)
    assert json.loads(Path("run/config.json").read_text())["env_fn"] == "EnvFn('CartPole-v1', {})"
    with pytest.raises(UserError, match="cannot be resumed in Acrobot-v1"):
        train("Acrobot-v1", steps_per_epoch=8, epochs=2, resume=True)
    train(lambda: gym.make("CartPole-v1"), steps_per_epoch=8, epochs=2, resume=True)
    with pytest.raises(UserError, match=r"The environment 'CartPol-v1' does not exist. Did you mean 'CartPole-v1'"):
        train("CartPol-v1", steps_per_epoch=8)


def test_what_cannot_be_replayed_is_cut_and_said(capsys):
    settings = dict(steps_per_epoch=10, num_envs=1, ac_kwargs=dict(hidden_sizes=[4]), save_freq=1)
    spinup.ppo_pytorch(lambda: Forgetful(length=4), epochs=1, logger_kwargs=dict(output_dir="run"), **settings)
    assert steps_in_progress("run") == 2
    settings |= dict(epochs=2, resume=True)
    spinup.ppo_pytorch(lambda: Forgetful(length=4), logger_kwargs=dict(output_dir="run"), **settings)
    assert "The replay of 1 episode in progress differs" in capsys.readouterr().out
    assert steps_in_progress("run") == 2, "a new episode of 4 steps has begun with the epoch of 10"


class Counting(gym.Wrapper):
    """Pays more from episode to episode."""

    def __init__(self, env):
        super().__init__(env)
        self.episodes = 0

    def reset(self, **kwargs):
        self.episodes += 1
        return self.env.reset(**kwargs)

    def step(self, action):
        o, r, *rest = self.env.step(action)
        return o, float(r) + self.bonus(), *rest

    def bonus(self):
        return self.episodes / 10


class Drawing(Counting):
    """Pays by random generators of its own."""

    def __init__(self, env):
        super().__init__(env)
        self.rng, self.dice = np.random.default_rng(3), random.Random(3)

    def bonus(self):
        return self.rng.random() + self.dice.random()


class Global(Counting):
    """Pays by the generators that everybody uses, the policy too."""

    def bonus(self):
        return np.random.random() + random.random()


MEMORIES = {
    "NormalizeObservation": (gym.wrappers.NormalizeObservation, {}),
    "NormalizeReward": (gym.wrappers.NormalizeReward, {}),
    "both": (lambda env: gym.wrappers.NormalizeReward(gym.wrappers.NormalizeObservation(env)), {}),
    "flags": (lambda env: env, dict(norm_obs=True, norm_reward=True)),
    "counter": (Counting, {}),
    "own generators": (Drawing, {}),
}


@pytest.mark.parametrize(
    ("algo", "memory"),
    [
        *(pytest.param("ppo_pytorch", memory, marks=pytest.mark.slow) for memory in MEMORIES),
        ("sac_pytorch", "both"),
        ("sac_jax", "flags"),
        ("dqn_jax", "counter"),
    ],
)
def test_what_an_environment_remembers_beyond_an_episode_is_resumed(algo, memory):
    wrap, settings = MEMORIES[memory]
    algo, backend = algo.split("_")
    pendulum = algo in ("ppo", "sac")
    settings = dict(
        env_fn=lambda: wrap(gym.make("Pendulum-v1" if pendulum else "CartPole-v1")), save_freq=1, **settings
    )
    train(algo, backend, "whole", epochs=3, **settings)
    train(algo, backend, "parts", epochs=1, **settings)
    train(algo, backend, "parts", epochs=3, resume=True, **settings)
    assert rows("whole") == rows("parts")


def test_where_rewards_cannot_be_replayed_it_is_said(capsys):
    settings = dict(env_fn=lambda: Global(gym.make("CartPole-v1")), save_freq=1)
    train("ppo", "pytorch", "run", epochs=1, **settings)
    train("ppo", "pytorch", "run", epochs=2, resume=True, **settings)
    assert "The replay of 2 episodes in progress differs from what was saved" in capsys.readouterr().out


# ---- damage ----


def contents():
    return {file: file.read_bytes() for file in Path("run/checkpoint").iterdir()}


def trained_twice(algo="dqn"):
    for folder in ("whole", "run"):
        train(algo, "pytorch", folder)
    train(algo, "pytorch", "whole", epochs=7, resume=True)
    return sorted(Path("run/checkpoint").glob("epoch*.npz"))


def damages(content):
    rng = np.random.default_rng(0)
    yield from (b"", b"hello", content[:100], content[: len(content) // 2], content[:-1])
    for _ in range(20):
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 255
        yield bytes(flipped)


def test_a_damaged_checkpoint_is_never_believed():
    for file in trained_twice():
        content = file.read_bytes()
        whole = unpack(content)
        for damaged in damages(content):
            try:
                read = unpack(damaged)  # a flipped bit may hit what means nothing, such as a date
            except checkpoints._DAMAGE:
                continue
            np.testing.assert_equal(read, whole)


@pytest.mark.parametrize("which", ["checkpoint", "transitions"])
def test_the_one_before_a_damaged_checkpoint_is_used(which, capsys):
    older, newer = trained_twice()
    file = newer if which == "checkpoint" else max(Path("run/checkpoint").glob("replay*.npz"))
    file.write_bytes(file.read_bytes()[:-50])
    capsys.readouterr()
    train("dqn", "pytorch", "run", epochs=7, resume=True)
    printed = capsys.readouterr().out
    assert f"The checkpoint {str(newer)!r} is damaged" in printed and f"from {older}" in printed
    assert_same_run("whole", "run", "pytorch")


def test_nothing_but_damaged_checkpoints_is_an_error_that_loses_nothing():
    for file in trained_twice():
        file.write_bytes(b"damaged")
    before = Path("run/progress.txt").read_bytes()
    with pytest.raises(UserError, match="No checkpoint can be read in 'run'"):
        train("dqn", "pytorch", "run", epochs=7, resume=True)
    assert Path("run/progress.txt").read_bytes() == before


SAVED = ("run/progress.txt", "run/config.json", "run/pyt_save/model.pt")


@pytest.mark.slow
@pytest.mark.parametrize("found", [None, 2, 4])
@pytest.mark.parametrize("algo", ["ppo", "dqn"])
def test_a_checkpoint_of_another_version_is_told_in_one_sentence_and_nothing_is_lost(algo, found):
    train(algo, "pytorch", "run", epochs=2)
    assert state("run")["format"] == 3
    file = Path("run/checkpoint/epoch000001.npz")
    states = unpack(file.read_bytes())
    for each in states:
        each["format"] = found
        if found is None:  # as in the first checkpoints of all
            del each["format"]
    file.write_bytes(pack(states))
    before = contents() | {file: file.read_bytes() for file in map(Path, SAVED)}
    with pytest.raises(UserError) as raised:
        train(algo, "pytorch", "run", epochs=3, resume=True)
    assert str(raised.value) == (
        f"The checkpoint {str(file)!r} was written by another version of spinup and cannot be resumed by this one: "
        "start again with logger_kwargs=dict(overwrite=True), or resume it with that version."
    )
    assert {file: file.read_bytes() for file in before} == before
    train(algo, "pytorch", "run", epochs=1, logger_kwargs=dict(output_dir="run", overwrite=True))
    assert last_epoch("run") == 0


def test_a_full_disk_is_told_and_the_last_checkpoint_stays():
    train("dqn", "pytorch", "run", epochs=2)
    before = contents()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))  # no file may grow beyond this
    try:
        with pytest.raises(UserError, match=r"cannot be written \(File too large\)\. Earlier saves are kept"):
            train("dqn", "pytorch", "run", epochs=6, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert contents() == before
    train("dqn", "pytorch", "run", epochs=3, resume=True)
    train("dqn", "pytorch", "whole", epochs=3)
    assert_same_run("whole", "run", "pytorch")


# ---- death at any moment ----

KILLED = """
import os, signal, sys
sys.path[:0] = {tests!r}
from test_resume import train

calls, replace = 0, os.replace

def deadly(source, target):
    global calls
    calls += 1
    if calls == {at} and not {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
    if calls == {at}:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = deadly
train({algo!r}, {backend!r}, "run", resume={resume})
"""


def run_until_killed(**values):
    tests = [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # this file, and the toys
    script = KILLED.format(tests=tests, **values)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).returncode


@pytest.mark.slow
@pytest.mark.parametrize(("algo", "backend"), [(a, b) for a in ("dqn", "sac", "ppo") for b in ("pytorch", "jax")])
def test_killed_while_it_writes_whatever_file(algo, backend):
    """Every second file of a run is its last, before or after it gets its name, and what resumes dies as early."""
    train(algo, backend, "whole")
    rng = np.random.default_rng(0)
    for attempt in range(4):
        at, after = int(rng.integers(3, 12)), bool(attempt % 2)
        killed = run_until_killed(algo=algo, backend=backend, at=at, after=after, resume=attempt > 0)
        assert killed in (-signal.SIGKILL, 0)
    train(algo, backend, "run", resume=True)
    assert_same_run("whole", "run", backend)


def test_a_run_that_is_in_training_is_left_alone():
    train("ppo", "pytorch", "run", epochs=2)
    Path("run/checkpoint/.epoch000002.npz.123.tmp").touch()  # what the other process writes
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    hold = "import filelock; lock = filelock.FileLock('run/.lock'); lock.acquire(); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        for how in ({"resume": True}, {"logger_kwargs": {"output_dir": "run", "overwrite": True}}):
            with pytest.raises(UserError, match="'run' is being trained by another process"):
                train("ppo", "pytorch", "run", epochs=4, **how)
            assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
        other.kill()
    train("ppo", "pytorch", "run", epochs=4, resume=True)


def test_half_written_files_of_the_dead_are_removed():
    train("ppo", "pytorch", "run", epochs=2)
    for name in ("run/checkpoint/.epoch000002.npz.123.tmp", "run/pyt_save/.model.pt.123.tmp"):
        Path(name).write_bytes(b"half")
    train("ppo", "pytorch", "run", epochs=2, resume=True)
    assert not list(Path("run").rglob("*.tmp"))


def test_ctrl_c_waits_for_the_write_in_hand():
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        os.kill(os.getpid(), signal.SIGINT)
        Path("written").touch()
    assert Path("written").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- the format ----

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
arrays = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, bool]).flatmap(
    lambda kind: st.lists(st.integers(0, 1), max_size=3).map(lambda x: np.array(x, kind))
)
trees = st.recursive(
    leaves | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("array"), inner, max_size=3),
)


@given(trees)
def test_pack_and_unpack_are_inverse(tree):
    np.testing.assert_equal(unpack(pack(tree)), tree)


def test_the_episode_in_progress_is_recorded_and_no_more():
    envs = VectorEnv(lambda: gym.make("CartPole-v1"), 1, 0, max_ep_len=10)
    envs.reset()
    some_steps(envs, 57)
    (record,) = envs.state()["episodes"]
    assert len(record["actions"]) < 10
