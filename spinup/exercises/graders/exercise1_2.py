"""Grader of exercise 1.2: a Gaussian policy for PPO.

With all parameters set to one number, the network and the deviations are known, however the class names its parts.
"""

import numpy as np
from gymnasium import spaces

from spinup.exercises.exercise import Exercise, Training
from spinup.exercises.graders.exercise1_1 import HALF_LOG_2PI, terms
from spinup.exercises.grading import Blank, Check, Mistake

rng = np.random.default_rng(12)
OBS, ACT = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))


def perceptron(x, sizes, fill, activation=np.tanh, last=lambda x: x, bias=1):
    """The output of a network whose weights and biases are all ``fill``."""
    for i, n in enumerate(sizes[1:]):
        x = np.repeat(fill * (x.sum(-1, keepdims=True) + bias), n, -1)
        x = last(x) if i == len(sizes) - 2 else activation(x)
    return x


def summed(x):
    """The sum over the dimensions of the action."""
    return x.sum(-1)


def policy(log_std=lambda fill: fill, logp=summed, entropy=summed, sizes=lambda s: s, **network):
    """A policy, in NumPy: log std, sums, sizes or network may be wrong."""

    def numbers(obs, act, given, fill):
        mu = perceptron(obs, sizes(given), fill, **network)
        s = np.full(act.shape, float(log_std(fill)))
        return mu, np.exp(s), logp(terms(act, mu, s)), entropy(0.5 + HALF_LOG_2PI + s)

    return numbers


def same(x):
    """No sum."""
    return x


def with_(fill, hidden_sizes=(8, 4), obs=OBS, act=ACT):
    """Mean, deviation, log-density and entropy of a policy whose parameters are all ``fill``."""
    space = spaces.Box(-1, 1, ACT.shape[1:])

    def numbers(cls, on):
        return on.policy(cls, OBS.shape[1], space, hidden_sizes, fill)(on.array(obs), on.array(act))

    return numbers


EXERCISE = Exercise(
    title="A Gaussian policy for PPO",
    minutes=40,
    difficulty=2,
    blanks=[
        Blank(
            "MLPGaussianActor",
            "spinup.algos.{backend}.core",
            policy(),
            [
                Check("mean, deviation, log-density and entropy for one action", with_(0.2, obs=OBS[:1], act=ACT[:1])),
                Check("for five actions, with two hidden layers", with_(0.5)),
                Check("with one hidden layer", with_(-0.3, [16])),
                Check("far from 0", with_(0.9, [64, 64], 5 * OBS, 5 * ACT)),
            ],
            [
                Mistake(
                    "neither log-density nor entropy is summed over the dimensions of the action",
                    policy(logp=same, entropy=same),
                    "One number an action, [B]: its dimensions are independent, so their log-densities add up. "
                    "Normal alone gives [B, act_dim]; Independent(Normal(mu, std), 1) gives [B].",
                    1,
                ),
                Mistake(
                    "the log-density is not summed over the dimensions of the action",
                    policy(logp=same),
                    "One number an action, [B]: its dimensions are independent, so their log-densities add up.",
                    1,
                ),
                Mistake(
                    "the entropy is not summed over the dimensions of the action",
                    policy(entropy=same),
                    "PPO also asks the distribution for its entropy, one number an action. That of Normal is one for "
                    "each dimension: Independent(Normal(mu, std), 1) makes it a distribution over whole actions.",
                ),
                Mistake(
                    "the log-density is summed over the batch too",
                    policy(logp=np.sum),
                    "One number an action, [B]: the sum in (1) is over the last dimension only.",
                    1,
                ),
                Mistake(
                    "the deviations are no parameters",
                    policy(lambda fill: -0.5),
                    "PPO can only learn what is a parameter: how much to explore is learned too. In PyTorch that is "
                    "nn.Parameter(...), in JAX a field of the class.",
                ),
                Mistake(
                    "the parameters are the deviations, not their logarithms",
                    policy(np.log),
                    "A gradient step could make them negative. Let the parameters be log std, and std = exp(log std).",
                    1,
                ),
                Mistake(
                    "log std is exponentiated twice",
                    policy(np.exp),
                    "A distribution of PyTorch takes std, which is exp(log std); core.Gaussian in JAX takes log std.",
                    1,
                ),
                Mistake(
                    "you took the variance for the deviation",
                    policy(lambda fill: 2 * fill),
                    "std = exp(log std). Its square is the variance.",
                    1,
                ),
                Mistake(
                    "there is an activation after the last layer",
                    policy(last=np.tanh),
                    "The mean may be any number, and tanh would keep it between -1 and 1: the output stays linear.",
                ),
                Mistake(
                    "there is no activation between the layers",
                    policy(activation=lambda x: x),
                    "Without it the layers amount to a single linear one.",
                ),
                Mistake(
                    "the layers have no biases",
                    policy(bias=0),
                    "A layer is W x + b; without b the mean is 0 wherever the observation is.",
                ),
                Mistake(
                    "the first of the hidden layers is missing",
                    policy(sizes=lambda s: [s[0], *s[2:]]),
                    "There is a layer with an activation for each of hidden_sizes, then one for the output.",
                ),
                Mistake(
                    "the last of the hidden layers is missing",
                    policy(sizes=lambda s: [*s[:-2], s[-1]]),
                    "There is a layer with an activation for each of hidden_sizes, then one for the output.",
                ),
                Mistake(
                    "the sign of the log-density is wrong",
                    policy(logp=lambda x: -x.sum(-1)),
                    "Actions near the mean are more likely: (1) is largest there.",
                    1,
                ),
            ],
        )
    ],
    trainings=[
        Training(
            "ppo",
            {"env_name": "InvertedPendulum-v5", "epochs": 20},
            "AverageEpRet",
            lambda results: results[-5:].mean() > 500 or results[-5:].max() >= 1000,
            "over 500 on average in the last 5 of 20 epochs, or 1000 in one of them",
        )
    ],
)
