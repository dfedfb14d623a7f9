"""What is trained where, and with which settings."""

from typing import Any

from bench.curves.files import EPOCH_STEPS, OFF_POLICY, ON_POLICY

PUBLISHED_ENVS = ("HalfCheetah", "Hopper", "Walker2d", "Swimmer", "Ant")
DISCRETE_ENVS = ("CartPole", "Acrobot", "LunarLander")
CLASSIC_ENVS = (*DISCRETE_ENVS, "Pendulum")
VERSIONS = dict.fromkeys(PUBLISHED_ENVS, "v5") | dict.fromkeys(CLASSIC_ENVS, "v1") | {"LunarLander": "v3"}
CLASSIC_EPOCH_STEPS = EPOCH_STEPS | dict.fromkeys(OFF_POLICY, 2000)

# With its default pi_lr, VPG learns slowly (CartPole: 46 to 55 after 50 epochs). gamma is what others use: in Pendulum
# 0.99 does as well, in LunarLander the two have not been compared.
TUNED: dict[tuple[str, str], dict[str, Any]] = {
    ("CartPole", "vpg"): {"pi_lr": 0.01},
    ("Acrobot", "vpg"): {"pi_lr": 0.01},
    ("LunarLander", "vpg"): {"pi_lr": 0.01, "gamma": 0.999},
    ("LunarLander", "trpo"): {"gamma": 0.999},
    ("LunarLander", "ppo"): {"gamma": 0.999},
    ("Pendulum", "vpg"): {"pi_lr": 0.01, "gamma": 0.9},
    ("Pendulum", "trpo"): {"gamma": 0.9},
    ("Pendulum", "ppo"): {"gamma": 0.9},
}


def suits(algo: str, env: str) -> bool:
    """Whether the algorithm is made for the actions of that environment."""
    return algo in ON_POLICY or (algo == "dqn") == (env in DISCRETE_ENVS)


def versioned(env: str) -> str:
    """``HalfCheetah-v5`` for ``HalfCheetah``: the version that is trained."""
    return f"{env}-{VERSIONS[env]}"


def benchmark_settings(algo: str, env: str) -> dict[str, Any]:
    """The hyperparameters to pass; all others stay at our defaults."""
    if env in CLASSIC_ENVS:
        return {"steps_per_epoch": CLASSIC_EPOCH_STEPS[algo]} | TUNED.get((env, algo), {})
    hidden_sizes = [64, 32] if algo in ON_POLICY else [256, 256]
    return {"steps_per_epoch": EPOCH_STEPS[algo], "ac_kwargs": {"hidden_sizes": hidden_sizes}}
