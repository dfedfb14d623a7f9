"""Grader of exercise 1.3: the equations of TD3."""

import numpy as np

from spinup.exercises.exercise import Exercise, Training
from spinup.exercises.grading import Blank, Check, Mistake, call, gradient
from spinup.exercises.networks import Policy, Twin
from spinup.experience.buffers import Batch

HOME = "spinup.algos.{backend}.td3"
GAMMA, NOISE_CLIP, LOW, HIGH = 0.9, 0.5, np.array([-1.0, -3.0]), np.array([2.0, 0.5])
rng = np.random.default_rng(4)
PI = Policy(rng.standard_normal((3, 2)))
Q = Twin(rng.standard_normal((2, 3)), rng.standard_normal((2, 2)))
BATCH = Batch(*(rng.standard_normal(s) for s in ((6, 3), (6, 2), 6, (6, 3))), d=np.array([0.0, 1, 0, 0, 1, 0]))
EPS = np.array([[0.1, -0.2], [0.9, -0.8], [-0.3, 2.0], [-3.0, 0.4], [0.2, 0.2], [-0.6, -0.1]])
BOUNDS = NOISE_CLIP, LOW, HIGH
INSIDE = Batch(BATCH.o / 9, BATCH.a, BATCH.r, BATCH.o2 / 9, BATCH.d)  # where the policy's actions are far from bounds


def first(n):
    """The first ``n`` rows of the batch."""
    return Batch(*(x[:n] for x in BATCH))


# ---- (1) ----


def target_action(pi_targ, o2, eps, noise_clip, act_low, act_high):
    """(1)."""
    noise = (act_high - act_low) / 2 * eps.clip(-noise_clip, noise_clip)
    return np.clip(pi_targ(o2) + noise, act_low, act_high)


ACTION_MISTAKES = [
    Mistake(
        "the noise is not clipped",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2) + (high - low) / 2 * eps, low, high),
        "The inner clip keeps eps between -c and c, so that the target action stays near the policy's.",
        1,
    ),
    Mistake(
        "the action is not clipped to its bounds",
        lambda pi, o2, eps, c, low, high: pi(o2) + (high - low) / 2 * eps.clip(-c, c),
        "The critic has only seen actions that can be taken: the outer clip keeps a' between a_low and a_high.",
        1,
    ),
    Mistake(
        "the noise is clipped after it was scaled to the range of the actions",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2) + ((high - low) / 2 * eps).clip(-c, c), low, high),
        "eps and c are in the same unit, half the action range: clip eps first, then multiply by (a_high - a_low) / 2.",
        1,
    ),
    Mistake(
        "the noise is not scaled to the range of the actions",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2) + eps.clip(-c, c), low, high),
        "eps is in units of half the action range, as the text below the equations says: multiply it by "
        "(a_high - a_low) / 2. For bounds of -1 and 1 that is 1, but not here.",
        1,
    ),
    Mistake(
        "the noise is scaled by the whole action range",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2) + (high - low) * eps.clip(-c, c), low, high),
        "eps is in units of half the action range: (a_high - a_low) / 2.",
        1,
    ),
    Mistake(
        "the noise is added after the action was clipped to its bounds",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2), low, high) + (high - low) / 2 * eps.clip(-c, c),
        "The outer clip comes last, or the noise takes the action out of its bounds again.",
        1,
    ),
    Mistake(
        "the bounds are taken to be -1 and 1",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2) + (high - low) / 2 * eps.clip(-c, c), -1, 1),
        "Each dimension has its own bounds: a_low and a_high are arguments.",
        1,
    ),
    Mistake(
        "there is no noise",
        lambda pi, o2, eps, c, low, high: np.clip(pi(o2), low, high),
        "The noise smooths the target over similar actions: it is the third trick of TD3.",
        1,
    ),
]

# ---- (2) ----


def target(v2, r_of=lambda b: b.r, a2_of=target_action, o2_of=lambda b: b.o2, goes_on=lambda b: 1 - b.d):
    """A target like (2), where ``v2`` makes one value of the critics' two."""

    def td_target(pi_targ, q_targ, batch, eps, gamma, noise_clip, act_low, act_high):
        a2 = a2_of(pi_targ, o2_of(batch), eps, noise_clip, act_low, act_high)
        return r_of(batch) + gamma * goes_on(batch) * v2(q_targ(o2_of(batch), a2))

    return td_target


