"""Environments as the algorithms see them (DESIGN sections 5 and 9.5; defects 2, 4, 5, 11, 12)."""

import copy
import pickle
import re
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from toy_envs import Counter, RewardNaN

from spinup.errors import UserError
from spinup.experience.envs import EnvFn, clip_action, make_env
from spinup.experience.evaluation import run_episodes
from spinup.experience.vector_env import VectorEnv


class Observes(gym.Env):
    """Observes samples of ``space``; the last one is ``seen``."""

    def __init__(self, space):
        self.observation_space, self.action_space = copy.deepcopy(space), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.seen = self.observation_space.sample()
        return self.seen, {}

    def step(self, action):
        self.seen = self.observation_space.sample()
        return self.seen, 0.0, False, False, {}


class Echo(gym.Env):
    """Observes and pays what it was told last; ``takes`` are the actions it allows."""

    def __init__(self, takes):
        self.action_space = takes
        self.observation_space = spaces.Box(-np.inf, np.inf, np.shape(np.atleast_1d(takes.sample())), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape), {}

    def step(self, action):
        return np.atleast_1d(np.float64(action)), float(np.sum(action)), False, False, {}


class Scripted(gym.Env):
    """Ends as ``script``, pairs of (terminated, truncated), says step by step; observes its episode and its time."""

    def __init__(self, script):
        self.observation_space, self.action_space = spaces.Box(0, np.inf, (2,)), spaces.Discrete(2)
        self._script, self._episode = iter(script), -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._episode, self._t = self._episode + 1, 0
        return np.float32([self._episode, self._t]), {}

    def step(self, action):
        self._t += 1
        return np.float32([self._episode, self._t]), 1.0, *next(self._script), {}


class SeedSpy(gym.Wrapper):
    """Writes the seeds it is reset with to ``seeds``."""

    def __init__(self, env, seeds):
        super().__init__(env)
        self._seeds = seeds

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self._seeds.append(seed)
        return super().reset(seed=seed, options=options)


def run(env_fn, steps, num_envs=1, seed=0, max_ep_len=None, action=0):
    """The first observations and every step, taken before any of them is looked at."""
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len)
    o = envs.reset()
    return o, [envs.step(np.array([action] * num_envs)) for _ in range(steps)]


def of_first(steps, field):
    """``field`` of the first environment, step by step."""
    return [getattr(step, field)[0].tolist() for step in steps]


# ---- successors, ends and statistics ----


@pytest.mark.parametrize(("end", "d"), [("terminate", True), ("truncate", False), ("both", True)])
def test_the_last_step_keeps_its_true_successor(end, d):
    o, steps = run(lambda: Counter(end, length=3), 5)
    assert o.tolist() == [[0]]
    assert of_first(steps, "o2") == [[1], [2], [3], [1], [2]]
    assert of_first(steps, "o") == [[1], [2], [0], [1], [2]]
    assert of_first(steps, "ended") == [False, False, True, False, False]
    assert of_first(steps, "d") == [False, False, d, False, False]
    assert of_first(steps, "r") == [1, 2, 3, 1, 2]


class OneBuffer(Counter):
    """Writes every observation, a sample of ``space``, into the same memory."""

    def __init__(self, space):
        super().__init__("truncate", length=3)
        self.observation_space, self._seen = space, space.sample()

    def _observation(self):
        parts = self._seen.values() if isinstance(self._seen, dict) else self._seen
        for part in [self._seen] if isinstance(self._seen, np.ndarray) else parts:
            part[...] = self._t
        return self._seen


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-9, 9, (2,)),
        spaces.Box(-9, 9, (2, 2)),
        spaces.Dict(x=spaces.Box(-9, 9, (2,))),
        spaces.Tuple((spaces.Box(-9, 9, (2,)), spaces.Box(-9, 9, (1,)))),
    ],
    ids=str,
)
def test_an_environment_may_write_its_observations_into_the_same_memory(space):
    _, steps = run(lambda: OneBuffer(space), 4)
    assert [set(o2) for o2 in of_first(steps, "o2")] == [{1}, {2}, {3}, {1}]
    assert [set(o) for o in of_first(steps, "o")] == [{1}, {2}, {0}, {1}]


