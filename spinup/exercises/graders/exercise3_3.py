"""Grader of exercise 3.3: the clipped objective of PPO."""

import numpy as np

from spinup.exercises.exercise import Exercise
from spinup.exercises.grading import Blank, Check, Mistake, call, gradient

EPS = 0.2
# ratio below, inside and above the clip; first for a positive advantage, then for a negative one
RATIO = np.array([0.5, 1.1, 1.6, 0.5, 1.1, 1.6])
ADV = np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
OLD = np.array([-1.0, -0.3, -2.0, 0.4, -1.5, -0.7])
SIX = np.log(RATIO) + OLD, OLD, ADV, EPS
rng = np.random.default_rng(33)
MANY = OLD.repeat(4) + rng.normal(0, 0.4, 24), OLD.repeat(4), rng.standard_normal(24), 0.1


def loss(objective, ratio=lambda new, old: np.exp(new - old)):
    """A loss from an ``objective(ratio, adv, eps)``, ``[B]``."""
    return lambda logp, logp_old, adv, eps: -objective(ratio(logp, logp_old), adv, eps).mean()


def clipped(w, adv, eps):
    """What (1) takes the mean of."""
    return np.minimum(w * adv, w.clip(1 - eps, 1 + eps) * adv)


def case(i):
    """The numbers of one case."""
    return *(x[i : i + 1] for x in SIX[:3]), EPS


NAMES = [
    f"advantage {sign}, ratio {where}"
    for sign in ("> 0", "< 0")
    for where in ("below 1 - eps", "inside", "above 1 + eps")
]

EXERCISE = Exercise(
    title="The clipped objective of PPO, in six cases",
    minutes=25,
    difficulty=2,
    blanks=[
        Blank(
            "policy_loss",
            "spinup.algos.{backend}.ppo",
            loss(clipped),
            [
                *(Check(name, call(*case(i))) for i, name in enumerate(NAMES)),
                Check("the mean over a batch", call(*MANY)),
                Check("its gradient in logp, in the six cases: 0 in two of them", gradient(*SIX)),
            ],
            [
                Mistake(
                    "the sign is wrong",
                    lambda *args: -loss(clipped)(*args),
                    "The objective should rise, and a loss is minimised: hence the minus before E.",
                    1,
                ),
                Mistake(
                    "you took the larger of the two terms",
                    loss(lambda w, adv, eps: np.maximum(w * adv, w.clip(1 - eps, 1 + eps) * adv)),
                    "min makes the objective a pessimistic bound: with max, the policy would gain without limit by "
                    "moving away. For adv < 0, the min of the two terms is max(w, 1 - eps) adv: still a min.",
                    1,
                ),
                Mistake(
                    "the ratio is not clipped",
                    loss(lambda w, adv, eps: w * adv),
                    "Without the clip nothing stops the policy from moving far from the one that collected the data.",
                    1,
                ),
                Mistake(
                    "only the clipped term is left",
                    loss(lambda w, adv, eps: w.clip(1 - eps, 1 + eps) * adv),
                    "Where the policy has moved the wrong way (adv > 0, ratio below 1 - eps), this has no gradient to "
                    "bring it back. The min with w adv gives it one.",
                    1,
                ),
                Mistake(
                    "the ratio is upside down",
                    loss(clipped, lambda new, old: np.exp(old - new)),
                    "w = pi(a|o) / pi_old(a|o): the new policy is above.",
                    1,
                ),
                Mistake(
                    "the ratio is one of log-probabilities",
                    loss(clipped, lambda new, old: new / old),
                    "The ratio of probabilities is exp(logp - logp_old).",
                    1,
                ),
                Mistake(
                    "the exp is missing",
                    loss(clipped, lambda new, old: new - old),
                    "logp - logp_old is the logarithm of the ratio w.",
                    1,
                ),
                Mistake(
                    "the ratio is clipped to [-eps, eps]",
                    loss(lambda w, adv, eps: np.minimum(w * adv, w.clip(-eps, eps) * adv)),
                    "The ratio is 1 where nothing has changed: the clip is around 1.",
                    1,
                ),
                Mistake(
                    "the product with the advantage is clipped, not the ratio",
                    loss(lambda w, adv, eps: np.minimum(w * adv, (w * adv).clip(1 - eps, 1 + eps))),
                    "Clip w first, then multiply by the advantage.",
                    1,
                ),
                Mistake(
                    "you took the sum over the batch",
                    lambda logp, logp_old, adv, eps: loss(clipped)(logp, logp_old, adv, eps) * len(adv),
                    "E is the mean over the batch.",
                    1,
                ),
                Mistake(
                    "the mean over the batch is missing",
                    lambda logp, logp_old, adv, eps: -clipped(np.exp(logp - logp_old), adv, eps),
                    "E is the mean over the batch: one number, the loss.",
                    1,
                ),
                Mistake(
                    "this is the loss of VPG",
                    loss(lambda w, adv, eps: w * adv, lambda new, old: new),
                    "-E[logp adv] has the right gradient at the old policy only; after a first step, the ratio counts.",
                    1,
                ),
                Mistake(
                    "the advantage is left out",
                    loss(lambda w, adv, eps: np.minimum(w, w.clip(1 - eps, 1 + eps))),
                    "Both terms are multiplied by adv, before the min.",
                    1,
                ),
                Mistake(
                    "the advantage is multiplied after the min",
                    loss(lambda w, adv, eps: np.minimum(w, w.clip(1 - eps, 1 + eps)) * adv),
                    "A negative advantage turns min into max, so it makes a difference: multiply both terms first.",
                    1,
                ),
            ],
        )
    ],
)
