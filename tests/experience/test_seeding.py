"""The same seed gives the same numbers, wherever an environment draws them from."""

import random
from importlib import import_module

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import spinup
from spinup.analysis.policy import run_policy
from spinup.experience.evaluation import run_episodes
from spinup.experience.vector_env import VectorEnv


class Draws(gym.Env):
    """Observes a number drawn in the way that ``how`` says; does not pass on the seed of its reset."""

    def __init__(self, how):
        self.observation_space, self.action_space = spaces.Box(-1, 1, (1,)), spaces.Box(-1, 1, (1,))
        self._how = how

    def _draw(self):
        draws = {
            "observation_space": lambda: self.observation_space.sample(),
            "action_space": lambda: self.action_space.sample(),
            "np_random": lambda: [self.np_random.random()],
            "random": lambda: [random.random()],
            "np.random": lambda: [np.random.random()],
        }
        return np.float32(draws[self._how]())

    def reset(self, *, seed=None, options=None):
        self._t = 0
        return self._draw(), {}

    def step(self, action):
        self._t += 1
        o2 = self._draw()
        return o2, float(o2[0]), False, self._t == 5, {}


class OfAWrapper(gym.ObservationWrapper):
    """Draws from a space of its own."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = spaces.Box(-1, 1, (1,))

    def observation(self, o):
        return self.observation_space.sample()


OWN = {how: lambda how=how: Draws(how) for how in ("observation_space", "action_space", "np_random")}
OWN |= {"a wrapper's": lambda: OfAWrapper(Draws("np_random"))}
GLOBAL = {how: lambda how=how: Draws(how) for how in ("random", "np.random")}


@pytest.mark.parametrize("env_fn", OWN.values(), ids=OWN)
def test_what_an_environment_owns_is_seeded_for_each_copy(env_fn):
    def stream(seed):
        envs = VectorEnv(env_fn, 3, seed)
        return np.stack([envs.reset(), *(envs.step(np.zeros((3, 1))).o2 for _ in range(8))])

    assert (stream(1) == stream(1)).all()
    assert len(np.unique([stream(1), stream(2)])) == 2 * 3 * 9, "no two copies or seeds are alike"


@pytest.mark.parametrize("env_fn", OWN.values(), ids=OWN)
def test_a_test_repeats_its_episodes(env_fn):
    envs = VectorEnv(env_fn, 2, 0)

    def returns(seed):
        return run_episodes(lambda o: np.zeros((2, 1)), envs, seed)[0].tolist()

    assert returns([0, 1]) == returns([0, 1]) != returns([0, 2])


def test_the_generator_that_an_environment_makes_for_itself_is_left_alone():
    env = Draws("np_random")
    env.np_random = mine = np.random.default_rng(0)
    VectorEnv(lambda: env, 1, 0).reset()
    assert env.np_random is mine


@pytest.mark.parametrize("backend", spinup.ALGORITHMS)
def test_the_generators_of_the_process_are_seeded(backend):
    def drawn(seed):
        import_module(f"spinup.algos.{backend}.training").start(seed, "cpu")
        return random.random(), np.random.random()

    assert drawn(3) == drawn(3) != drawn(4)


@pytest.mark.parametrize("env_fn", (OWN | GLOBAL).values(), ids=OWN | GLOBAL)
def test_the_same_seed_measures_an_agent_in_the_same_episodes(env_fn):
    def measure(seed):
        return run_policy(env_fn(), lambda o: np.zeros(1), num_episodes=2, render=False, seed=seed)

    assert measure(0) == measure(0) != measure(1)


@pytest.mark.parametrize("algorithm", [spinup.ppo_pytorch, spinup.ppo_jax])
@pytest.mark.parametrize("how", ["observation_space", "action_space", "random"])
def test_the_same_seed_gives_the_same_run(algorithm, how):
    def train(name):
        settings = dict(
            ac_kwargs={"hidden_sizes": [2]}, steps_per_epoch=40, epochs=1, train_pi_iters=1, train_v_iters=1
        )
        algorithm((OWN | GLOBAL)[how], seed=7, **settings, logger_kwargs={"output_dir": name})
        with open(f"{name}/progress.txt") as file:
            return file.read().rpartition("\t")[0]

    assert train("a") == train("b")