def test_shapes_and_types():
    lengths = iter([1, 2, 3])
    o, (step,) = run(lambda: Counter(length=next(lengths)), 1, num_envs=3)
    assert (o.shape, o.dtype) == ((3, 1), np.float32)
    for x, shape, dtype in [
        (step.o2, (3, 1), np.float32),
        (step.o, (3, 1), np.float32),
        (step.r, (3,), np.float64),
        (step.d, (3,), bool),
        (step.ended, (3,), bool),
        (step.ep_ret, (1,), np.float64),
        (step.ep_len, (1,), int),
    ]:
        assert (x.shape, x.dtype) == (shape, dtype)


def test_statistics_are_those_of_whole_episodes_one_after_the_other():
    lengths = iter([2, 3])
    _, steps = run(lambda: Counter(length=next(lengths)), 6, num_envs=2)
    assert [s.ep_len.tolist() for s in steps] == [[], [2], [3], [2], [], [2, 3]]
    assert [s.ep_ret.tolist() for s in steps] == [[], [3], [6], [3], [], [3, 6]]


@pytest.mark.parametrize("wrap", [lambda env: env, lambda env: gym.wrappers.TransformReward(env, float)])
def test_the_same_environment_twice_is_refused(wrap):
    env = Counter()
    with pytest.raises(UserError, match=r"env_fn returned the same Counter again.* build a new environment"):
        VectorEnv(lambda: wrap(env), 2, 0)


def test_copies_that_differ_are_refused():
    waiting = iter([spaces.Discrete(2), spaces.Discrete(3)])
    with pytest.raises(UserError, match=r"environments that differ, with Discrete\(2\) and with Discrete\(3\)\.$"):
        VectorEnv(lambda: Counter(action_space=next(waiting)), 2, 0)


def test_training_and_test_environments_are_not_the_same():
    env = Counter()
    envs = VectorEnv(lambda: env, 1, 0)
    with pytest.raises(UserError, match="env_fn returned the same Counter again"):
        VectorEnv(lambda: env, 1, 0)
    envs.close()
    again = VectorEnv(lambda: env, 1, 0)  # one run after the other may have it, even if nobody closed it
    del again
    VectorEnv(lambda: env, 1, 0)


def test_what_to_act_on_is_kept():
    envs = VectorEnv(lambda: Counter(length=2), 1, 0)
    assert envs.reset() is envs.o and envs.o.tolist() == [[0]]
    for o in (1, 0, 1):  # after the end of an episode, what its reset gave, not the true successor
        assert envs.step(np.array([0])).o is envs.o and envs.o.tolist() == [[o]]


def test_reset_forgets_the_episodes_under_way():
    envs = VectorEnv(Counter, 1, 0)
    for _ in range(2):
        envs.reset()
        envs.step(np.array([0]))
    envs.step(np.array([0]))
    assert envs.step(np.array([0])).ep_ret.tolist() == [6]


def test_returns_are_summed_in_double_precision():
    _, steps = run(lambda: gym.wrappers.TransformReward(Counter(length=3), lambda r: r + 2.0**30 + 2.0**-10), 3)
    assert steps[-1].ep_ret == [3 * (2.0**30 + 2.0**-10) + 6]


@given(st.lists(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=12, max_size=12), min_size=1, max_size=3))
def test_any_sequence_of_ends(scripts):
    waiting = iter(scripts)
    _, steps = run(lambda: Scripted(next(waiting)), 12, num_envs=len(scripts))
    episode, t = np.zeros(len(scripts)), np.zeros(len(scripts))
    for step, ends in zip(steps, zip(*scripts)):
        t += 1
        terminated, truncated = np.array(ends).T
        ended = terminated | truncated
        assert (step.o2 == np.stack([episode, t], -1)).all()
        assert (step.d == terminated).all()
        assert (step.ended == ended).all()
        assert step.ep_len.tolist() == step.ep_ret.tolist() == t[ended].tolist()
        episode, t = episode + ended, t * ~ended
        assert (step.o == np.stack([episode, t], -1)).all()


def test_run_episodes_gives_one_whole_episode_of_each_copy():
    lengths = iter([2, 4, 3])
    envs = VectorEnv(lambda: Counter(length=next(lengths)), 3, 0)
    envs.reset()
    envs.step(np.zeros(3, int))  # an episode under way is given up
    seen = []
    ep_ret, ep_len = run_episodes(lambda o: seen.append(o) or np.zeros(3, int), envs, seed=1)
    assert ep_ret.tolist() == [3, 10, 6]
    assert ep_len.tolist() == [2, 4, 3]
    assert [o[0, 0] for o in seen] == [0, 1, 0, 1]


