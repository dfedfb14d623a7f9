"""Grader of exercise 3.2: an agent that never learns to stay alive."""

from typing import Any, NamedTuple

import numpy as np

from spinup.exercises.exercise import Exercise, Training
from spinup.exercises.grading import Blank, Check, Mistake, call
from spinup.exercises.networks import Policy

rng = np.random.default_rng(32)


class Batch(NamedTuple):
    """Transitions, with what a replay buffer forgets: where an episode ended, for whatever reason."""

    o: Any
    a: Any
    r: Any
    o2: Any
    d: Any
    ended: Any


TARG, Q = Policy(rng.standard_normal((3, 2))), Policy(rng.standard_normal((3, 2)))  # values of two actions, [B, 2]
BATCH = Batch(
    *(rng.standard_normal(shape) for shape in ((6, 3), 6, 6, (6, 3))),
    d=np.array([0.0, 1, 0, 0, 1, 0]),
    ended=np.array([0.0, 1, 1, 0, 1, 0]),
)


def rows(*which):
    """Some transitions of the batch."""
    return Batch(*(x[list(which)] for x in BATCH))


def target(goes_on, r_of=lambda b: b.r):
    """A target that counts the value of what follows ``goes_on(batch)`` times."""

    def td_target(q_targ, q, batch, gamma, double_q):
        values = q_targ(batch.o2)
        a2 = (q(batch.o2) if double_q else values).argmax(-1)
        return r_of(batch) + gamma * goes_on(batch) * np.take_along_axis(values, a2[:, None], -1)[:, 0]

    return td_target


EXERCISE = Exercise(
    title="An agent that never learns to stay alive",
    minutes=20,
    difficulty=2,
    blanks=[
        Blank(
            "td_target",
            "spinup.algos.{backend}.dqn",
            target(lambda b: 1 - b.d),
            [
                Check("in the middle of an episode", call(TARG, Q, rows(0, 3), 0.9, True)),
                Check("where the pole fell", call(TARG, Q, rows(1, 4), 0.9, True)),
                Check("where the time was up", call(TARG, Q, rows(2), 0.9, True)),
                Check("all of these in one batch", call(TARG, Q, BATCH, 0.9, False)),
            ],
            [
                Mistake(
                    "life goes on after a terminal state",
                    target(lambda b: 1),
                    "After a fall, y still counts the value of what follows, so a fall costs nothing: with a reward of "
                    "1 at every step, the right Q for it is 1 / (1 - gamma) everywhere. What the network says beyond a "
                    "fall is never corrected, and Q goes far above even that.",
                    1,
                ),
                Mistake(
                    "a time limit counts as death",
                    target(lambda b: 1 - b.ended),
                    "Where the time is up, ended is 1 but d is 0. The pole still stands, and the value of o2 is what "
                    "standing is worth: with (1 - ended), a state is worth less for no reason that the agent can see.",
                    1,
                ),
                Mistake(
                    "life goes on after a fall, but not after a time limit",
                    target(lambda b: 1 - b.ended + b.d),
                    "It is the other way round: d is 1 after a fall, and nothing follows; a time limit is a mere cut.",
                    1,
                ),
                Mistake(
                    "d stands where (1 - d) belongs",
                    target(lambda b: b.d),
                    "d is 1 where the episode terminated, and there no value follows.",
                    1,
                ),
                Mistake(
                    "(1 - d) also removes the reward",
                    target(lambda b: 1 - b.d, r_of=lambda b: (1 - b.d) * b.r),
                    "The reward of the last step was received: (1 - d) belongs to the value of what follows only.",
                    1,
                ),
                Mistake(
                    "a fall costs an extra 1, and life goes on",
                    target(lambda b: 1, r_of=lambda b: b.r - b.d),
                    "A penalty changes the task. What is wrong here is the value after the end, which should be 0.",
                    1,
                ),
                Mistake(
                    "gamma is missing",
                    lambda q_targ, q, batch, gamma, double_q: target(lambda b: 1 - b.d)(q_targ, q, batch, 1, double_q),
                    "What follows counts gamma times as much as the reward of this step.",
                    1,
                ),
            ],
        )
    ],
    trainings=[
        Training(
            "dqn",
            {
                "env_name": "CartPole-v1",
                "ac_kwargs": {"hidden_sizes": [64, 64]},
                "epochs": 10,
                "steps_per_epoch": 2000,
                "epsilon_steps": 5000,
                "q_lr": 1e-3,
            },
            "AverageTestEpRet",
            lambda results: results.max() > 150,
            "the pole should stand for over 150 steps in one of 10 epochs",
        )
    ],
)
