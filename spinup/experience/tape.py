"""The episode in progress, recorded so that it can be replayed: how a simulator without a state to save is resumed."""

from typing import Any

import gymnasium as gym
import numpy as np

from spinup.experience.memory import Memory, layers_of


class Tape(gym.Wrapper):
    """Records the episode in progress, so that replaying it brings another copy to the same state.

    Infos are dropped: they are unused, and collecting them over environments costs more than some simulators.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        self.ret = 0.0  # return so far
        self.finished = 0.0, 0  # return and length of the episode before
        self.memory = Memory(layers_of(env))
        self._has_been_reset = False
        self._start: Any = None  # a seed, or the random state before the reset
        self._before: dict[str, Any] = {}  # what the environment remembered before it
        self._actions: list[np.ndarray] = []
        self._o: Any = None
        self._replay: dict[str, Any] | None = None

    def reset(self, *, seed=None, options=None):
        if self._replay is not None:
            self._play(self._replay)
            return self._o, {}
        self._before = self.memory.read()
        self._start = seed if seed is not None else self.unwrapped.np_random.bit_generator.state
        self.finished = self.ret, len(self._actions)
        self._actions, self.ret = [], 0.0
        self._o, _ = self.env.reset(seed=seed)
        if not self._has_been_reset:  # which may have given the environment more attributes
            self._has_been_reset, self.memory = True, Memory(layers_of(self.env))
        return self._o, {}

    def step(self, action):
        self._actions.append(np.array(action))
        o2, r, terminated, truncated, _ = self.env.step(action)
        self.ret += float(r)
        self._o = np.array(o2)  # a copy: reset() may reuse the memory
        return self._o, r, terminated, truncated, {}

    def record(self) -> dict[str, Any]:
        """The episode so far, and what the environment remembers of earlier ones."""
        return {
            "start": self._start,
            "before": self._before,
            "actions": np.array(self._actions),
            "o": np.array(self._o),
            "ret": self.ret,
            "now": self.memory.read(),
        }

    def replay_at_next_reset(self, record: dict[str, Any]) -> None:
        """Make the next reset return to the state at which ``record`` was made."""
        self._replay = record

    def is_at(self, record: dict[str, Any]) -> bool:
        """Whether the episode so far has the same return and has arrived at the same observation."""
        return self.ret == record["ret"] and np.array_equal(np.asarray(self._o), record["o"])

    def _play(self, record: dict[str, Any]) -> None:
        self._replay, start = None, record["start"]
        self.memory.write(record["before"])
        if isinstance(start, dict):
            self.unwrapped.np_random.bit_generator.state = start
        self.reset(seed=None if isinstance(start, dict) else start)
        for action in record["actions"]:
            self.step(action)
        self.memory.write(record["now"])