def test_run_episodes_repeats_itself_with_the_same_seed():
    envs = VectorEnv(EnvFn("CartPole-v1"), 5, 0)

    def returns(seed):
        return run_episodes(lambda o: (o[:, 2] > 0).astype(int), envs, seed)[0].tolist()

    assert returns([0, 1]) == returns([0, 1]) != returns([0, 2])


# ---- time limits ----


@pytest.mark.parametrize(
    ("end", "length", "max_ep_len", "ep_len", "d"),
    [
        ("truncate", 5, 3, 3, False),  # max_ep_len is shorter than the environment's own limit
        ("truncate", 3, 5, 3, False),  # and longer: a time limit is no death, whoever sets it
        ("truncate", 3, 3, 3, False),
        ("terminate", 3, 3, 3, True),  # a true end on the very step of the limit is still one
        ("terminate", 3, 5, 3, True),
        ("terminate", 5, 3, 3, False),
        (None, 3, 4, 4, False),
    ],
)
def test_the_shorter_limit_truncates(end, length, max_ep_len, ep_len, d):
    _, steps = run(lambda: Counter(end, length), ep_len, max_ep_len=max_ep_len)
    assert of_first(steps, "ended") == [False] * (ep_len - 1) + [True]
    assert of_first(steps, "d") == [False] * (ep_len - 1) + [d]
    assert steps[-1].o2.tolist() == [[ep_len]]
    assert steps[-1].ep_len.tolist() == [ep_len]


@pytest.mark.parametrize(("max_ep_len", "limits"), [(None, 1), (np.inf, 1), (1000, 1), (500, 1), (np.int64(499), 2)])
def test_a_limit_is_added_only_where_it_is_shorter(max_ep_len, limits):
    env = make_env(EnvFn("CartPole-v1"), max_ep_len)
    assert repr(env).count("TimeLimit") == limits
    assert env.spec.max_episode_steps == min(500, max_ep_len or 500)


@pytest.mark.parametrize("max_ep_len", [None, np.inf])
def test_no_limit_unless_asked(max_ep_len):
    _, steps = run(lambda: Counter(None), 1500, max_ep_len=max_ep_len)
    assert not any(of_first(steps, "ended"))


# ---- seeds ----


def stream(seed, num_envs=2, steps=60):
    """What happens in CartPole, over several episodes, with random actions."""
    envs = VectorEnv(EnvFn("CartPole-v1"), num_envs, seed)
    seen = [envs.reset()]
    for _ in range(steps):
        a = envs.sample_actions()
        step = envs.step(a)
        seen += [a, step.o2, step.o]
    return np.concatenate([np.ravel(x) for x in seen])


def test_the_same_seed_gives_the_same_stream():
    assert (stream(7) == stream(7)).all()


def test_reset_starts_the_same_stream_again_or_another():
    envs = VectorEnv(EnvFn("CartPole-v1"), 2, 3)
    starts = [envs.reset(seed) for seed in (None, 3, 4, [3, 1], [3, 2], None)]
    assert (starts[0] == starts[1]).all() and (starts[0] == starts[-1]).all()
    assert len(np.unique(np.concatenate(starts[1:5]), axis=0)) == 8


def test_no_two_copies_or_seeds_share_a_start():
    starts = np.concatenate([VectorEnv(EnvFn("CartPole-v1"), 4, seed).reset() for seed in range(5)])
    assert len(np.unique(starts, axis=0)) == 20


def test_an_episode_does_not_start_like_the_one_before():
    envs = VectorEnv(EnvFn("CartPole-v1"), 1, 0, max_ep_len=1)
    starts = np.concatenate([envs.reset(), *(envs.step(np.zeros(1, int)).o for _ in range(9))])
    assert len(np.unique(starts, axis=0)) == 10


@pytest.mark.parametrize("env_name", ["CartPole-v1", "Pendulum-v1"])
def test_random_actions_are_seeded_and_differ_between_copies(env_name):
    def actions(seed):
        envs = VectorEnv(EnvFn(env_name), 2, seed)
        envs.reset()
        return np.stack([envs.sample_actions() for _ in range(30)])

    assert (actions(0) == actions(0)).all()
    assert (actions(0) != actions(1)).any()
    assert (actions(0)[:, 0] != actions(0)[:, 1]).any()
    assert actions(0).shape[2:] == VectorEnv(EnvFn(env_name), 1, 0).action_space.shape


