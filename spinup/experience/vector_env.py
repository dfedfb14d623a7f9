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

from spinup.errors import UserError
from spinup.experience.envs import clip_action, make_env
from spinup.mpi.tools import process_seed


class _Tape(gym.Wrapper):
    """Records the episode in progress, so that replaying it brings another copy to the same state.

    Infos are dropped: they are unused, and collecting them over environments costs more than some simulators.
    """

    def __init__(self, env):
        super().__init__(env)
        self._start: Any = None  # the start of the episode: a seed, or the random state before the reset
        self._actions: list[np.ndarray] = []
        self._replay: dict | None = None

    def reset(self, *, seed=None, options=None):
        if self._replay is not None:
            return self._play(self._replay), {}
        self._start = seed if seed is not None else self.unwrapped.np_random.bit_generator.state
        self._actions = []
        return self.env.reset(seed=seed)[0], {}

    def step(self, action):
        self._actions.append(np.array(action))
        o2, r, terminated, truncated, _ = self.env.step(action)
        return np.array(o2), r, terminated, truncated, {}  # a copy: reset() may reuse the memory

    def record(self) -> dict[str, Any]:
        """The episode so far."""
        return {"start": self._start, "actions": np.array(self._actions)}

    def replay_at_next_reset(self, record: dict[str, Any]) -> None:
        """Make the next reset return to the state at which ``record`` was made."""
        self._replay = record

    def _play(self, record):
        """Replay the recorded episode; returns its last observation."""
        self._replay, start = None, record["start"]
        if isinstance(start, dict):
            self.unwrapped.np_random.bit_generator.state = start
        o, _ = self.reset(seed=None if isinstance(start, dict) else start)
        for action in record["actions"]:
            o, *_ = self.step(action)
        return o


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


_USERS: WeakValueDictionary[int, "VectorEnv"] = WeakValueDictionary()  # the owner of each environment, by its id()


class VectorEnv:
    """``num_envs`` copies of an environment, stepped together, each reset as soon as its episode ends.

    Args:
        env_fn: builds one environment.
        num_envs: number of copies; each has its own random stream, derived from ``seed``.
        seed: int >= 0; if several processes train together, each derives its own seed from it.
        max_ep_len: see :func:`make_env`.

    Raises:
        UserError: from :func:`make_env`, or if ``env_fn`` returns the same environment twice; from :meth:`step`, if a
            reward or an observation is not finite.
    """

    def __init__(self, env_fn: Callable[..., gym.Env], num_envs: int, seed: int, max_ep_len: int | None = None):
        self._tapes = [_Tape(make_env(env_fn, max_ep_len)) for _ in range(num_envs)]
        for tape in self._tapes:
            if id(tape.unwrapped) in _USERS:
                raise UserError(
                    f"env_fn returned the same {type(tape.unwrapped).__name__} again, which would mix up "
                    "episodes: build a new environment in every call, as lambda: gymnasium.make('CartPole-v1') does."
                )
            _USERS[id(tape.unwrapped)] = self
        self._envs = SyncVectorEnv(
            [partial(_identity, tape) for tape in self._tapes],
            copy=False,  # step() makes the float32 copy
            autoreset_mode=AutoresetMode.SAME_STEP,
        )
        assert self._envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        self.num_envs = num_envs
        self.observation_space, self.action_space = self._envs.single_observation_space, self._envs.single_action_space
        self._seed = process_seed(seed)
        self._ret, self._len = np.zeros(num_envs), np.zeros(num_envs, dtype=int)
        self._steps = 0
        self.o = np.empty(0, np.float32)  # [N, obs_dim]: observations to act on, once reset

    def reset(self, seed: int | Sequence[int] | None = None) -> np.ndarray:
        """Start a new episode in every environment; returns the observations ``[N, obs_dim]`` float32.

        Args:
            seed: int >= 0, or several; None repeats the episodes of the constructor's seed.
        """
        *env_seeds, action_seed = _spread(self._seed if seed is None else seed, self.num_envs + 1)
        o, _ = self._envs.reset(seed=[*env_seeds])
        self.action_space.seed(action_seed)
        self._ret[:], self._len[:], self._steps = 0, 0, 0
        self.o = self._finite(np.array(o, dtype=np.float32), "an observation")
        return self.o

    def step(self, a: np.ndarray) -> Step:
        """Take one step with actions ``a`` ``[N, act_dim]`` (clipped to the action bounds), or ``[N]`` if discrete."""
        o, r, d, truncated, infos = self._envs.step(clip_action(a, self.action_space))
        self._steps += self.num_envs
        ended = d | truncated
        o2 = o = self.o = self._finite(np.array(o, dtype=np.float32), "an observation")
        self._finite(r, "a reward")
        self._ret += r
        self._len += 1
        ep_ret, ep_len = self._ret[ended], self._len[ended]
        if ep_len.size:
            o2 = o.copy()
            o2[ended] = np.stack(infos["final_obs"][ended])
            self._finite(o2, "an observation")
            self._ret[ended], self._len[ended] = 0, 0
        return Step(o2, r, d, ended, o, ep_ret, ep_len)

    def state(self) -> dict[str, Any]:
        """The state that :meth:`restore` needs, as numbers and arrays."""
        return {
            "o": self.o,
            "ret": self._ret.copy(),
            "len": self._len.copy(),
            "steps": self._steps,
            "episodes": [tape.record() for tape in self._tapes],
            "action_space": self.action_space.np_random.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Return to an earlier :meth:`state` by replaying the episodes in progress.

        A simulator that is not reproducible (contacts in Box2D may depend on earlier episodes) arrives at another
        observation: its episode is cut, and a new one started.

        Returns:
            The number of episodes that were cut.
        """
        self.reset()
        for tape, record in zip(self._tapes, state["episodes"], strict=True):
            tape.replay_at_next_reset(record)
        o, _ = self._envs.reset()
        lost = (np.asarray(o, np.float32) != state["o"]).any(-1)
        if lost.any():
            o, _ = self._envs.reset(options={"reset_mask": lost})
        self.o = np.array(o, dtype=np.float32)
        self._ret[:], self._len[:] = np.where(lost, 0, state["ret"]), np.where(lost, 0, state["len"])
        self._steps = state["steps"]
        self.action_space.np_random.bit_generator.state = state["action_space"]
        return int(lost.sum())

    def sample_actions(self) -> np.ndarray:
        """One uniformly random action for each environment."""
        return np.stack([self.action_space.sample() for _ in range(self.num_envs)])

    def _finite(self, x: np.ndarray, what: str) -> np.ndarray:
        if not np.isfinite(x).all():
            raise UserError(
                f"The environment returned {what} of {x[~np.isfinite(x)][0]} at step {self._steps}: training stops "
                "and the last save is kept; fix the environment, or lower the learning rate if the agent diverged."
            )
        return x

    def close(self) -> None:
        """Close every environment."""
        self._envs.close()
        for tape in self._tapes:
            _USERS.pop(id(tape.unwrapped), None)


def _spread(seed: int | Sequence[int], count: int) -> list[int]:
    """Seeds of ``count`` independent random streams."""
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count)]
