"""Grader of exercise 3.4: the squashed Gaussian and the entropy of SAC."""

from typing import Any, NamedTuple

import numpy as np

from spinup.exercises.exercise import Exercise
from spinup.exercises.graders.exercise1_1 import right as gaussian
from spinup.exercises.grading import Blank, Check, Mistake, call, gradient
from spinup.exercises.networks import Twin
from spinup.experience.buffers import Batch

CORE, SAC = "spinup.algos.{backend}.core", "spinup.algos.{backend}.sac"
rng = np.random.default_rng(34)
U, MU, LOG_STD = rng.standard_normal((3, 5, 3))
FAR = np.array([[10.0, -11.0, 0.5], [-12.0, 0.1, 14.0]])


def log_slope(u):
    """log(1 - tanh(u)^2), computed stably."""
    return 2 * (np.log(2) - u - np.logaddexp(0, -2 * u))


def squashed(correction, at=lambda u: u):
    """A log-density like (2), from its ``correction`` and the place where the Gaussian is evaluated."""
    return lambda u, mu, log_std: gaussian(at(u), mu, log_std) - correction(u)


def rounded(u, epsilon=0.0):
    """log(1 - tanh(u)^2) where tanh(u) is rounded as in float32."""
    return np.log(1 - np.where(abs(u) > 9, np.sign(u), np.tanh(u)) ** 2 + epsilon)


DENSITY_MISTAKES = [
    Mistake(
        "the correction for tanh is missing",
        squashed(lambda u: 0),
        "tanh squeezes the line into (-1, 1), and the density rises where it does: subtract the log of the slope.",
        2,
    ),
    Mistake(
        "the correction has the wrong sign",
        squashed(lambda u: -log_slope(u).sum(-1)),
        "The density of a = tanh(u) is that of u divided by the slope da/du, by the change of variables: minus.",
        2,
    ),
    Mistake(
        "the Gaussian is evaluated at the action, not at u",
        squashed(lambda u: log_slope(u).sum(-1), np.tanh),
        "It is u that is Gaussian; the action is tanh(u).",
        2,
    ),
    Mistake(
        "the correction takes u for the action",
        squashed(lambda u: np.log(1 - u**2).sum(-1)),
        "The slope at u is 1 - tanh(u)^2; 1 - a^2 with a = tanh(u) is the same, but 1 - u^2 is not.",
        2,
    ),
    Mistake(
        "the correction is rounded, since tanh(u) is 1 for large u",
        squashed(lambda u: rounded(u).sum(-1)),
        "In float32, tanh(10) is exactly 1, and log(1 - 1) is minus infinity. Write 1 - tanh(u)^2 as "
        "(2 / (e^u + e^-u))^2: its log is 2 (log 2 - u - softplus(-2 u)).",
        2,
    ),
    Mistake(
        "the correction is rounded, and saved by 1e-6",
        squashed(lambda u: rounded(u, 1e-6).sum(-1)),
        "That is finite, but wrong for large u: at u = 10 the log is -18.6, not log(1e-6) = -13.8. Write 1 - tanh(u)^2 "
        "as (2 / (e^u + e^-u))^2: its log is 2 (log 2 - u - softplus(-2 u)).",
        2,
    ),
    Mistake(
        "tanh is not squared",
        squashed(lambda u: np.log(1 - np.tanh(u)).sum(-1)),
        "The slope of tanh is 1 - tanh(u)^2.",
        2,
    ),
    Mistake(
        "the correction is averaged over the dimensions",
        squashed(lambda u: log_slope(u).mean(-1)),
        "Each dimension is squashed by itself: the logs of the slopes add up.",
        2,
    ),
    Mistake(
        "the correction is not summed over the dimensions",
        squashed(log_slope),
        "One number an action, [B]: the sum over i in (2) is over the last dimension.",
        2,
    ),
    Mistake(
        "half of the correction is missing",
        squashed(lambda u: log_slope(u).sum(-1) / 2),
        "1 - tanh(u)^2 = (2 / (e^u + e^-u))^2: the square gives the factor 2 in 2 (log 2 - u - softplus(-2 u)).",
        2,
    ),
]