# ---- actions ----

LOW, HIGH = np.float32([-1, 0, -np.inf]), np.float32([3, 0.5, np.inf])


def test_actions_are_clipped_to_the_bounds_of_each_dimension():
    envs = VectorEnv(lambda: Echo(spaces.Box(LOW, HIGH)), 2, 0)
    envs.reset()
    a = np.float32([[-2, -2, -9], [4, 4, 9]])
    step = envs.step(a)
    assert step.o2.tolist() == [[-1, 0, -9], [3, 0.5, 9]]
    assert a.tolist() == [[-2, -2, -9], [4, 4, 9]], "the agent's own action, whose log-probability counts, stays"


def test_clip_action_takes_one_action_or_many_and_leaves_discrete_ones():
    space = spaces.Box(LOW, HIGH)
    assert clip_action(np.float32([4, -1, 7]), space).tolist() == [3, 0, 7]
    assert clip_action(np.zeros((2, 4, 3), np.float32), space).shape == (2, 4, 3)
    assert clip_action(np.array([9]), spaces.Discrete(2)).tolist() == [9]


def test_discrete_actions_are_counted_from_zero():
    envs = VectorEnv(lambda: Echo(spaces.Discrete(3, start=5)), 3, 0)
    envs.reset()
    assert (envs.action_space.n, envs.action_space.start) == (3, 0)
    assert envs.step(np.array([0, 1, 2])).o2.tolist() == [[5], [6], [7]]


# ---- observations ----


@pytest.mark.parametrize(
    ("space", "width"),
    [
        (spaces.Box(-1, 1, (3,)), 3),
        (spaces.Box(-1, 1, (2, 3)), 6),
        (spaces.Box(-1, 1, ()), 1),
        (spaces.Box(-1, 1, (2,), np.float64), 2),
        (spaces.Box(0, 255, (128,), np.uint8), 128),
        (spaces.Discrete(4), 4),
        (spaces.Discrete(4, start=2), 4),
        (spaces.MultiDiscrete([2, 3]), 5),
        (spaces.MultiBinary(3), 3),
        (spaces.Dict(place=spaces.Box(-1, 1, (2,)), mood=spaces.Discrete(3)), 5),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (2, 2)))), 6),
        (spaces.Dict(inner=spaces.Dict(x=spaces.Box(0, 1, (1,))), both=spaces.Tuple((spaces.Discrete(2),))), 3),
    ],
    ids=str,
)
def test_observations_become_one_vector_of_floats(space, width):
    built = [Observes(space), Observes(space)]
    waiting = iter(built)
    envs = VectorEnv(lambda: next(waiting), 2, 0)
    assert envs.observation_space.shape == (width,)
    for look in (envs.reset, lambda: envs.step(np.zeros(2, int)).o2):
        o = look()
        assert (o.shape, o.dtype) == ((2, width), np.float32)
        assert (o == [np.float32(spaces.flatten(space, env.seen)) for env in built]).all()


