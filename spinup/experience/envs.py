"""Environments as the algorithms see them.

``EnvFn`` builds one by name, ``make_env`` adds what every agent needs (flat observations, a time limit), and
``VectorEnv`` steps several at once and tells apart what autoreset blurs:

* the *true successor* ``o2`` of a step from the observation ``o`` to act on next (they differ where an episode ended);
* *termination* ``d``, after which there is no return, from *truncation*, which only stops the clock.
"""

import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import signature
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from spinup.errors import UserError, did_you_mean, first_line
from spinup.mpi.tools import own_seed

_TOLD: set[str] = set()  # warnings of environments, which every copy would repeat


class EnvFn:
    """A picklable function that builds the environment ``env_name`` (``'CartPole-v1'``, ``'my_module:MyEnv-v0'``).

    Args:
        env_name: a Gymnasium id; a module before a colon is imported first, to register its environments.
        env_kwargs: keyword arguments for the environment.

    Raises:
        UserError: if ``env_kwargs`` is not a dict; when called, for an unknown name (near ones are suggested), a
            missing module, or keyword arguments it does not take.
    """

    def __init__(self, env_name: str, env_kwargs: Mapping[str, Any] | None = None):
        if not isinstance(env_kwargs, Mapping | None):
            raise UserError(f"env_kwargs={env_kwargs!r} will not do: expected a dict of arguments for the environment.")
        self.env_name, self.env_kwargs = env_name, dict(env_kwargs or {})

    def __call__(self, **kwargs: Any) -> gym.Env:
        if not isinstance(self.env_name, str) or not self.env_name:
            raise UserError(f"{self.env_name!r} is not the name of an environment; give one such as CartPole-v1.")
        import_module_of(self.env_name)
        try:
            with warnings.catch_warnings(record=True) as raised:  # told only if the environment is built after all
                env = gym.make(self.env_name, **self.env_kwargs, **kwargs)
        except (ImportError, gym.error.Error) as error:
            known = self.env_name.rpartition(":")[2] in gym.registry
            problem = f"cannot be built ({_reason(error)})" if known else "does not exist"
            raise UserError(f"The environment {self.env_name!r} {problem}.{_suggest_env(self.env_name)}") from error
        except Exception as error:  # an environment may raise anything about arguments that it does not like
            if not self.env_kwargs:
                raise
            raise UserError(f"{self.env_name} refuses env_kwargs {self.env_kwargs}: {_reason(error)}.") from error
        for warning in raised:
            if str(warning.message) not in _TOLD:
                _TOLD.add(str(warning.message))
                warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
        return env

    def __repr__(self) -> str:
        return f"EnvFn({self.env_name!r}, {self.env_kwargs!r})"


def import_module_of(env_name: str) -> None:
    """Import ``my_module`` of ``'my_module:MyEnv-v0'``, whose import registers the environment."""
    module, colon, _ = env_name.rpartition(":")
    if not colon:
        return
    if not all(module.split(".")):
        raise UserError(f"{env_name!r} names no module before its colon: give it as my_module:MyEnv-v0.")
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UserError(
            f"There is no module {error.name!r} to import for the environment {env_name!r}; "
            "install it, or run from the folder that holds it."
        ) from error


def _reason(error: Exception) -> str:
    """What went wrong, without what Gymnasium appends about how it was called."""
    return first_line(error).partition(" was raised from the environment creator")[0]


def _suggest_env(env_name: str) -> str:
    """The current version of ``env_name``, or the names that come near it; nothing if it is the current version."""
    newest: dict[str, gym.envs.registration.EnvSpec] = {}
    for spec in gym.registry.values():
        if spec.namespace is None and (spec.version or 0) >= (newest.get(spec.name, spec).version or 0):
            newest[spec.name] = spec
    env_id = env_name.rpartition(":")[2]
    wanted = re.sub(r"-v\d+$", "", env_id)
    for name, spec in newest.items():
        if name.lower() == wanted.lower():
            return f" Did you mean {spec.id!r}?" if spec.id != env_id else ""
    ids = {name.lower(): spec.id for name, spec in newest.items()}
    hint = did_you_mean(wanted.lower(), ids)
    for name, near in ids.items():
        hint = hint.replace(repr(name), repr(near))
    return hint or " Environments of your own are given as module:EnvId."


def make_env(env_fn: Callable[..., gym.Env], max_ep_len: int | None = None, **kwargs: Any) -> gym.Env:
    """Build an environment as the agents see it: one flat observation vector, actions counted from 0, a time limit.

    Args:
        env_fn: builds the environment; ``kwargs`` (``render_mode``) are passed on.
        max_ep_len: truncate episodes after this many steps, where the environment's own limit is not shorter.

    Raises:
        UserError: for observations that no flat network can use (images, text, graphs, sequences).
    """
    env = env_fn(**kwargs)
    limit = env.spec.max_episode_steps if env.spec else None
    if max_ep_len is not None and (limit is None or max_ep_len < limit):
        env = gym.wrappers.TimeLimit(env, max_ep_len)
    env = _count_actions_from_zero(env)
    space, name = env.observation_space, env.spec.id if env.spec else type(env.unwrapped).__name__
    leaves = list(_leaves(space))
    if any(map(_is_image, leaves)):
        raise UserError(
            f"{name} observes images ({space}), which these fully connected networks cannot use: wrap it to return "
            "float32 (it is then flattened) and pass an actor_critic of your own that reshapes and convolves."
        )
    if not space.is_np_flattenable or any(isinstance(leaf, spaces.Text) for leaf in leaves):
        raise UserError(f"{name} observes {space}, which has no flat form: wrap it to return a Box of fixed shape.")
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return env
    return gym.wrappers.FlattenObservation(env)


