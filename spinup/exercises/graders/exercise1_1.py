"""Grader of exercise 1.1: the log-likelihood of a diagonal Gaussian."""

import numpy as np

from spinup.exercises.exercise import Exercise
from spinup.exercises.grading import Blank, Check, Mistake, call, gradient

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def terms(x, mu, log_std, constant=HALF_LOG_2PI):
    """What (1) sums over the dimensions, ``[B, dim]``."""
    return -(0.5 * ((x - mu) * np.exp(-log_std)) ** 2 + log_std + constant)


def right(x, mu, log_std):
    """(1)."""
    return terms(x, mu, log_std).sum(-1)


rng = np.random.default_rng(1)
X, MU, LOG_STD = rng.standard_normal((3, 5, 4))
MISTAKES = [
    Mistake(
        "the sign is wrong",
        lambda x, mu, log_std: -right(x, mu, log_std),
        "The log-density is highest where x is the mean and falls with the distance: all of (1) stands behind a minus.",
        1,
    ),
    Mistake(
        "the sum over the dimensions is missing",
        terms,
        "The dimensions are independent, so the density of an action is a product over them, and its log a sum: one "
        "number a row, not one for each dimension.",
        1,
    ),
    Mistake(
        "you summed over the rows instead of the dimensions",
        lambda x, mu, log_std: terms(x, mu, log_std).sum(0),
        "Each row is a sample of its own and keeps its own number. The sum over i in (1) runs over the last dimension.",
        1,
    ),
    Mistake(
        "you summed over the batch too",
        lambda x, mu, log_std: right(x, mu, log_std).sum(),
        "Each row is a sample of its own and keeps its own number. The sum in (1) is over the last dimension only.",
        1,
    ),
    Mistake(
        "you took the mean over the dimensions instead of the sum",
        lambda x, mu, log_std: terms(x, mu, log_std).mean(-1),
        "The log of a product of densities is the sum of their logs; a mean would be the log of their geometric mean.",
        1,
    ),
    Mistake(
        "a dimension of length 1 is left over",
        lambda x, mu, log_std: right(x, mu, log_std)[..., None],
        "One number a row means the shape [B], not [B, 1], which combined with [B] would broadcast to [B, B].",
        1,
    ),
    Mistake(
        "you took the last argument for std; it is log std",
        lambda x, mu, log_std: terms(x, mu, np.log(log_std)).sum(-1),
        "std_i is exp(log_std_i). The log is what a network gives, as it may be any number, also a negative one.",
        1,
    ),
    Mistake(
        "you divided by log std",
        lambda x, mu, log_std: -(0.5 * ((x - mu) / log_std) ** 2 + log_std + HALF_LOG_2PI).sum(-1),
        "The first term divides by std_i = exp(log_std_i). The second one is log std_i as it is given.",
        1,
    ),
    Mistake(
        "you added std where (1) has log std",
        lambda x, mu, log_std: (terms(x, mu, log_std) + log_std - np.exp(log_std)).sum(-1),
        "Only the first term needs std_i = exp(log_std_i). The second is log std_i, which is given.",
        1,
    ),
    Mistake(
        "you divided by std, not by its square",
        lambda x, mu, log_std: -(0.5 * (x - mu) ** 2 * np.exp(-log_std) + log_std + HALF_LOG_2PI).sum(-1),
        "In the first term the whole quotient (x_i - mu_i) / std_i is squared, so that the variance divides.",
        1,
    ),
    Mistake(
        "the term log std is missing",
        lambda x, mu, log_std: (terms(x, mu, log_std) + log_std).sum(-1),
        "A wide Gaussian is low everywhere: the second term, log std_i, makes the area under the density 1.",
        1,
    ),
    Mistake(
        "log std has half its weight",
        lambda x, mu, log_std: (terms(x, mu, log_std) + log_std / 2).sum(-1),
        "log sqrt(std_i^2) is log std_i. If you put 1/2 before a bracket, log std_i inside it needs the factor 2.",
        1,
    ),
    Mistake(
        "the factor 1/2 of the square is missing",
        lambda x, mu, log_std: -(((x - mu) * np.exp(-log_std)) ** 2 + log_std + HALF_LOG_2PI).sum(-1),
        "The exponent of a Gaussian is minus half the squared distance in standard deviations: the first term.",
        1,
    ),
    Mistake(
        "log(2 pi) is counted once a row, not once for each dimension",
        lambda x, mu, log_std: terms(x, mu, log_std, 0).sum(-1) - HALF_LOG_2PI,
        "Each of the k dimensions has a density of its own with a factor 1 / sqrt(2 pi): that makes k log(2 pi) / 2. "
        "The last term stands inside the sum.",
        1,
    ),
    Mistake(
        "the term log(2 pi) / 2 is missing",
        lambda x, mu, log_std: terms(x, mu, log_std, 0).sum(-1),
        "It changes no gradient, but without it this is no log-density: the area under the density would not be 1.",
        1,
    ),
    Mistake(
        "log(2 pi) is not halved",
        lambda x, mu, log_std: terms(x, mu, log_std, 2 * HALF_LOG_2PI).sum(-1),
        "The factor of each dimension is 1 / sqrt(2 pi): the square root makes it log(2 pi) / 2, the last term.",
        1,
    ),
    Mistake(
        "you returned the density, not its log",
        lambda x, mu, log_std: np.exp(right(x, mu, log_std)),
        "The log is wanted: it does not underflow, and its gradient is what a policy gradient needs.",
        1,
    ),
]

EXERCISE = Exercise(
    title="The log-likelihood of a diagonal Gaussian",
    minutes=15,
    difficulty=1,
    blanks=[
        Blank(
            "gaussian_log_density",
            "spinup.algos.{backend}.core",
            right,
            [
                Check("one row of one dimension", call(*np.array([[[1.0]], [[3.0]], [[0.5]]]))),
                Check("one row of four dimensions", call(X[:1], MU[:1], LOG_STD[:1])),
                Check("five rows of four dimensions", call(X, MU, LOG_STD)),
                Check("the same log std for all rows", call(X, MU, LOG_STD[0])),
                Check("narrow and wide Gaussians", call(X, X + np.exp(2 * LOG_STD) * MU, 2 * LOG_STD)),
                Check("its gradient in log std", gradient(X, MU, LOG_STD, of=2)),
            ],
            MISTAKES,
        )
    ],
)