def lowest(q):
    """The lower of the two values of each row."""
    return q.min(0)


TARGET_MISTAKES = [
    Mistake(
        "you took the higher of the two critics",
        target(lambda q: q.max(0)),
        "Policies find and use whatever a critic overestimates. The min in (2), of two critics, counters that.",
        2,
    ),
    Mistake("you took the first critic only", target(lambda q: q[0]), "The min in (2) is over both critics.", 2),
    Mistake("you took the second critic only", target(lambda q: q[1]), "The min in (2) is over both critics.", 2),
    Mistake(
        "you took the mean of both critics",
        target(lambda q: q.mean(0)),
        "A mean halves the overestimation at best; the min in (2) counters it.",
        2,
    ),
    Mistake(
        "you took the minimum over the batch, not over the critics",
        target(lambda q: q.min(-1)),
        "q_targ gives [2, B]: the two critics are the first dimension.",
        2,
    ),
    Mistake(
        "you took the minimum over the critics and the batch",
        target(lambda q: q.min()),
        "Each transition keeps its own target, [B]: the min in (2) is over the critics only, the first dimension.",
        2,
    ),
    Mistake(
        "the factor (1 - d) is missing",
        target(lowest, goes_on=lambda b: 1),
        "Nothing follows a terminal state, so its value is 0: where d is 1, y is just r.",
        2,
    ),
    Mistake(
        "d stands where (1 - d) belongs",
        target(lowest, goes_on=lambda b: b.d),
        "d is 1 where the episode terminated, and there no value follows.",
        2,
    ),
    Mistake(
        "(1 - d) also removes the reward",
        target(lowest, r_of=lambda b: (1 - b.d) * b.r),
        "The reward of the last step was received: (1 - d) belongs to the value of what follows only.",
        2,
    ),
    Mistake(
        "gamma is missing",
        lambda pi, q, batch, eps, gamma, *bounds: target(lowest)(pi, q, batch, eps, 1, *bounds),
        "What follows counts gamma times as much as the reward of this step.",
        2,
    ),
    Mistake(
        "the target action is not smoothed",
        target(lowest, a2_of=lambda pi, o2, *_: pi(o2)),
        "a' in (2) is that of (1), with its noise: call target_action.",
        2,
    ),
    Mistake(
        "the values are those of o, not of o2",
        target(lowest, o2_of=lambda b: b.o),
        "What follows is worth what the *next* observation o2 is worth.",
        2,
    ),
    Mistake(
        "you took the action from the batch",
        lambda pi, q, batch, *rest: target(lowest, a2_of=lambda *_: batch.a)(pi, q, batch, *rest),
        "The action in the batch was taken in o. In o2, it is the target policy that acts: a' of (1).",
        2,
    ),
]

# ---- (3) and (4) ----


def critic_loss(loss):
    """A function like ``q_loss`` from one of the differences ``[2, B]``."""

    def q_loss(q, batch, y):
        q_vals = q(batch.o, batch.a)
        return loss(q_vals - y), q_vals

    return q_loss


def q_loss(q, batch, y):
    """(3)."""
    return critic_loss(lambda delta: (delta**2).mean(-1).sum())(q, batch, y)


LOSS_MISTAKES = [
    Mistake(
        "you took the mean over both critics instead of their sum",
        critic_loss(lambda delta: (delta**2).mean()),
        "E is a mean over the batch; over the critics i, (3) sums, and has no factor 1/2.",
        3,
    ),
    Mistake(
        "you summed over the batch",
        critic_loss(lambda delta: (delta**2).sum()),
        "E is the mean over the batch: a sum would make the step depend on the size of the batch.",
        3,
    ),
    Mistake(
        "only the first critic learns",
        critic_loss(lambda delta: (delta[0] ** 2).mean()),
        "The sum over i in (3) is over both critics.",
        3,
    ),
    Mistake(
        "only the lower critic of each row learns",
        lambda q, batch, y: (((q(batch.o, batch.a).min(0) - y) ** 2).mean(), q(batch.o, batch.a)),
        "The min belongs to the target (2). In (3), both critics learn from the same target.",
        3,
    ),
    Mistake(
        "you took the absolute error",
        critic_loss(lambda delta: np.abs(delta).mean(-1).sum()),
        "The mean of y is what minimises the squared error; the absolute error leads to the median.",
        3,
    ),
    Mistake(
        "you did not square the error",
        critic_loss(lambda delta: delta.mean(-1).sum()),
        "Without the square the loss falls for ever as Q falls.",
        3,
    ),
]