class Gaussian(NamedTuple):
    """A policy that is easy to differentiate: actions and something like their log-densities."""

    w: Any  # [obs_dim, act_dim]

    def __call__(self, o: Any, eps: Any) -> tuple[Any, Any]:
        mu = o @ self.w
        return mu + eps, -(eps**2).sum(-1) / 2 + mu.sum(-1) / 3 - 0.7


PI, Q = Gaussian(rng.standard_normal((3, 2))), Twin(rng.standard_normal((2, 3)), rng.standard_normal((2, 2)))
BATCH = Batch(*(rng.standard_normal(s) for s in ((6, 3), (6, 2), 6, (6, 3))), d=np.array([0.0, 1, 0, 0, 1, 0]))
NOISE = rng.standard_normal((6, 2))


def first(n):
    """The first ``n`` rows of the batch."""
    return Batch(*(x[:n] for x in BATCH))


def target(soft=lambda q, alpha, logp: q.min(0) - alpha * logp, o2_of=lambda b: b.o2, goes_on=lambda b: 1 - b.d):
    """A target like (1) of SAC, from the soft value of what follows."""

    def td_target(pi, q_targ, batch, eps, gamma, alpha):
        a2, logp = pi(o2_of(batch), eps)
        return batch.r + gamma * goes_on(batch) * soft(q_targ(o2_of(batch), a2), alpha, logp)

    return td_target


def entropy_always(pi, q_targ, batch, eps, gamma, alpha):
    """A target whose entropy is not cut off at the end."""
    a2, logp = pi(batch.o2, eps)
    return batch.r + gamma * (1 - batch.d) * q_targ(batch.o2, a2).min(0) - gamma * alpha * logp


def entropy_now(pi, q_targ, batch, eps, gamma, alpha):
    """A target whose entropy counts as a part of this step's reward."""
    a2, logp = pi(batch.o2, eps)
    return batch.r + gamma * (1 - batch.d) * q_targ(batch.o2, a2).min(0) - alpha * logp


TARGET_MISTAKES = [
    Mistake(
        "the entropy is missing",
        target(lambda q, alpha, logp: q.min(0)),
        "In SAC, what follows is worth its value and its entropy: - alpha log pi(a2|o2).",
        1,
    ),
    Mistake(
        "the entropy has the wrong sign",
        target(lambda q, alpha, logp: q.min(0) + alpha * logp),
        "The entropy is the mean of *minus* log pi, and it is a bonus: - alpha log pi(a2|o2).",
        1,
    ),
    Mistake(
        "alpha is missing",
        target(lambda q, alpha, logp: q.min(0) - logp),
        "alpha is the weight of the entropy against the reward.",
        1,
    ),
    Mistake(
        "the entropy counts after a terminal state",
        entropy_always,
        "After a terminal state no action follows, so (1 - d) covers the entropy too.",
        1,
    ),
    Mistake(
        "the entropy stands outside the brackets",
        entropy_now,
        "log pi(a2|o2) belongs to the next step: as the value does, it counts gamma (1 - d) times.",
        1,
    ),
    Mistake(
        "you took the higher of the two critics",
        target(lambda q, alpha, logp: q.max(0) - alpha * logp),
        "Policies find and use whatever a critic overestimates. The min, of two critics, counters that.",
        1,
    ),
    Mistake(
        "you took the first critic only",
        target(lambda q, alpha, logp: q[0] - alpha * logp),
        "The min is over both critics.",
        1,
    ),
    Mistake(
        "the factor (1 - d) is missing",
        target(goes_on=lambda b: 1),
        "Nothing follows a terminal state: where d is 1, y is just r.",
        1,
    ),
    Mistake(
        "the action is taken in o, not in o2",
        target(o2_of=lambda b: b.o),
        "What follows begins in o2: a2 ~ pi(.|o2), drawn anew, not from the batch.",
        1,
    ),
]


def actor_loss(objective, o_of=lambda b: b.o):
    """A function like ``pi_loss`` from an ``objective(q, alpha, logp)``, ``[B]``."""

    def pi_loss(pi, q, batch, eps, alpha):
        a, logp = pi(o_of(batch), eps)
        return objective(q(o_of(batch), a), alpha, logp).mean(), logp

    return pi_loss