def _count_actions_from_zero(env: gym.Env) -> gym.Env:
    space = env.action_space
    if not isinstance(space, spaces.Discrete) or space.start == 0:
        return env
    return gym.wrappers.TransformAction(env, lambda a: a + space.start, spaces.Discrete(int(space.n)))


def _leaves(space: spaces.Space) -> Iterator[spaces.Space]:
    """The spaces that ``space`` is composed of."""
    if not isinstance(space, spaces.Dict | spaces.Tuple | spaces.OneOf):
        yield space
        return
    for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
        yield from _leaves(part)


def _is_image(space: spaces.Space) -> bool:
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) >= 2


def clip_action(a: np.ndarray, space: spaces.Space) -> np.ndarray:
    """Clip ``a`` (one action or a batch) to the bounds of a Box; other spaces leave it as it is.

    A Gaussian policy is unbounded: its log-probabilities are those of the action it drew, and only what the
    environment is given is clipped.
    """
    return np.clip(a, space.low, space.high) if isinstance(space, spaces.Box) else a


class _Tape(gym.Wrapper):
    """Records the episode in progress, so that another copy can be brought to the same point by replaying it.

    Infos are dropped: they are not used here, and gathering them over environments costs more than some simulators.
    """

    def __init__(self, env):
        super().__init__(env)
        self._start: Any = None  # how the episode began: a seed, or the random state before the reset
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
        return np.array(o2), r, terminated, truncated, {}  # a copy: the reset may write into the same memory

    def record(self) -> dict[str, Any]:
        """The episode so far."""
        return {"start": self._start, "actions": np.array(self._actions)}

    def replay_at_next_reset(self, record: dict[str, Any]) -> None:
        """Let the next reset lead to where ``record`` was made."""
        self._replay = record

    def _play(self, record):
        """The last observation of the recorded episode, which goes on from there."""
        self._replay, start = None, record["start"]
        if isinstance(start, dict):
            self.unwrapped.np_random.bit_generator.state = start
        o, _ = self.reset(seed=None if isinstance(start, dict) else start)
        for action in record["actions"]:
            o, *_ = self.step(action)
        return o


def _itself(env: gym.Env) -> gym.Env:
    return env


class Step(NamedTuple):
    """What one step of ``N`` environments gave."""

    o2: np.ndarray  # [N, obs_dim] float32: true successors, also where an episode ended
    r: np.ndarray  # [N] float64
    d: np.ndarray  # [N] bool: terminated, so nothing follows o2
    cut: np.ndarray  # [N] bool: terminated or truncated, so the episode ended here
    o: np.ndarray  # [N, obs_dim] float32: what to act on next
    ep_ret: np.ndarray  # [number of episodes that ended here]: their undiscounted returns
    ep_len: np.ndarray  # the same for their lengths in steps


_USERS: WeakValueDictionary[int, "VectorEnv"] = WeakValueDictionary()  # who steps the environment of an id


