"""DDPG as the page of the original states it, written again: stacked networks, PyTorch's own tanh and Adam.

Nothing of the package is used, so that a fault of ours cannot hide here. All seeds train at once: parameters are
``[S, n_in, n_out]``, one slice a seed, and no seed influences another.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import gymnasium as gym
import numpy as np
import torch

BATCH, GAMMA, POLYAK, LR, NOISE = 100, 0.99, 0.995, 1e-3, 0.1
RANDOM_STEPS, UPDATE_AFTER, UPDATE_EVERY, TESTS = 10_000, 1_000, 50, 3


class Learner:
    """Policy, critic, their targets and optimisers, of ``S`` seeds."""

    def __init__(self, seeds: int, obs_dim: int, act_dim: int):
        self.pi = make_network(seeds, [obs_dim, 256, 256, act_dim])
        self.q = make_network(seeds, [obs_dim + act_dim, 256, 256, 1])
        self.pi_targ, self.q_targ = ([p.detach().clone() for p in net] for net in (self.pi, self.q))
        self.pi_adam, self.q_adam = torch.optim.Adam(self.pi, LR), torch.optim.Adam(self.q, LR)

    def step(self, o, a, r, o2, d) -> None:
        """One gradient step on minibatches ``[S, B, ...]``."""
        with torch.no_grad():
            y = r + GAMMA * (1 - d) * value(self.q_targ, o2, torch.tanh(forward(self.pi_targ, o2)))
        descend(self.q_adam, ((value(self.q, o, a) - y) ** 2).mean(-1).sum(), self.q)
        descend(self.pi_adam, -value(self.q, o, torch.tanh(forward(self.pi, o))).mean(-1).sum(), self.pi)
        with torch.no_grad():
            for targ, net in ((self.pi_targ, self.pi), (self.q_targ, self.q)):
                torch._foreach_lerp_(targ, [p.detach() for p in net], 1 - POLYAK)


def make_network(seeds: int, sizes: Sequence[int]) -> list[torch.Tensor]:
    """Weights ``[S, n_in, n_out]`` and biases ``[S, 1, n_out]``, uniform within ``+-1 / sqrt(n_in)``."""
    shapes = [((n_in, n_out), (1, n_out), n_in) for n_in, n_out in pairwise(sizes)]
    drawn = [((torch.rand(seeds, *shape) * 2 - 1) / math.sqrt(n)) for w, b, n in shapes for shape in (w, b)]
    return [p.requires_grad_() for p in drawn]


def forward(net: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """``[S, B, n_out]``; relu between the layers."""
    for i in range(0, len(net), 2):
        x = torch.baddbmm(net[i + 1], x, net[i])
        x = torch.relu(x) if i < len(net) - 2 else x
    return x


def value(net: list[torch.Tensor], o: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """``Q(o, a)``, ``[S, B]``."""
    return forward(net, torch.cat([o, a], -1)).squeeze(-1)


def descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor, net: list[torch.Tensor]) -> None:
    """One step on the sum of the seeds' losses, which is a step on each."""
    for p, grad in zip(net, torch.autograd.grad(loss, net)):
        p.grad = grad
    optimizer.step()


def train_independently(
    env_id: str, seeds: Sequence[int], steps: int, test_every: int, saturated: float
) -> Iterator[tuple[int, int, float, float, float]]:
    """Train all ``seeds`` at once; yields seed, steps, test return, median |z| and saturated share at every test."""
    torch.set_num_threads(1)
    torch.manual_seed(seeds[0])
    rng, envs = np.random.default_rng(seeds[0]), [gym.make(env_id) for _ in seeds]
    o = np.stack([env.reset(seed=1000 + seed)[0] for seed, env in zip(seeds, envs)]).astype(np.float32)
    for seed, env in zip(seeds, envs):
        env.action_space.seed(seed)
    widths = [o.shape[1], envs[0].action_space.shape[0], 1, o.shape[1], 1]
    memory = [np.zeros((len(seeds), steps, width), np.float32) for width in widths]
    learner = Learner(len(seeds), widths[0], widths[1])
    for t in range(1, steps + 1):
        a = act(learner, envs, o, rng, t)
        for i, env in enumerate(envs):
            o2, r, d, truncated, _ = env.step(a[i])
            for column, x in zip(memory, (o[i], a[i], r, o2, d)):
                column[i, t - 1] = x
            o[i] = env.reset()[0] if d or truncated else o2
        if t >= UPDATE_AFTER and t % UPDATE_EVERY == 0:
            for _ in range(UPDATE_EVERY):
                learner.step(*sample(memory, t, rng))
        if t % test_every == 0:
            with torch.no_grad():
                z = forward(learner.pi, sample(memory, t, rng)[0]).abs()
            for i, seed in enumerate(seeds):
                yield (
                    seed,
                    t,
                    test(learner, i, env_id),
                    float(z[i].median()),
                    float((z[i] > saturated).all(-1).float().mean()),
                )


def act(learner: Learner, envs: list[gym.Env], o: np.ndarray, rng: np.random.Generator, t: int) -> np.ndarray:
    """Random actions at first, then the policy's with noise, ``[S, act_dim]``."""
    if t <= RANDOM_STEPS:
        return np.stack([env.action_space.sample() for env in envs])
    with torch.no_grad():
        a = torch.tanh(forward(learner.pi, torch.from_numpy(o)[:, None])).squeeze(1).numpy()
    return np.clip(a + NOISE * rng.standard_normal(a.shape), -1, 1).astype(np.float32)


def sample(memory: list[np.ndarray], t: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """A minibatch of the first ``t`` transitions of every seed: ``o a`` ``[S, B, dim]``, ``r`` ``[S, B]``, ..."""
    rows = np.arange(len(memory[0]))[:, None], rng.integers(t, size=(len(memory[0]), BATCH))
    o, a, r, o2, d = (torch.from_numpy(column[rows]) for column in memory)
    return [o, a, r.squeeze(-1), o2, d.squeeze(-1)]


def test(learner: Learner, i: int, env_id: str) -> float:
    """The mean return of seed number ``i`` without noise."""
    env, total = gym.make(env_id), 0.0
    for episode in range(TESTS):
        (o, _), over = env.reset(seed=episode), False
        while not over:
            with torch.no_grad():
                z = forward([p[i : i + 1] for p in learner.pi], torch.as_tensor(o, dtype=torch.float32)[None, None])
            o, r, terminated, truncated, _ = env.step(torch.tanh(z)[0, 0].numpy())
            total, over = total + float(r) / TESTS, terminated or truncated
    return total
