"""Environments that are none: told in one sentence, while well-formed ones notice nothing."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from toy_envs import Counter

from spinup.analysis.policy import run_policy
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.experience.vector_env import VectorEnv

BOX, MANY = spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2, 2))
INNER = spaces.Dict(x=BOX, y=spaces.Discrete(2))
ZERO = np.zeros(3, np.float32)
RESULTS = "reset must return (observation, info), and step (observation, reward, terminated, truncated, info)."


class Says(gym.Env):
    """Returns ``reset`` and ``step`` from its methods, whatever they are."""

    def __init__(self, reset=(ZERO, {}), step=(ZERO, 0.0, False, False, {}), space=BOX):
        self.observation_space, self.action_space = space, spaces.Discrete(2)
        self._results = reset, step

    def reset(self, *, seed=None, options=None):
        return self._results[0]

    def step(self, action):
        return self._results[1]


class Old(Says):
    def reset(self):
        return ZERO


class NoOptions(Says):
    def reset(self, seed=None):
        return ZERO, {}


class Plain:
    observation_space, action_space = BOX, spaces.Discrete(2)


class Spaceless(gym.Env):
    action_space = spaces.Discrete(2)


class OldWrapper(gym.Wrapper):
    def step(self, action):
        o, r, d, _, info = self.env.step(action)
        return o, r, d, info


class Turned(gym.ObservationWrapper):
    """Changes the shape of an observation, but does not say so."""

    def observation(self, o):
        return np.stack([o, o])


def saying_step(o=ZERO, r=0.0, d=False, truncated=False):
    return lambda: Says(step=(o, r, d, truncated, {}))


def observing(o, space=BOX):
    return lambda: Says(reset=(o, {}), space=space)


def told(env_fn, max_ep_len=10):
    """What the first reset or the first step says."""
    with pytest.raises(UserError) as raised:
        envs = VectorEnv(env_fn, 1, 0, max_ep_len)
        envs.reset()
        envs.step(np.array([0]))
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- what is not one environment ----

OTHERS = {
    "None": (lambda: None, "None"),
    "a number": (lambda: 3, "3"),
    "no gymnasium.Env": (Plain, f"a {__name__}.Plain"),
    "a class": (lambda: Counter, "the class Counter: call it"),
    "several": (
        lambda: gym.vector.SyncVectorEnv([Counter, Counter]),
        "2 at once (a SyncVectorEnv): return one, and set num_envs=2",
    ),
}


@pytest.mark.parametrize(("env_fn", "what"), OTHERS.values(), ids=OTHERS)
def test_what_is_not_one_environment(env_fn, what):
    assert told(env_fn) == f"An environment must be a gymnasium.Env, not {what}; its {RESULTS}"


def test_a_policy_is_not_run_in_it_either():
    with pytest.raises(UserError, match=r"must be a gymnasium\.Env, not a"):
        run_policy(Plain(), lambda o: 0)
    with pytest.raises(UserError, match=r"The environment Says returned .* from step"):
        run_policy(Says(step=(ZERO, 0.0, False, {})), lambda o: 0, num_episodes=1, render=False)


# ---- what its methods return ----

RESET_OF = "returned {} as observation from reset: its observation_space is " + str(BOX)
STEP_OF = "returned {} as observation from step: its observation_space is " + str(BOX)
ILL_FORMED = {
    "reset without seed": (Old, "without seed or options: define reset(self, *, seed=None, options=None); " + RESULTS),
    "reset without options": (NoOptions, "has a reset without seed or options"),
    "no space": (Spaceless, "has the observation_space None: set it to one of gymnasium.spaces"),
    "another's space": (lambda: Says(space=Plain()), f"has the observation_space a {__name__}.Plain: set it"),
    "only an observation": (
        lambda: Says(reset=ZERO),
        f"returned an array of shape (3,) and type float32 from reset: {RESULTS}",
    ),
    "an observation that looks like two": (lambda: Says(reset=np.zeros(2)), f"from reset: {RESULTS}"),
    "nothing from reset": (lambda: Says(reset=None), f"returned None from reset: {RESULTS}"),
    "no info": (lambda: Says(reset=(ZERO, None)), f"returned (ndarray, NoneType) from reset: {RESULTS}"),
    "four values": (
        lambda: Says(step=(ZERO, 0.0, False, {})),
        f"returned (ndarray, float, bool, dict) from step: {RESULTS}",
    ),
    "nothing from step": (lambda: Says(step=None), f"returned None from step: {RESULTS}"),
    "info in another place": (lambda: Says(step=(ZERO, 0.0, {}, False, False)), f"from step: {RESULTS}"),
    "None": (observing(None), RESET_OF.format(None)),
    "the space": (observing(BOX), RESET_OF.format("a gymnasium.spaces.box.Box")),
    "too many numbers": (observing(np.zeros(4)), RESET_OF.format("an array of shape (4,) and type float64")),
    "a column": (observing(np.zeros((3, 1))), RESET_OF.format("an array of shape (3, 1) and type float64")),
    "words": (observing(["a", "b", "c"]), RESET_OF.format("(str, str, str)")),
    "lists of different lengths": (observing([[1], [1, 2], 3]), RESET_OF.format("(list, list, int)")),
    "later": (saying_step(o=np.zeros(4)), STEP_OF.format("an array of shape (4,) and type float64")),
    "fractions": (observing(ZERO, spaces.Box(0, 9, (3,), np.uint8)), "of shape (3,) and type float32 as observation"),
    "to be flattened": (
        observing(np.zeros(4), MANY),
        "returned an array of shape (4,) and type float64 as observation",
    ),
    "a key missing": (observing({"x": ZERO}, INNER), "returned a dict as observation from reset"),
    "out of range": (observing(7, spaces.Discrete(4)), "returned 7 as observation from reset"),
    "a reward of one row": (saying_step(r=np.zeros(1)), "as reward from step: expected one number; "),
    "no reward": (saying_step(r=None), "returned None as reward from step: expected one number; "),
    "no end": (saying_step(d=None), "returned None as terminated from step: expected True or False; "),
    "ends of one row": (saying_step(truncated=np.array([True])), "as truncated from step: expected True or False; "),
}


@pytest.mark.parametrize(("env_fn", "what"), ILL_FORMED.values(), ids=ILL_FORMED)
def test_an_ill_formed_environment_is_told_in_one_sentence(env_fn, what):
    for max_ep_len in (10, None):  # with a wrapper of Gymnasium around it, which would fail first, and without
        sentence = told(env_fn, max_ep_len)
        assert sentence.startswith("The environment ") and what in sentence
        assert sentence.removeprefix("The environment ").split()[0] in ("Says", "Old", "NoOptions", "Spaceless")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("env_fn", [EnvFn("Ill-v0"), lambda: gym.make("Ill-v0")], ids=["by name", "made"])
@pytest.mark.parametrize(
    ("entry_point", "what"),
    [
        (
            lambda: Says(step=(ZERO, 0.0, False, {})),
            "The environment Ill-v0 (Says) returned (ndarray, float, bool, dict)",
        ),
        (lambda: Says(reset=ZERO), "The environment Ill-v0 (Says) returned an array of shape (3,)"),
        (Old, "The environment Ill-v0 (Old) has a reset without seed"),
        (Plain, "cannot be built (The environment must inherit from the gymnasium.Env class|cannot build"),
        (Spaceless, "must specify an observation space"),
    ],
)
def test_gymnasiums_own_checks_do_not_come_first(env_fn, entry_point, what):
    gym.register("Ill-v0", entry_point)
    try:
        assert any(part in told(env_fn) for part in what.split("|"))
    finally:
        gym.registry.pop("Ill-v0")


def test_a_wrapper_is_held_to_the_same():
    assert "The environment Says (OldWrapper) returned (ndarray, float, bool, dict)" in told(lambda: OldWrapper(Says()))
    assert "The environment Says (Turned) returned an array of shape (2, 3)" in told(lambda: Turned(Says()))


def test_an_environment_that_does_not_exist_is_told_in_one_sentence():
    assert "env_fn cannot build its environment (Environment `CartPol` doesn't exist" in told(
        lambda: gym.make("CartPol-v1")
    )


# ---- what is left alone ----


@pytest.mark.parametrize("method", ["__init__", "reset", "step"])
def test_a_mistake_in_the_environments_own_code_keeps_its_traceback(method):
    def fail(self, *args, **kwargs):
        return [][1]

    env_fn = type("Broken", (Says,), {method: fail})
    with pytest.raises(IndexError):
        envs = VectorEnv(env_fn, 1, 0)
        envs.reset()
        envs.step(np.array([0]))


class Counting(Counter):
    """Counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def reset(self, *, seed=None, options=None):
        self.calls.append("reset")
        return super().reset(seed=seed, options=options)

    def step(self, action):
        self.calls.append("step")
        return super().step(action)