def actor_loss(objective, a_of=lambda pi, batch: pi(batch.o)):
    """A function like ``pi_loss`` from an objective of the values ``[2, B]``."""
    return lambda pi, q, batch: -objective(q(batch.o, a_of(pi, batch)))


PI_MISTAKES = [
    Mistake(
        "the sign is wrong",
        actor_loss(lambda q: -q[0].mean()),
        "The loss is minimised, and the value of the policy's action should rise: hence the minus.",
        4,
    ),
    Mistake(
        "you took the second critic",
        actor_loss(lambda q: q[1].mean()),
        "It is the first critic that the policy climbs. The second only keeps the targets modest.",
        4,
    ),
    Mistake(
        "you took the lower of both critics",
        actor_loss(lambda q: q.min(0).mean()),
        "That is how SAC does it. TD3's policy climbs the first critic alone; the min is in the target (2).",
        4,
    ),
    Mistake(
        "you took the mean over both critics",
        actor_loss(lambda q: q.mean()),
        "q gives [2, B], and TD3's policy climbs the first critic alone: q(...)[0].",
        4,
    ),
    Mistake(
        "you summed over the batch",
        actor_loss(lambda q: q[0].sum()),
        "E is the mean over the batch: a sum would make the step depend on the size of the batch.",
        4,
    ),
    Mistake(
        "you took the actions from the batch",
        actor_loss(lambda q: q[0].mean(), a_of=lambda pi, batch: batch.a),
        "Those do not depend on the policy, so it could not learn: evaluate the critic at mu(o).",
        4,
    ),
    Mistake(
        "the policy acts in o2",
        actor_loss(lambda q: q[0].mean(), a_of=lambda pi, batch: pi(batch.o2)),
        "Both the policy and the critic look at the same observation o.",
        4,
    ),
]

SMALL = dict(ac_kwargs={"hidden_sizes": [128, 128]}, max_ep_len=150, epochs=10)
_y = rng.standard_normal(6)

EXERCISE = Exercise(
    title="The equations of TD3",
    minutes=40,
    difficulty=2,
    blanks=[
        Blank(
            "target_action",
            HOME,
            target_action,
            [
                Check("little noise, far from the bounds", call(PI, INSIDE.o2[:1], EPS[:1], *BOUNDS)),
                Check("noise of any size, bounds unlike -1 and 1", call(PI, INSIDE.o2, EPS, *BOUNDS)),
                Check("actions at the bounds", call(PI, 3 * BATCH.o2, EPS, *BOUNDS)),
            ],
            ACTION_MISTAKES,
        ),
        Blank(
            "td_target",
            HOME,
            target(lowest),
            [
                Check("one transition", call(PI, Q, first(1), EPS[:1], GAMMA, *BOUNDS)),
                Check("six transitions, two of them terminal", call(PI, Q, BATCH, EPS, GAMMA, *BOUNDS)),
            ],
            TARGET_MISTAKES,
        ),
        Blank(
            "q_loss",
            HOME,
            q_loss,
            [
                Check("one transition", call(Q, first(1), _y[:1])),
                Check("six transitions", call(Q, BATCH, _y)),
                Check("its gradient in the parameters of q", gradient(Q, BATCH, _y)),
            ],
            LOSS_MISTAKES,
        ),
        Blank(
            "pi_loss",
            HOME,
            actor_loss(lambda q: q[0].mean()),
            [
                Check("one transition", call(PI, Q, first(1))),
                Check("six transitions", call(PI, Q, BATCH)),
                Check("its gradient in the parameters of pi", gradient(PI, Q, BATCH)),
            ],
            PI_MISTAKES,
        ),
    ],
    trainings=[
        Training(
            "td3",
            {"env_name": "HalfCheetah-v5", **SMALL},
            "AverageTestEpRet",
            lambda results: results.max() > 300,
            "over 300 in one of 10 epochs, some minutes",
        ),
        Training(
            "td3",
            {"env_name": "InvertedPendulum-v5", **SMALL},
            "AverageTestEpRet",
            lambda results: results.max() >= 150,
            "all of 150 in one of 10 epochs, some minutes",
        ),
    ],
)
