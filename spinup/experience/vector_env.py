"""Several environments stepped together, without the ambiguities of autoreset:

* the *true successor* ``o2`` of a step is not the observation ``o`` to act on next where an episode ended;
* *termination* ``d``, after which there is no return, is not *truncation*, which is only a time limit.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.utils import RunningMeanStd

from spinup.errors import UserError
from spinup.experience.envs import adapt, build_env, clip_action
from spinup.experience.memory import Memory, layers_of
from spinup.experience.normalization import freeze, normalize, obs_scale, statistics_of, unsaved_normaliser
from spinup.experience.seeding import seed_env, spread
from spinup.experience.tape import Tape
from spinup.mpi.tools import process_seed


def _spaces(env: gym.Env) -> tuple[gym.Space, gym.Space]:
    return env.observation_space, env.action_space


def _identity(env: gym.Env) -> gym.Env:
    return env


class Step(NamedTuple):
    """The result of one step of ``N`` environments."""

    o2: np.ndarray  # [N, obs_dim] float32: true successors, also where an episode ended
    r: np.ndarray  # [N] float64
    d: np.ndarray  # [N] bool: terminated, so nothing follows o2
    ended: np.ndarray  # [N] bool: terminated or truncated, so the episode ended here
    o: np.ndarray  # [N, obs_dim] float32: observations to act on next
    ep_ret: np.ndarray  # [number of episodes that ended here]: undiscounted returns
    ep_len: np.ndarray  # the same shape: lengths in steps


_LARGEST = np.finfo(np.float32).max
_USERS: WeakValueDictionary[int, "VectorEnv"] = WeakValueDictionary()  # the owner of each environment, by its id()


class VectorEnv:
    """``num_envs`` copies of an environment, stepped together, each reset as soon as its episode ends.

    Args:
        env_fn: builds one environment, or is its name.
        num_envs: number of copies; each has its own random stream, derived from ``seed``.
        seed: int >= 0; if several processes train together, each derives its own seed from it.
        max_ep_len: see :func:`adapt`.
        norm_obs, norm_reward: normalise observations, and the rewards of steps, by the statistics of all steps so far
            (see :mod:`spinup.experience.normalization`); returns of episodes stay those of the environment.
        gamma: discount factor of the returns by whose standard deviation rewards are divided.

    ``first`` is the first copy, as ``env_fn`` built it.

    Raises:
        UserError: from :func:`adapt`, or if ``env_fn`` returns the same environment twice; from :meth:`step`, if a
            reward or an observation is not finite.
    """

    def __init__(
        self,
        env_fn: Callable[..., gym.Env] | str,
        num_envs: int,
        seed: int,
        max_ep_len: float | None = None,
        norm_obs: bool = False,
        norm_reward: bool = False,
        gamma: float = 0.99,
    ):
        settings: dict[str, Any] = dict(max_ep_len=max_ep_len, norm_obs=norm_obs, norm_reward=norm_reward, gamma=gamma)
        self._another: Callable[..., VectorEnv] = partial(VectorEnv, env_fn, seed=seed, **settings)
        built = [build_env(env_fn) for _ in range(num_envs)]
        self.first = built[0]
        self._tapes = [Tape(adapt(env, max_ep_len)) for env in built]
        for tape in self._tapes:
            if id(tape.unwrapped) in _USERS:
                raise UserError(
                    f"env_fn returned the same {type(tape.unwrapped).__name__} again, which would mix up "
                    "episodes: build a new environment in every call, as lambda: gymnasium.make('CartPole-v1') does."
                )
            _USERS[id(tape.unwrapped)] = self
            for ours, first in zip(_spaces(tape), _spaces(self._tapes[0]), strict=True):
                if ours != first:
                    raise UserError(f"env_fn returned environments that differ, with {first} and with {ours}.")
        self._norm_obs = norm_obs
        self._copies = normalize(self._tapes, norm_obs, norm_reward, gamma)
        self._memories = [Memory(layers_of(env)[: norm_obs + norm_reward]) for env in self._copies]
        self._tests: list[VectorEnv] = []  # made by for_tests()
        self._trains: VectorEnv | None = None  # the environments that these test
        self._envs = SyncVectorEnv(
            [partial(_identity, env) for env in self._copies],
            copy=False,  # step() makes the float32 copy
            autoreset_mode=AutoresetMode.SAME_STEP,
        )
        assert self._envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        self.num_envs = int(num_envs)  # NumPy's integers would overflow as steps are counted
        self.observation_space, self.action_space = self._envs.single_observation_space, self._envs.single_action_space
        self._seed = process_seed(seed)
        self._steps = 0
        self.o = np.empty(0, np.float32)  # [N, obs_dim]: observations to act on, once reset

    def for_tests(self, num_envs: int) -> "VectorEnv":
        """More copies, to test an agent in: they share the normalisation of these environments, and leave it as it is.

        They are closed, and their state is saved, with these.
        """
        tests = self._another(num_envs=num_envs)
        tests._trains = self
        self._tests.append(tests)
        return tests

    def statistics(self) -> list[RunningMeanStd]:
        """Those of the normalising wrappers that ``env_fn`` itself puts on, the outermost first, over all copies."""
        return statistics_of(self._tapes)

    def obs_scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The mean and standard deviation, ``[obs_dim]`` each, that ``norm_obs`` normalises by at present."""
        return obs_scale(self._copies[0]) if self._norm_obs else None

    def unsaved_normaliser(self) -> str | None:
        """See :func:`~spinup.experience.normalization.unsaved_normaliser`."""
        return unsaved_normaliser(self._tapes[0].env)

    def reset(self, seed: int | Sequence[int] | None = None) -> np.ndarray:
        """Start a new episode in every environment; returns the observations ``[N, obs_dim]`` float32.

        Args:
            seed: int >= 0, or several; None repeats the episodes of the constructor's seed.
        """
        if self._trains:
            statistics = statistics_of(self._trains._copies)
            for env in self._copies:
                freeze(env, statistics)
        *env_seeds, action_seed = spread(self._seed if seed is None else seed, self.num_envs + 1)
        for tape, env_seed in zip(self._tapes, env_seeds, strict=True):
            seed_env(tape, env_seed)
        o, _ = self._envs.reset(seed=[*env_seeds])
        self.action_space.seed(action_seed)
        self._steps = 0
        self.o = np.array(self._finite(o, "an observation"), dtype=np.float32)
        return self.o

    def step(self, a: np.ndarray) -> Step:
        """Take one step with actions ``a`` ``[N, act_dim]`` (clipped to the action bounds), or ``[N]`` if discrete."""
        o, r, d, truncated, infos = self._envs.step(clip_action(a, self.action_space))
        self._steps += self.num_envs
        ended = d | truncated
        o2 = o = self.o = np.array(self._finite(o, "an observation"), dtype=np.float32)
        self._finite(r, "a reward")
        episodes = [tape.finished for tape, over in zip(self._tapes, ended) if over]
        if episodes:
            o2 = o.copy()
            o2[ended] = self._finite(np.stack(infos["final_obs"][ended]), "an observation")
        ep_ret, ep_len = np.array(episodes, dtype=float).reshape(-1, 2).T
        return Step(o2, r, d, ended, o, ep_ret, ep_len.astype(int))

    def state(self) -> dict[str, Any]:
        """The state that :meth:`restore` needs, as numbers, texts and arrays."""
        return {
            "o": self.o,
            "steps": self._steps,
            "episodes": [tape.record() for tape in self._tapes],
            "normalisation": [memory.read() for memory in self._memories],
            "action_space": self.action_space.np_random.bit_generator.state,
            "tests": [[tape.memory.read() for tape in tests._tapes] for tests in self._tests],
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Return to an earlier :meth:`state` by replaying the episodes in progress.

        A simulator that is not reproducible (contacts in Box2D may depend on earlier episodes) arrives at another
        observation, or has paid other rewards on the way: its episode is cut, and a new one started.

        Returns:
            The number of episodes that were cut.
        """
        self.reset()
        for tape, record in zip(self._tapes, state["episodes"], strict=True):
            tape.replay_at_next_reset(record)
        self._envs.reset()
        for memory, saved in zip(self._memories, state["normalisation"], strict=True):
            memory.write(saved)
        lost = np.array([not tape.is_at(record) for tape, record in zip(self._tapes, state["episodes"])])
        self.o = np.array(state["o"])
        if lost.any():
            o, _ = self._envs.reset(options={"reset_mask": lost})
            self.o[lost] = o[lost]
        self._steps = state["steps"]
        self.action_space.np_random.bit_generator.state = state["action_space"]
        for tests, saved in zip(self._tests, state["tests"], strict=True):
            for tape, values in zip(tests._tapes, saved, strict=True):
                tape.memory.write(values)
        return int(lost.sum())

    def sample_actions(self) -> np.ndarray:
        """One uniformly random action for each environment."""
        return np.stack([self.action_space.sample() for _ in range(self.num_envs)])

    def _finite(self, x: np.ndarray, what: str) -> np.ndarray:
        """``x``; raises UserError unless all of it is finite, in the precision of the networks too."""
        if not (fits := np.abs(x) <= _LARGEST).all():
            bad = x[~fits][0]
            advice = (
                "it overflows float32, so scale it down"
                if np.isfinite(bad)
                else "fix the environment, or lower the learning rate if the agent diverged"
            )
            raise UserError(
                f"The environment returned {what} of {bad} at step {self._steps}: training stops and the last save is "
                f"kept; {advice}."
            )
        return x

    def close(self) -> None:
        """Close every environment."""
        for tests in self._tests:
            tests.close()
        self._envs.close()
        for tape in self._tapes:
            _USERS.pop(id(tape.unwrapped), None)
