"""Probes: tiny environments that show which part of a learning algorithm is broken.

Each isolates one part and rests on those before it, so that the first one that an agent fails points to the fault. All
right values and actions are known: ``spinup probe ppo`` trains on each probe for seconds, and compares.

Every probe is registered with Gymnasium, as ``ConstantReward-v0`` with two actions and as
``ConstantRewardContinuous-v0`` with actions in [-1, 1]: ``--env spinup.exercises.probes:ConstantReward-v0``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from spinup.backends import backend_of_agent, import_backend
from spinup.errors import UserError, first_line

KINDS = ("discrete", "continuous")  # of actions
END = None  # what follows where an episode terminates

Value = Callable[[float, float, float], float]  # q(o, c, gamma)


@dataclass(frozen=True)
class Probe:
    """What a probe pays, and what is right in it.

    ``o`` is the observation, one number. ``c`` is the side of an action: -1 or 1 for the two discrete ones, and a
    continuous action itself.

    Args:
        name: of the environment.
        title: what it pays.
        outcome: ``(o, c)`` -> the reward and the next observation, or ``END``.
        q: ``(o, c, gamma)`` -> the right value of that action, if the best ones follow.
        fault: what is broken if the agent fails in another way than those in ``usual``.
        usual: usual wrong values, as functions like ``q``, and what they come from.
        wrong_side: what is broken if the values are right, but the agent acts the wrong way.
        starts: the observations that episodes start with.
        truncates: whether each step that does not terminate ends the episode by a time limit.
    """

    name: str
    title: str
    outcome: Callable[[float, float], tuple[float, float | None]]
    q: Value
    fault: str
    usual: tuple[tuple[Value, str], ...] = ()
    wrong_side: str = ""
    starts: tuple[float, ...] = (1,)
    truncates: bool = False

    def env_name(self, kind: str) -> str:
        """The Gymnasium id, for actions of a kind in ``KINDS``."""
        return f"{self.name}{'Continuous' * (kind == 'continuous')}-v0"

    def right_side(self, o: float, gamma: float) -> float:
        """The side of the right action: -1, 1, or 0 if it does not matter."""
        return float(np.sign(self.q(o, 1, gamma) - self.q(o, -1, gamma)))


PROBES = (
    Probe(
        "ConstantReward",
        "a reward of 1, whatever happens",
        outcome=lambda o, c: (1, END),
        q=lambda o, c, gamma: 1,
        fault="Not even a constant is learned as a value: look at the loss of the value function, and at what its "
        "optimiser moves.",
        usual=((lambda o, c, gamma: 1 / (1 - gamma), "(1 - d) is missing: nothing follows after a terminal state."),),
    ),
    Probe(
        "RewardByObservation",
        "the observation, -1 or 1, is the reward",
        outcome=lambda o, c: (o, END),
        q=lambda o, c, gamma: o,
        fault="A constant is learned as a value, but not a function of the observation: look at what the value "
        "function is given, and which targets its outputs meet.",
        usual=(
            (
                lambda o, c, gamma: 0,
                "All states get the same value, their mean: outputs [B, 1] against targets [B] broadcast to [B, B], "
                "or the value function does not see the observation.",
            ),
            (lambda o, c, gamma: -o, "Values have the wrong sign."),
        ),
        starts=(-1, 1),
    ),
    Probe(
        "RewardLater",
        "a reward of 1, one step later",
        outcome=lambda o, c: (0, 1) if o < 0 else (1, END),
        q=lambda o, c, gamma: gamma if o < 0 else 1,
        fault="Values of single steps are right, but not of two: look at gamma, at the value of the next state in the "
        "target, and at the target network, if there is one.",
        usual=(
            (lambda o, c, gamma: 0, "The value of the next state does not reach the target: no bootstrap."),
            (lambda o, c, gamma: 1, "Later rewards count in full: gamma is missing from the target."),
            (lambda o, c, gamma: gamma**2, "All is discounted once too often."),
        ),
        starts=(-1,),
    ),
    Probe(
        "RewardByAction",
        "the action is the reward",
        outcome=lambda o, c: (c, END),
        q=lambda o, c, gamma: c,
        fault="Value learning is right, but the advantage (or Q) does not reach the policy: look at the policy's loss, "
        "at log pi(a|o), and at what its optimiser moves.",
        wrong_side="Value learning is right, but the policy prefers the worse action: its loss has the wrong sign.",
    ),
    Probe(
        "RewardByBoth",
        "the observation times the action is the reward",
        outcome=lambda o, c: (o * c, END),
        q=lambda o, c, gamma: o * c,
        fault="The policy learns a single action, but not one for each observation: look at what it is given, and "
        "whether observations, actions and advantages of the same step stay together.",
        starts=(-1, 1),
    ),
    Probe(
        "TimeLimit",
        "a reward of 1 in every step, without an end but the time limit",
        outcome=lambda o, c: (1, o),
        q=lambda o, c, gamma: 1 / (1 - gamma),
        fault="Where an episode is truncated, the value of what would have followed is wrong: look at what is "
        "bootstrapped there, and from which observation.",
        usual=((lambda o, c, gamma: 1, "A time limit is treated as a terminal state: d is 1 only if terminated."),),
        truncates=True,
    ),
    Probe(
        "NowOrLater",
        "0.75 now for one action, 1 a step later for the other",
        outcome=lambda o, c: (1, END) if o > 0 else (0.75, END) if c > 0 else (0, 1),
        q=lambda o, c, gamma: 1 if o > 0 else 0.75 if c > 0 else gamma,
        fault="Single rewards are weighed against each other, but not those of different steps.",
        wrong_side="The policy waits for a reward that gamma makes the smaller: the advantage is not discounted.",
        starts=(-1,),
    ),
)


class ProbeEnv(gym.Env):
    """The environment of a probe.

    Args:
        probe: its name.
        kind: of the actions, one of ``KINDS``.
    """

    def __init__(self, probe: str, kind: str):
        self._probe = next(one for one in PROBES if one.name == probe)
        self.observation_space = spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = spaces.Discrete(2) if kind == "discrete" else spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        """Start at one of the probe's ``starts``."""
        super().reset(seed=seed)
        self._o = float(self.np_random.choice(self._probe.starts))
        return np.array([self._o], np.float32), {}

    def step(self, action):
        """Pay, and move on."""
        (c,) = sides([action], self.action_space)
        r, o2 = self._probe.outcome(self._o, c)
        self._o = self._o if o2 is END else o2
        return np.array([self._o], np.float32), float(r), o2 is END, self._probe.truncates and o2 is not END, {}