def test_nothing_is_called_in_advance_and_nothing_stays():
    env = Counting()
    before = {*vars(env)}
    envs = VectorEnv(lambda: env, 1, 0)
    assert env.calls == []
    envs.reset()
    for _ in range(2):
        envs.step(np.array([0]))
    assert env.calls == ["reset", "step", "step"]
    assert {*vars(env)} - before <= {"_np_random", "_np_random_seed", "_t"}


def test_a_method_of_the_instance_itself_stays():
    env = Counter()
    env.step = step = lambda action: (np.zeros(1), 5.0, False, False, {})
    envs = VectorEnv(lambda: env, 1, 0)
    envs.reset()
    assert [envs.step(np.array([0])).r.tolist() for _ in range(2)] == [[5], [5]]
    assert env.step is step


@pytest.mark.parametrize(
    ("o", "space"),
    [
        ([0, 0.5, 9], BOX),  # a list, and out of bounds
        (np.zeros(3, np.float64), BOX),
        (np.zeros(3, bool), BOX),
        (np.int64(3), spaces.Discrete(4)),
        ({"x": ZERO, "y": 1, "more": 3}, INNER),
        ([ZERO, 1], spaces.Tuple((BOX, spaces.Discrete(2)))),
        (0.5, spaces.Box(0, 1, ())),
    ],
    ids=str,
)
def test_what_can_be_understood_is_accepted(o, space):
    step = (o, np.float32(1), np.bool_(False), 0, {})
    envs = VectorEnv(lambda: Says((o, {}), step, space), 2, 0)
    envs.reset()
    assert envs.step(np.zeros(2, int)).r.tolist() == [1, 1]