IMAGE = spaces.Box(0, 255, (8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("space", "match"),
    [
        (IMAGE, "observes images"),
        (spaces.Box(0, 255, (8, 8), np.uint8), "observes images"),
        (spaces.Dict(speed=spaces.Box(0, 1, (1,)), camera=IMAGE), "observes images"),
        (spaces.Tuple((spaces.Dict(camera=IMAGE),)), "observes images"),
        (spaces.OneOf((spaces.Discrete(2), IMAGE)), "observes images"),
        (spaces.Text(5), "cannot be flattened"),
        (spaces.Sequence(spaces.Discrete(2)), "cannot be flattened"),
        (spaces.Graph(spaces.Box(0, 1, (1,)), None), "cannot be flattened"),
        (spaces.Dict(name=spaces.Text(5)), "cannot be flattened"),
        (spaces.Box(0, 1, (0,)), "holds no number"),
        (spaces.Dict(nothing=spaces.Box(0, 1, (2, 0))), "holds no number"),
    ],
    ids=str,
)
def test_what_no_flat_network_can_see_is_refused(space, match):
    with pytest.raises(UserError, match=match):
        make_env(lambda: Observes(space))


# ---- numbers that are none ----


@pytest.mark.parametrize(("num_envs", "step"), [(1, 5), (2, 10)])
def test_a_reward_that_is_no_number_stops_with_its_step(num_envs, step):
    with pytest.raises(UserError, match=rf"a reward of nan at step {step}:"):
        run(lambda: RewardNaN(at=5), 5, num_envs)
    run(lambda: RewardNaN(at=5), 4, num_envs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rewards_and_observations_must_be_finite(bad):
    box = spaces.Box(-np.inf, np.inf, (1,))
    worse = gym.wrappers.TransformReward
    with pytest.raises(UserError, match=f"a reward of {bad} at step 1:"):
        run(lambda: worse(Counter(), lambda r: bad), 1)
    for at in range(4):  # 0 is the reset; 3 is the last observation, which autoreset puts aside
        with pytest.raises(UserError, match=f"an observation of {bad} at step {at}:"):
            run(lambda at=at: gym.wrappers.TransformObservation(Counter(), lambda o: o if o < at else o + bad, box), at)


@pytest.mark.parametrize("huge", [1e39, -1e39])
def test_numbers_too_large_for_float32_are_not_blamed_on_the_agent(huge):
    told = "at step {}: training stops and the last save is kept; it overflows float32, so scale it down"
    with pytest.raises(UserError, match=re.escape(f"a reward of {huge} " + told.format(1))):
        run(lambda: gym.wrappers.TransformReward(Counter(), lambda r: huge), 1)
    box = spaces.Box(-np.inf, np.inf, (1,), np.float64)
    for at in (0, 2, 3):
        larger = lambda o, at=at: np.float64(o) + huge * (o >= at)  # noqa: E731
        with pytest.raises(UserError, match=re.escape(f"an observation of {huge} " + told.format(at))):
            run(lambda larger=larger: gym.wrappers.TransformObservation(Counter(), larger, box), at)


# ---- the same as the plain environment ----


@pytest.mark.parametrize(
    ("env_name", "steps"), [("CartPole-v1", 150), ("Pendulum-v1", 210), ("LunarLander-v3", 150), ("HalfCheetah-v5", 20)]
)
def test_real_environments_are_what_they_are(env_name, steps):
    seeds, rng = [], np.random.default_rng(0)
    envs = VectorEnv(lambda: SeedSpy(gym.make(env_name), seeds), 2, 0)
    o = envs.reset()
    plain = [gym.make(env_name) for _ in seeds]
    assert (o == [np.float32(env.reset(seed=seed)[0]) for env, seed in zip(plain, seeds)]).all()
    ends, discrete = 0, isinstance(envs.action_space, spaces.Discrete)
    for _ in range(steps):
        a = rng.integers(envs.action_space.n, size=2) if discrete else rng.normal(0, 3, (2, *envs.action_space.shape))
        step = envs.step(a)
        for i, env in enumerate(plain):
            o2, r, terminated, truncated, _ = env.step(clip_action(a[i], env.action_space))
            assert (step.o2[i] == np.float32(o2)).all()
            assert (step.r[i], step.d[i], step.ended[i]) == (r, terminated, terminated or truncated)
            ends += terminated or truncated
            assert (step.o[i] == np.float32(env.reset()[0] if terminated or truncated else o2)).all()
    assert ends > 0 or env_name == "HalfCheetah-v5"


def test_the_time_limit_of_pendulum_is_no_death():
    _, steps = run(EnvFn("Pendulum-v1"), 200, action=np.zeros(1), max_ep_len=1000)
    assert of_first(steps, "ended") == [False] * 199 + [True]
    assert not any(of_first(steps, "d"))


# ---- names ----


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module ``my_toys`` that registers ``Toy-v0`` when imported."""
    (tmp_path / "my_toys.py").write_text(
        "import gymnasium as gym\n"
        "gym.register('Toy-v0', 'gymnasium.envs.classic_control:PendulumEnv', max_episode_steps=7)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_toys"
    sys.modules.pop("my_toys", None)
    gym.registry.pop("Toy-v0", None)


def test_an_environment_by_name():
    assert EnvFn("CartPole-v1")(render_mode="rgb_array").render_mode == "rgb_array"
    assert EnvFn("Pendulum-v1", {"g": 5.0})().unwrapped.g == 5.0


def test_an_environment_of_a_module(module):
    assert EnvFn(f"{module}:Toy-v0")().spec.max_episode_steps == 7
    with pytest.raises(UserError, match=r"'my_toys:Toi-v0' does not exist\. Did you mean 'my_toys:Toy-v0'\?$"):
        EnvFn(f"{module}:Toi-v0")()


def test_env_fn_can_be_pickled_before_its_module_is_imported(module):
    env_fn = pickle.loads(pickle.dumps(EnvFn(f"{module}:Toy-v0", {"g": 3.0})))
    assert "my_toys" not in sys.modules
    assert env_fn().unwrapped.g == 3.0
    assert repr(env_fn) == "EnvFn('my_toys:Toy-v0', {'g': 3.0})"


@pytest.mark.parametrize(
    ("env_name", "match"),
    [
        ("LunarLander-v2", r"does not exist\. Did you mean 'LunarLander-v3'\?$"),
        ("HalfCheetah-v2", r"cannot be built \(.*\)\. Did you mean 'HalfCheetah-v5'\?$"),
        ("HalfCheetah-v9", r"Did you mean 'HalfCheetah-v5'\?$"),
        ("cartpole-v1", r"Did you mean 'CartPole-v1'\?$"),
        ("CartPol-v1", r"Did you mean 'CartPole-v1'\?$"),
        ("LunarLandr", r"Did you mean 'LunarLander-v3'"),
        ("gymnasium:CartPol-v1", r"Did you mean 'gymnasium:CartPole-v1'\?$"),
        ("Qwxyz-v0", r"does not exist\. Write custom environments as module:EnvId\.$"),
        ("not a name", "does not exist"),
        ("no_such_module:Toy-v0", "no module 'no_such_module'"),
        ("json.nothing:Toy-v0", "no module 'json.nothing'"),
        ("json.py:Toy-v0", "no module 'json.py'.*: leave out .py"),
        (":CartPole-v1", "has no module before its colon"),
        ("..up:CartPole-v1", "has no module before its colon"),
        ("json:", "'json:' does not exist"),
        ("", "'' is not the name of an environment"),
        (3, "3 is not the name of an environment"),
    ],
)
def test_unknown_names_are_told_in_one_sentence(env_name, match, recwarn):
    with pytest.raises(UserError, match=match) as raised:
        EnvFn(env_name)()
    assert "\n" not in str(raised.value)
    assert not recwarn.list


def test_an_environment_that_lacks_a_library_is_not_suggested_in_its_own_place():
    gym.register("Engine-v1", entry_point="no_such_engine:Engine")
    try:
        with pytest.raises(UserError, match=r"cannot be built \(No module named 'no_such_engine'\)\.$"):
            EnvFn("Engine-v1")()
    finally:
        gym.registry.pop("Engine-v1")


@pytest.mark.parametrize(
    ("env_name", "env_kwargs", "told"),
    [
        ("CartPole-v1", {"colour": "red"}, "CartPoleEnv.__init__() got an unexpected keyword argument 'colour'"),
        ("LunarLander-v3", {"gravity": 5.0}, "gravity (current value: 5.0) must be between -12 and 0"),
        ("FrozenLake-v1", {"map_name": "9x9"}, "'9x9'"),
    ],
)
def test_arguments_the_environment_refuses(env_name, env_kwargs, told):
    with pytest.raises(UserError) as raised:
        EnvFn(env_name, env_kwargs)()
    assert str(raised.value) == f"{env_name} rejects env_kwargs {env_kwargs}: {told}."


@pytest.mark.parametrize("env_kwargs", [3, 0, "", "g=3", [("g", 3)], True])
def test_env_kwargs_must_be_a_dict(env_kwargs):
    with pytest.raises(UserError, match="expected a dict"):
        EnvFn("CartPole-v1", env_kwargs)


def test_a_mistake_of_the_environment_itself_keeps_its_traceback():
    gym.register("Broken-v0", entry_point=lambda: 1 / 0)
    try:
        with pytest.raises(ZeroDivisionError):
            EnvFn("Broken-v0")()
    finally:
        gym.registry.pop("Broken-v0")


def test_warnings_of_an_environment_that_is_built_are_passed_on_once():
    with pytest.warns(DeprecationWarning, match="HalfCheetah-v4 is out of date") as told:
        VectorEnv(EnvFn("HalfCheetah-v4"), 2, 0)
    assert len(told) == 1