for _probe in PROBES:
    for _kind in KINDS:
        gym.register(_probe.env_name(_kind), f"{__name__}:ProbeEnv", kwargs=dict(probe=_probe.name, kind=_kind))


def sides(actions: Any, action_space: spaces.Space) -> np.ndarray:
    """The side of each of ``N`` actions, ``[N]``."""
    actions = np.reshape(actions, len(actions)).astype(float)
    return 2 * actions - 1 if isinstance(action_space, spaces.Discrete) else actions.clip(-1, 1)


# ---- judging an agent ----

SAMPLES = 500  # actions of the policy for one observation
NEAR = 0.15  # by how much a value may be off
FIRM = 0.5  # what the mean side of actions exceeds where the agent has made up its mind


class Number(NamedTuple):
    """A number of the agent, and what it should be."""

    name: str
    found: float
    right: float


class Estimate(NamedTuple):
    """A value that the agent estimates."""

    name: str
    o: float
    over: Sequence[float]  # the sides of the actions that it is the mean value of
    critics: np.ndarray  # what each critic, or the only one, says

    def beside(self, q: Value, gamma: float) -> Number:
        """The estimate beside what it would be by ``q``; of two critics, that of the one that is further off."""
        right = float(np.mean([q(self.o, c, gamma) for c in self.over]))
        return Number(self.name, float(self.critics[np.argmax(abs(self.critics - right))]), right)