def action_of_the_batch(pi, q, batch, eps, alpha):
    """A loss whose critic judges the actions that were taken."""
    _, logp = pi(batch.o, eps)
    return (alpha * logp - q(batch.o, batch.a).min(0)).mean(), logp


PI_MISTAKES = [
    Mistake(
        "the sign is wrong",
        actor_loss(lambda q, alpha, logp: q.min(0) - alpha * logp),
        "This is the objective, which should rise; the loss is minus that.",
        3,
    ),
    Mistake(
        "the entropy has the wrong sign",
        actor_loss(lambda q, alpha, logp: -alpha * logp - q.min(0)),
        "A loss that falls with - alpha log pi makes the policy narrow: the entropy is a bonus, so + alpha log pi.",
        3,
    ),
    Mistake(
        "the entropy is missing",
        actor_loss(lambda q, alpha, logp: -q.min(0)),
        "Without alpha log pi the policy would become deterministic.",
        3,
    ),
    Mistake(
        "alpha is missing",
        actor_loss(lambda q, alpha, logp: logp - q.min(0)),
        "alpha is the weight of the entropy against the value.",
        3,
    ),
    Mistake(
        "you took the higher of the two critics",
        actor_loss(lambda q, alpha, logp: alpha * logp - q.max(0)),
        "SAC's policy climbs the lower of the two critics.",
        3,
    ),
    Mistake(
        "you took the first critic only",
        actor_loss(lambda q, alpha, logp: alpha * logp - q[0]),
        "That is how TD3 does it. SAC's policy climbs the lower of the two critics.",
        3,
    ),
    Mistake(
        "the mean over the batch is missing, it is a sum",
        lambda pi, q, batch, eps, alpha: (
            len(batch.o) * actor_loss(lambda q, alpha, logp: alpha * logp - q.min(0))(pi, q, batch, eps, alpha)[0],
            pi(batch.o, eps)[1],
        ),
        "E is the mean over the batch.",
        3,
    ),
    Mistake(
        "the critic judges the actions of the batch",
        action_of_the_batch,
        "Those do not depend on the policy: Q(o, a') is of the action a' that the policy has just drawn.",
        3,
    ),
    Mistake(
        "the policy acts in o2",
        actor_loss(lambda q, alpha, logp: alpha * logp - q.min(0), lambda b: b.o2),
        "Both the policy and the critic look at the same observation o.",
        3,
    ),
]

EXERCISE = Exercise(
    title="The squashed Gaussian and the entropy of SAC",
    minutes=40,
    difficulty=3,
    blanks=[
        Blank(
            "squashed_log_density",
            CORE,
            squashed(lambda u: log_slope(u).sum(-1)),
            [
                Check("one action of three dimensions", call(U[:1] / 3, MU[:1], LOG_STD[:1])),
                Check("five actions", call(U, MU, LOG_STD)),
                Check("actions at their bounds", call(FAR, FAR + MU[:2], LOG_STD[:2])),
                Check("its gradient in u", gradient(U, MU, LOG_STD)),
            ],
            DENSITY_MISTAKES,
        ),
        Blank(
            "td_target",
            SAC,
            target(),
            [
                Check("one transition", call(PI, Q, first(1), NOISE[:1], 0.9, 0.3)),
                Check("six transitions, two of them terminal", call(PI, Q, BATCH, NOISE, 0.9, 0.3)),
            ],
            TARGET_MISTAKES,
        ),
        Blank(
            "pi_loss",
            SAC,
            actor_loss(lambda q, alpha, logp: alpha * logp - q.min(0)),
            [
                Check("one observation", call(PI, Q, first(1), NOISE[:1], 0.3)),
                Check("six observations", call(PI, Q, BATCH, NOISE, 0.3)),
                Check("its gradient in the parameters of pi", gradient(PI, Q, BATCH, NOISE, 0.3)),
            ],
            PI_MISTAKES,
        ),
    ],
)
