"""What the machine allows: FLOPs of acting and learning, the speed of matrix products, the time of the simulator.

A forward pass of a network takes ``2 n_in n_out`` FLOPs a layer and sample (a multiplication and an addition for each
weight), a backward pass twice as many: one product for the gradient of the weights and one for that of the input.
Where only the input's is needed, as in a critic that a policy is improved through, it takes as many as a forward pass.
Element-wise work is not counted, nor is what an algorithm can do without, such as passes for the log alone.

What is passed, for each sample (F: forward; 3F: forward and backward; 2F: forward, and backward to the input):

    acting     pi F for each environment step, on-policy also v F; DQN q F
    VPG, PPO   pi 3F for each policy step, v 3F for each value step
    TRPO       pi 3F for the gradient of the surrogate, 4F for each of 11 products with the Fisher matrix (tangents
               forward, 2F, and backward, 2F), F for a line search that ends at once; v 3F for each value step
    DQN        q_targ F, q 3F                                                   (plain; double Q takes another q F)
    DDPG       pi_targ F, q_targ F, q 3F; pi 3F, q 2F
    TD3        pi_targ F, both q_targ F, both q 3F; at every second step pi 3F, one q 2F
    SAC        pi F, both q_targ F, both q 3F; pi 3F, both q 2F
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks import ON_POLICY, Settings

from spinup.utils.envs import EnvFn

CONJUGATE_GRADIENT_ITERATIONS = 10
POLICY_DELAY = 2


def forward(sizes: Sequence[int]) -> int:
    """FLOPs of a forward pass of one sample through layers ``sizes[0] -> ... -> sizes[-1]``."""
    return sum(2 * n_in * n_out for n_in, n_out in pairwise(sizes))


@dataclass(frozen=True)
class Work:
    """What one environment step brings with it: FLOPs of acting and of learning, and gradient steps."""

    acting: float
    learning: float
    gradient_steps: float


def on_policy_work(
    algorithm: str, obs_dim: int, act_dim: int, settings: Settings, policy_steps: float, value_steps: float
) -> Work:
    """The work of VPG, TRPO or PPO; the numbers of steps are those of one epoch, which early stopping may lessen."""
    pi, v = (forward([obs_dim, *settings.hidden_sizes, n_out]) for n_out in (act_dim, 1))
    policy_passes = 3 * policy_steps
    if algorithm == "trpo":
        policy_passes += 4 * (CONJUGATE_GRADIENT_ITERATIONS + 1) + 1
    steps = (policy_steps + value_steps) / settings.steps_per_epoch
    return Work(pi + v, policy_passes * pi + 3 * value_steps * v, steps)


def off_policy_work(algorithm: str, obs_dim: int, act_dim: int, settings: Settings) -> Work:
    """The work of DQN, DDPG, TD3 or SAC, which take one gradient step for each environment step."""
    hidden = settings.hidden_sizes
    if algorithm == "dqn":
        q = forward([obs_dim, *hidden, act_dim])
        return Work(q, settings.batch_size * (q + 3 * q), 1)
    pi = forward([obs_dim, *hidden, 2 * act_dim if algorithm == "sac" else act_dim])
    q = forward([obs_dim + act_dim, *hidden, 1])
    sample = {
        "ddpg": (pi + q) + 3 * q + (3 * pi + 2 * q),
        "td3": (pi + 2 * q) + 2 * 3 * q + (3 * pi + 2 * q) / POLICY_DELAY,
        "sac": (pi + 2 * q) + 2 * 3 * q + (3 * pi + 2 * 2 * q),
    }[algorithm]
    return Work(pi, settings.batch_size * sample, 1)


def work_of(
    algorithm: str, obs_dim: int, act_dim: int, settings: Settings, policy_steps: float, value_steps: float
) -> Work:
    """The work of any algorithm; off-policy, the last two say nothing."""
    if algorithm in ON_POLICY:
        return on_policy_work(algorithm, obs_dim, act_dim, settings, policy_steps, value_steps)
    return off_policy_work(algorithm, obs_dim, act_dim, settings)


def bounds(work: Work, step_time: float, peak: float, simulators: int = 1) -> tuple[float, float]:
    """The most environment steps, and gradient steps while learning, that a second has room for.

    Args:
        work: of one environment step.
        step_time: seconds of the bare simulator for one step.
        peak: FLOPs a second.
        simulators: how many run at the same time, each on a core of its own.
    """
    seconds = step_time / simulators + (work.acting + work.learning) / peak
    return 1 / seconds, work.gradient_steps * peak / work.learning


# ---- what is measured: each in a process of its own ----


def measure_step_time(env: str, steps: int = 20_000) -> float:
    """Seconds of one step of a bare simulator, with random actions drawn beforehand; resets are not counted."""
    simulator = EnvFn(env)().unwrapped
    simulator.action_space.seed(0)
    simulator.reset(seed=0)
    taken, seconds = 0, 0.0
    while taken < steps:
        actions = [simulator.action_space.sample() for _ in range(200)]
        start = time.perf_counter()
        taken += _step_until_over(simulator, actions)
        seconds += time.perf_counter() - start
        simulator.reset()
    return seconds / taken


def _step_until_over(simulator, actions) -> int:
    for count, action in enumerate(actions, start=1):
        if simulator.step(action)[2]:
            return count
    return len(actions)


def measure_peak(framework: str, size: int = 2048, repeats: int = 10) -> float:
    """FLOPs a second of products of float32 matrices ``[size, size]`` in PyTorch or JAX: the fastest of ``repeats``."""
    multiply = _torch_product(size) if framework == "torch" else _jax_product(size)
    multiply()  # warms up, and compiles
    fastest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        multiply()
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * size**3 / fastest


def _torch_product(size):
    import torch

    a, b = torch.rand(2, size, size)
    return lambda: a @ b


def _jax_product(size):
    import jax

    a, b = jax.random.uniform(jax.random.key(0), (2, size, size))
    product = jax.jit(jax.numpy.matmul)
    return lambda: product(a, b).block_until_ready()