def judge(agent: Any, probe: Probe, action_space: spaces.Space, gamma: float) -> tuple[list[Number], str]:
    """The numbers of an agent trained on ``probe``, and what is broken: "" if they are right.

    Args:
        agent: has ``act(obs)``, NumPy observations ``[B, 1]`` -> actions ``[B]`` or ``[B, 1]``, and a network
            ``v(obs)`` -> ``[B]`` or ``q(obs, act)`` -> ``[B]`` or ``[2, B]`` (discrete: ``q(obs)`` -> ``[B, 2]``).
        probe: what it was trained on.
        action_space: of the probe's environment.
        gamma: discount factor that it was trained with.

    Raises:
        UserError: if it has neither ``v`` nor ``q``, or no ``act``.
    """
    refuse_strangers(agent)
    actions = {o: agent.act(np.full((SAMPLES, 1), o, np.float32)) for o in probe.starts}
    chosen = {o: sides(a, action_space) for o, a in actions.items()}
    estimates = [one for o in probe.starts for one in _estimates(agent, o, chosen[o], action_space)]
    values = [one.beside(probe.q, gamma) for one in estimates]
    if not _agree(values):
        known = (what for q, what in probe.usual if _agree([one.beside(q, gamma) for one in estimates]))
        return values, next(known, probe.fault)

    right = {o: probe.right_side(o, gamma) for o in probe.starts}
    acts = [Number(f"a({o:g})", float(chosen[o].mean()), right[o]) for o in probe.starts if right[o]]
    leanings = [act.found * act.right for act in acts]
    if all(leaning > FIRM for leaning in leanings):
        return values + acts, ""
    is_reversed = all(leaning < -FIRM for leaning in leanings)
    return values + acts, (probe.wrong_side if is_reversed else "") or probe.fault


def _agree(numbers: Iterable[Number]) -> bool:
    return all(abs(number.found - number.right) < NEAR for number in numbers)


def _estimates(agent: Any, o: float, chosen: np.ndarray, space: spaces.Space) -> Iterator[Estimate]:
    """The values at ``o``: V of the policy, which has ``chosen`` these sides, or Q of both sides."""
    if hasattr(agent, "v"):
        yield Estimate(f"V({o:g})", o, chosen, evaluate(agent.v, np.float32([[o]])).reshape(1))
        return
    if isinstance(space, spaces.Discrete):
        q = evaluate(agent.q, np.float32([[o]]))
    else:
        q = evaluate(agent.q, np.float32([[o], [o]]), np.float32([[-1], [1]]))
    for c, critics in zip((-1, 1), q.reshape(-1, 2).T):
        yield Estimate(f"Q({o:g}, {c})", o, [c], critics)


def evaluate(network: Callable, *inputs: np.ndarray) -> np.ndarray:
    """``network(*inputs)`` as NumPy; raises UserError unless it is a backend's network or takes NumPy arrays."""
    try:
        backend = backend_of_agent(network)
    except TypeError:
        try:
            return np.asarray(network(*inputs))
        except Exception as error:  # it may need anything
            raise UserError(
                f"The agent's v or q cannot be called with NumPy arrays ({first_line(error)}): let it be a network "
                "such as a torch.nn.Module, or let it take NumPy arrays and return one."
            ) from error
    return import_backend(backend, "core").evaluate(network, *inputs)


def refuse_strangers(agent: Any) -> None:
    """Raise UserError unless :func:`judge` can judge ``agent``."""
    if not callable(getattr(agent, "act", None)) or not (hasattr(agent, "v") or hasattr(agent, "q")):
        raise UserError(
            f"The training function returned an object of type {type(agent).__name__}: expected an agent with "
            "act(obs), and with v(obs) or q(obs, act)."
        )