class VectorEnv:
    """``num_envs`` copies of an environment, stepped together, each reset as soon as its episode ends.

    Args:
        env_fn: builds one environment.
        num_envs: how many; each gets a random stream of its own, derived from ``seed``.
        seed: int >= 0; where several processes train together, each has a seed of its own, derived from this.
        max_ep_len: see :func:`make_env`.

    Raises:
        UserError: from :func:`make_env`, if ``env_fn`` gives the same environment again, and from :meth:`step` when a
            reward or an observation is not finite.
    """

    def __init__(self, env_fn: Callable[..., gym.Env], num_envs: int, seed: int, max_ep_len: int | None = None):
        self._tapes = [_Tape(make_env(env_fn, max_ep_len)) for _ in range(num_envs)]
        for tape in self._tapes:
            if id(tape.unwrapped) in _USERS:
                raise UserError(
                    f"env_fn returned the same {type(tape.unwrapped).__name__} again, whose episodes would be mixed: "
                    "let every call build a new environment, as lambda: gymnasium.make('CartPole-v1') does."
                )
            _USERS[id(tape.unwrapped)] = self
        self._envs = SyncVectorEnv(
            [partial(_itself, tape) for tape in self._tapes],
            copy=False,  # step() makes the float32 copy
            autoreset_mode=AutoresetMode.SAME_STEP,
        )
        assert self._envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        self.num_envs = num_envs
        self.observation_space, self.action_space = self._envs.single_observation_space, self._envs.single_action_space
        self._seed = own_seed(seed)
        self._ret, self._len = np.zeros(num_envs), np.zeros(num_envs, dtype=int)
        self._steps = 0
        self._o = np.empty(0, np.float32)

    def reset(self, seed: int | Sequence[int] | None = None) -> np.ndarray:
        """Start every episode anew; returns the observations ``[N, obs_dim]`` float32.

        Args:
            seed: int >= 0, or several; None repeats the episodes of the constructor's seed.
        """
        *env_seeds, action_seed = _spread(self._seed if seed is None else seed, self.num_envs + 1)
        o, _ = self._envs.reset(seed=[*env_seeds])
        self.action_space.seed(action_seed)
        self._ret[:], self._len[:], self._steps = 0, 0, 0
        self._o = self._finite(np.array(o, dtype=np.float32), "an observation")
        return self._o

    def step(self, a: np.ndarray) -> Step:
        """Act: ``a`` is ``[N, act_dim]`` (clipped to the action bounds) or ``[N]`` for discrete actions."""
        o, r, d, truncated, infos = self._envs.step(clip_action(a, self.action_space))
        self._steps += self.num_envs
        cut = d | truncated
        o2 = o = self._o = self._finite(np.array(o, dtype=np.float32), "an observation")
        self._finite(r, "a reward")
        self._ret += r
        self._len += 1
        ep_ret, ep_len = self._ret[cut], self._len[cut]
        if ep_len.size:
            o2 = o.copy()
            o2[cut] = np.stack(infos["final_obs"][cut])
            self._finite(o2, "an observation")
            self._ret[cut], self._len[cut] = 0, 0
        return Step(o2, r, d, cut, o, ep_ret, ep_len)

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs, as numbers and arrays."""
        return {
            "o": self._o,
            "ret": self._ret.copy(),
            "len": self._len.copy(),
            "steps": self._steps,
            "episodes": [tape.record() for tape in self._tapes],
            "action_space": self.action_space.np_random.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> tuple[np.ndarray, int]:
        """Go back to where :meth:`state` was taken, by replaying the episodes in progress.

        A simulator that does not repeat itself (Box2D's contacts may remember earlier episodes) ends up elsewhere:
        there, the episode is cut and a new one started.

        Returns:
            The observations to act on ``[N, obs_dim]`` float32, and how many episodes were cut.
        """
        self.reset()
        for tape, record in zip(self._tapes, state["episodes"], strict=True):
            tape.replay_at_next_reset(record)
        o, _ = self._envs.reset()
        lost = (np.asarray(o, np.float32) != state["o"]).any(-1)
        if lost.any():
            o, _ = self._envs.reset(options={"reset_mask": lost})
        self._o = np.array(o, dtype=np.float32)
        self._ret[:], self._len[:] = np.where(lost, 0, state["ret"]), np.where(lost, 0, state["len"])
        self._steps = state["steps"]
        self.action_space.np_random.bit_generator.state = state["action_space"]
        return self._o, int(lost.sum())

    def sample_actions(self) -> np.ndarray:
        """One uniformly random action for each environment."""
        return np.stack([self.action_space.sample() for _ in range(self.num_envs)])

    def _finite(self, x: np.ndarray, what: str) -> np.ndarray:
        if not np.isfinite(x).all():
            raise UserError(
                f"The environment gave {what} of {x[~np.isfinite(x)][0]} at step {self._steps}: training stops here "
                "and the last save is kept; mend the environment, or lower the learning rate if the agent diverged."
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


def run_episodes(
    act: Callable[[np.ndarray], np.ndarray], envs: VectorEnv, seed: int | Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Run one whole episode in each environment, all at once; returns their returns and lengths, ``[N]`` each.

    Args:
        act: maps observations ``[N, obs_dim]`` to actions.
        envs: reset from ``seed``, so that the same seed gives the same starts.
        seed: int >= 0, or several.
    """
    ep_ret, ep_len = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=int)
    o, running = envs.reset(seed), np.ones(envs.num_envs, dtype=bool)
    while running.any():
        step = envs.step(act(o))
        ep_ret += running * step.r
        ep_len += running
        running &= ~step.cut
        o = step.o
    return ep_ret, ep_len


def deterministic_act(agent: Any) -> Callable[[np.ndarray], np.ndarray]:
    """``agent.act`` without exploration; that of an agent of one's own may be plain ``act(obs)``."""
    takes = signature(agent.act).parameters
    return partial(agent.act, deterministic=True) if "deterministic" in takes else agent.act


def test_agent(agent: Any, envs: VectorEnv, seed: int | Sequence[int]) -> dict[str, np.ndarray]:
    """The columns ``TestEpRet`` and ``TestEpLen``, ``[N]`` each, of :func:`run_episodes` without exploration."""
    ep_ret, ep_len = run_episodes(deterministic_act(agent), envs, seed)
    return {"TestEpRet": ep_ret, "TestEpLen": ep_len}
