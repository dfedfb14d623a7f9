"""Grader of exercise 2.2: a silent bug in DDPG."""

import numpy as np
from gymnasium import spaces

from spinup.exercises.exercise import Exercise, choice
from spinup.exercises.graders.exercise1_2 import perceptron
from spinup.exercises.grading import Blank, Check, Mistake

rng = np.random.default_rng(22)
OBS, ACT = rng.uniform(0.1, 1, (5, 3)), rng.uniform(0.1, 1, (5, 2))  # positive, so that no ReLU hides anything
BROADCAST = (
    "In (1), r + gamma (1 - d) Q combines [B] with [B, 1], and the backend broadcasts both to [B, B], without a word: "
    "z_ij = r_j + gamma (1 - d_j) q'_i. The loss (2) then compares every value q_i with every z_ij."
)


def critic(shape):
    """An action-value function that gives its values ``[B, 1]`` the ``shape``."""

    def q(obs, act, sizes, fill):
        return shape(perceptron(np.concatenate([obs, act], -1), sizes, fill, lambda x: np.maximum(x, 0)))

    return q


def values(n):
    """The values of the first ``n`` actions."""

    def numbers(cls, on):
        q = on.critic(cls, OBS.shape[1], spaces.Box(-1, 1, ACT.shape[1:]), (8, 8), 0.3)
        return q(on.array(OBS[:n]), on.array(ACT[:n]))

    return numbers


HIDING = choice(
    "Which choice of hyperparameters would have hidden the bug?",
    "d",
    {
        "a": ("gamma 0", "Then y is still [B, B], or at best [B], and q - y broadcasts [B, 1] with it all the same."),
        "b": ("polyak 0", "The targets would then follow at once; that changes their values, not their shapes."),
        "c": ("a replay buffer of one transition", "All rows of a batch would then be equal, so broadcasting would "
              "change no number, but nothing could be learned either. Which choice makes both shapes the same?"),
        "d": ("batches of one transition", "[1, 1] has just one number in it: every value is compared with its own "
              "target, and the loss is right, though each step is a noisy one."),
        "e": ("smaller networks", "The shape of what a network gives does not depend on its hidden layers."),
        "f": ("more seeds", "The bug is there with every seed. More seeds show it more clearly."),
    },
    bonus=True,
)  # fmt: skip

EXERCISE = Exercise(
    title="A silent bug in DDPG",
    minutes=45,
    difficulty=2,
    blanks=[
        Blank(
            "BuggedMLPQFunction",
            "spinup.algos.{backend}.core",
            critic(lambda q: q[:, 0]),
            [
                Check("the values of five actions", values(5)),
                Check("the value of one action", values(1)),
            ],
            [
                Mistake("the values have the shape [B, 1], one too many dimensions", critic(lambda q: q), BROADCAST),
                Mistake(
                    "all dimensions of length 1 are gone, also that of the batch",
                    critic(np.squeeze),
                    "For a batch of one transition this leaves no dimension at all. Say which: squeeze(-1).",
                ),
                Mistake(
                    "the first dimension is squeezed, not the last",
                    critic(lambda q: q[0] if len(q) == 1 else q),
                    "The batch is the first dimension. The network's one output is the last: squeeze(-1). " + BROADCAST,
                ),
                Mistake(
                    "the values have the shape [1, B]",
                    critic(lambda q: q.T),
                    "A transposed matrix is still a matrix. Remove its dimension of length 1: squeeze(-1).",
                ),
                Mistake(
                    "you took the mean over the batch",
                    critic(np.mean),
                    "Each transition has its own value, and its own target: [B].",
                ),
                Mistake(
                    "you took the first row of the batch",
                    critic(lambda q: q[0]),
                    "That is the value of one transition. Index the last dimension, or squeeze it: [B].",
                ),
                Mistake(
                    "the values are a matrix [B, B]",
                    critic(lambda q: q * np.ones(len(q))),
                    "Something was broadcast: [B] combined with [B, 1] gives [B, B].",
                ),
            ],
        )
    ],
    question=HIDING,
)
