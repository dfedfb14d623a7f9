"""Grader of exercise 3.1: rewards-to-go and advantages."""

import numpy as np

from spinup.exercises.exercise import Exercise
from spinup.exercises.grading import Blank, Check, Mistake, call

HOME = "spinup.experience.buffers"
rng = np.random.default_rng(31)


def backwards(x, discount, ended, own=True, late=0):
    """(1), from the last step to the first."""
    y, running = np.zeros(x.shape), np.zeros(x.shape[1:])
    cut = np.concatenate([ended[late:], ended[:late]])
    for t in reversed(range(len(x))):
        later = discount * (1.0 - cut[t]) * running
        running = x[t] + later
        y[t] = running if own else later
    return y


def forwards(x, discount, ended):
    """The same in the wrong direction of time."""
    before = np.concatenate([np.zeros_like(ended[:1]), ended[:-1]])
    return backwards(x[::-1], discount, before[::-1])[::-1]


def in_whole_numbers(x, discount, ended):
    """The same where each result is cut to the type of ``x``."""
    y, running = np.zeros_like(x), np.zeros(x.shape[1:])
    for t in reversed(range(len(x))):
        y[t] = running = x[t] + discount * (1.0 - ended[t]) * running
    return y


def whole_return(x, discount, ended):
    """The sum of the whole episode, at each of its steps."""
    y = backwards(x, discount, ended)
    for t in range(1, len(x)):
        y[t] = np.where(ended[t - 1], y[t], y[t - 1])
    return y


def discounted_from_the_start(x, discount, ended):
    """Each reward discounted by its own time, not by its distance."""
    weights = discount ** np.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1))
    return backwards(x * weights, 1, ended)


SUM_MISTAKES = [
    Mistake(
        "the sum runs on across the end of an episode",
        lambda x, discount, ended: backwards(x, discount, 0 * ended),
        "What the next episode brings is no consequence of this one: (1 - ended_t) cuts the sum behind step t.",
        1,
    ),
    Mistake(
        "the sum is cut one step too early",
        lambda x, discount, ended: backwards(x, discount, ended, late=1),
        "Where ended_t is 1, step t is the last of its episode, and belongs to the sums of those before it.",
        1,
    ),
    Mistake(
        "the sum is over the past",
        forwards,
        "An action cannot change what came before it, so the sum is over t and later: go through time backwards.",
        1,
    ),
    Mistake(
        "every step has the return of the whole episode",
        whole_return,
        "That is R(tau), which also counts rewards from before the step: y_t starts at x_t.",
        1,
    ),
    Mistake(
        "the future is not discounted",
        lambda x, discount, ended: backwards(x, 1, ended),
        "Each step into the future multiplies by the discount once more.",
        1,
    ),
    Mistake(
        "discounting starts at the beginning of the rollout",
        discounted_from_the_start,
        "Seen from step t, the reward of step t counts in full: the power of the discount is the distance to t.",
        1,
    ),
    Mistake(
        "the step's own term is missing",
        lambda x, discount, ended: backwards(x, discount, ended, own=False),
        "y_t starts with x_t itself.",
        1,
    ),
    Mistake(
        "the last term of each episode is lost",
        lambda x, discount, ended: backwards(x * (1.0 - ended), discount, ended),
        "(1 - ended_t) belongs to what follows step t, not to x_t.",
        1,
    ),
    Mistake(
        "the sums are stored as whole numbers",
        in_whole_numbers,
        "np.zeros_like(x) has the type of x: where the rewards are integers, it cuts off all decimals. "
        "Give it a type: np.zeros(x.shape).",
    ),
]


def delta(r, v, v2, d, gamma):
    """(2)."""
    return r + gamma * (1.0 - d) * v2 - v


def gae(r, v, v2, d, ended, gamma, lam):
    """(2) and (3)."""
    return backwards(delta(r, v, v2, d, gamma), gamma * lam, ended)


def next_row(v, v2):
    """V of the next row, in the place of V of the true successor."""
    return np.concatenate([v[1:], v2[-1:]])


def normalised(*args):
    """Advantages as the buffer gives them to an algorithm, later."""
    adv = gae(*args)
    return (adv - adv.mean()) / (adv.std() + 1e-8)


