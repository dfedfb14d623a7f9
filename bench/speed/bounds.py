"""What the machine allows: FLOPs of acting and learning, the speed of matrix products, the time of the simulator.

A forward pass of a network takes ``2 n_in n_out`` FLOPs per layer and sample: a multiplication and an addition for each
weight. A backward pass takes as many for the gradient of the weights, and as many again for that of each layer's input,
which the first layer does not need where its input is data. Only what every implementation has to compute is counted,
so element-wise work is not, nor is anything avoidable: passes for the log alone, a forward pass repeated with the same
weights and input, the product of TRPO's step with the Fisher matrix (which follows from the residual of the conjugate
gradients).

Passes for each sample (F: forward; F1: its first layer; T: training, 3F - F1):

    acting     pi F for each environment step, on-policy also v F; DQN q F
    VPG, PPO   pi T for each policy step, v T for each value step; the first F of each was made while acting
    TRPO       the same, and for each of 10 products with the Fisher matrix, pi 4F - 2F1: tangents forward, 2F - F1, as
               those of data are zero, and backward, 2F - F1; F for a line search that ends at once
    DQN        q_targ F, q T, of its last layer only the action taken            (plain; double Q takes another q F)
    DDPG       pi_targ F, q_targ F, q T; pi T, q under pi
    TD3        pi_targ F, both q_targ F, both q T; at every second step pi T, one q under pi
    SAC        pi F, both q_targ F, both q T; pi T, both q F and the smaller one's gradient: one q under pi, one q F

q under pi: forward, F, and backward to the action alone, which is F - F1 and the columns of the action in F1.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.speed.tasks import ON_POLICY, Settings
from spinup.experience.envs import EnvFn

CONJUGATE_GRADIENT_ITERATIONS = 10
POLICY_DELAY = 2


def forward_flops(sizes: Sequence[int]) -> int:
    """FLOPs of a forward pass of one sample through layers ``sizes[0] -> ... -> sizes[-1]``."""
    return sum(2 * n_in * n_out for n_in, n_out in pairwise(sizes))


def training_flops(sizes: Sequence[int]) -> int:
    """FLOPs of a forward pass and of the gradient of the weights, where the input is data."""
    return 3 * forward_flops(sizes) - forward_flops(sizes[:2])


def flops_under_policy(sizes: Sequence[int], act_dim: int) -> int:
    """FLOPs of a forward pass of a critic and of its gradient in the action, the last ``act_dim`` of its input."""
    return 2 * forward_flops(sizes) - forward_flops(sizes[:2]) + forward_flops([act_dim, sizes[1]])


@dataclass(frozen=True)
class Work:
    """The work for one environment step: FLOPs of acting and of learning, and gradient steps."""

    acting: float
    learning: float
    gradient_steps: float


def on_policy_work(
    algorithm: str, obs_dim: int, act_dim: int, settings: Settings, policy_steps: float, value_steps: float
) -> Work:
    """The work of VPG, TRPO or PPO; the numbers of steps are those of one epoch, which early stopping may reduce."""
    pi, v = ([obs_dim, *settings.hidden_sizes, n_out] for n_out in (act_dim, 1))
    acting = forward_flops(pi) + forward_flops(v)
    learning = policy_steps * training_flops(pi) + value_steps * training_flops(v) - acting
    if algorithm == "trpo":
        product = 4 * forward_flops(pi) - 2 * forward_flops(pi[:2])
        learning += CONJUGATE_GRADIENT_ITERATIONS * product + forward_flops(pi)
    return Work(acting, learning, (policy_steps + value_steps) / settings.steps_per_epoch)


def off_policy_work(algorithm: str, obs_dim: int, act_dim: int, settings: Settings) -> Work:
    """The work of DQN, DDPG, TD3 or SAC, which take one gradient step for each environment step."""
    hidden = settings.hidden_sizes
    if algorithm == "dqn":
        acting = forward_flops([obs_dim, *hidden, act_dim])
        return Work(acting, settings.batch_size * (acting + training_flops([obs_dim, *hidden, 1])), 1)
    pi = [obs_dim, *hidden, 2 * act_dim if algorithm == "sac" else act_dim]
    q = [obs_dim + act_dim, *hidden, 1]
    improving = training_flops(pi) + flops_under_policy(q, act_dim)
    sample = {
        "ddpg": forward_flops(pi) + forward_flops(q) + training_flops(q) + improving,
        "td3": forward_flops(pi) + 2 * (forward_flops(q) + training_flops(q)) + improving / POLICY_DELAY,
        "sac": forward_flops(pi) + 2 * (forward_flops(q) + training_flops(q)) + improving + forward_flops(q),
    }[algorithm]
    return Work(forward_flops(pi), settings.batch_size * sample, 1)


def work_of(
    algorithm: str, obs_dim: int, act_dim: int, settings: Settings, policy_steps: float, value_steps: float
) -> Work:
    """The work of any algorithm; off-policy, the last two are ignored."""
    if algorithm in ON_POLICY:
        return on_policy_work(algorithm, obs_dim, act_dim, settings, policy_steps, value_steps)
    return off_policy_work(algorithm, obs_dim, act_dim, settings)


def speed_bounds(work: Work, step_time: float, peak: float, simulators: int = 1) -> tuple[float, float]:
    """The most environment steps, and gradient steps while learning, that a second has room for.

    Args:
        work: of one environment step.
        step_time: seconds of the bare simulator for one step.
        peak: FLOPs a second.
        simulators: how many run at the same time, each on a core of its own.
    """
    seconds = step_time / simulators + (work.acting + work.learning) / peak
    return 1 / seconds, work.gradient_steps * peak / work.learning


# ---- measured, each in a process of its own ----


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