GAE_MISTAKES = [
    Mistake(
        "terminal states are bootstrapped",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, v, v2, 0 * d, ended, gamma, lam),
        "Nothing follows a terminal state: (1 - d_t) makes its value 0.",
        2,
    ),
    Mistake(
        "a time limit counts as death",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, v, v2, ended, ended, gamma, lam),
        "Where an episode is cut by a time limit, ended is 1 and d is 0: the task would have gone on, so V(o2) stands "
        "for the rewards not seen. In (2) it is d that counts.",
        2,
    ),
    Mistake(
        "the sum runs on behind a time limit",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, v, v2, d, d, gamma, lam),
        "The next row belongs to another episode, whatever ended this one: (3) is cut by ended, not by d.",
        3,
    ),
    Mistake(
        "the sum runs on across the end of an episode",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, v, v2, d, 0 * ended, gamma, lam),
        "The next row belongs to another episode: (1 - ended_t) cuts (3) there.",
        3,
    ),
    Mistake(
        "V(o2) is not discounted",
        lambda r, v, v2, d, ended, gamma, lam: backwards(delta(r, v, v2, d, 1), gamma * lam, ended),
        "V(o2) is one step away: gamma V(o2).",
        2,
    ),
    Mistake(
        "lambda is missing",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, v, v2, d, ended, gamma, 1),
        "The differences are summed with the discount gamma lam, not gamma alone.",
        3,
    ),
    Mistake(
        "the differences are summed with lambda alone",
        lambda r, v, v2, d, ended, gamma, lam: backwards(delta(r, v, v2, d, gamma), lam, ended),
        "The discount of the sum is gamma lam.",
        3,
    ),
    Mistake(
        "V(o) is not subtracted",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, 0 * v, v2, d, ended, gamma, lam),
        "An advantage says how much better it went than expected in o: - V(o_t).",
        2,
    ),
    Mistake(
        "the value of the next row stands for that of the successor",
        lambda r, v, v2, d, ended, gamma, lam: gae(r, v, next_row(v, v2), d, ended, gamma, lam),
        "Behind a time limit, the next row is the start of another episode. v2 has the values of the true successors.",
        2,
    ),
    Mistake(
        "the advantages are normalised",
        normalised,
        "The buffer does that later, over all steps of an epoch; here the plain sums are wanted.",
        3,
    ),
    Mistake(
        "only one difference is taken, not their sum",
        lambda r, v, v2, d, ended, gamma, lam: delta(r, v, v2, d, gamma),
        "That is the case lam = 0. (3) also adds the differences of later steps, gamma lam times each step further.",
        3,
    ),
]

X, V, V2 = rng.standard_normal((3, 8))
D = np.array([0, 0, 1, 0, 0, 0, 0, 0], bool)
ENDED = np.array([0, 0, 1, 0, 0, 1, 0, 1], bool)
TWO = [np.stack([x, x[::-1]], 1) for x in (X, V, V2, D, ENDED)]

EXERCISE = Exercise(
    title="Rewards-to-go and advantages (GAE)",
    minutes=30,
    difficulty=2,
    blanks=[
        Blank(
            "discount_cumsum",
            HOME,
            backwards,
            [
                Check("one step", call(X[:1], 0.5, ENDED[-1:])),
                Check("one episode of three steps, by hand", call(np.array([1.0, 2.0, 4.0]), 0.5, ENDED[:3])),
                Check("three episodes", call(X, 0.9, ENDED)),
                Check("whole numbers", call(np.array([1, 1, 3, 1]), 0.5, ENDED[2:6])),
                Check("two environments side by side, [T, 2]", call(TWO[0], 0.9, TWO[4])),
            ],
            SUM_MISTAKES,
        ),
        Blank(
            "gae",
            HOME,
            gae,
            [
                Check("one step", call(X[:1], V[:1], V2[:1], D[:1], ENDED[-1:], 0.9, 0.8)),
                Check("a terminal state, a time limit, the end of a rollout", call(X, V, V2, D, ENDED, 0.9, 0.8)),
                Check("lambda 0", call(X, V, V2, D, ENDED, 0.9, 0.0)),
                Check("lambda 1", call(X, V, V2, D, ENDED, 0.9, 1.0)),
                Check("two environments side by side, [T, 2]", call(*TWO, 0.95, 0.7)),
            ],
            GAE_MISTAKES,
        ),
    ],
)
