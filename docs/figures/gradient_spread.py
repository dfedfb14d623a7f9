"""How much estimates of one policy gradient differ, with full returns, rewards-to-go, and a baseline.

``python -m docs.figures.gradient_spread`` plays the episodes again (about a minute) and writes the CSV, from which
``draw`` and the numbers of the page come. A policy that ``1_simple_pg.py`` trained for ten epochs stays fixed; the same
batches of ten episodes of CartPole give an estimate of its gradient each, in three ways.
"""

import csv
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from docs.figures.style import BLUE, GREEN, INK, ORANGE, new_figure
from spinup.experience.vector_env import VectorEnv

DATA = Path(__file__).with_suffix(".csv")
WEIGHTS = {"full return": ORANGE, "reward-to-go": BLUE, "with baseline": GREEN}
BATCHES, EPISODES, FOR_THE_BASELINE = 300, 10, 300
simple, rtg, baseline = (
    import_module(f"spinup.examples.pytorch.pg_math.{name}") for name in ("1_simple_pg", "2_rtg_pg", "3_baseline_pg")
)


def episodes(logits_net, count, seed):
    """Observations, actions and rewards of the first ``count`` episodes, each from its own copy of CartPole.

    One episode a copy: of several, the short ones would end first and be taken too often.
    """
    envs = VectorEnv("CartPole-v1", count, seed)
    envs.reset()
    steps, playing = [], np.ones(count, bool)
    while playing.any():
        o = envs.o
        with torch.no_grad():
            a = simple.get_policy(logits_net, torch.as_tensor(o)).sample()
        step = envs.step(a.numpy())
        steps.append((o, a.numpy(), step.r, playing.copy()))
        playing &= ~step.ended
    envs.close()
    o, a, r, valid = map(np.stack, zip(*steps))
    return [
        (torch.as_tensor(o[valid[:, i], i]), torch.as_tensor(a[valid[:, i], i]), list(r[valid[:, i], i]))
        for i in range(count)
    ]


def fitted_baseline(data):
    """A value network fitted to rewards-to-go, as ``3_baseline_pg.py`` does."""
    value_net = baseline.mlp([4, 32, 1])
    optimizer = torch.optim.Adam(value_net.parameters(), 1e-2)
    obs, rtgs = torch.cat([o for o, _, _ in data]), torch.tensor([x for _, _, r in data for x in rtg.reward_to_go(r)])
    for _ in range(1000):
        optimizer.zero_grad()
        baseline.compute_value_loss(value_net, obs, rtgs.float()).backward()
        optimizer.step()
    return value_net


def gradient(logits_net, obs, act, weights):
    """The sum over the steps of an episode of grad log pi(a|s) times a weight."""
    loss = len(act) * simple.compute_loss(logits_net, obs, act, weights)
    return -torch.cat([g.ravel() for g in torch.autograd.grad(loss, logits_net.parameters())]).numpy()


def measure():
    """Estimates ``[batch, way, parameters]`` of the policy gradient."""
    torch.set_num_threads(1)
    logits_net = simple.train(epochs=10, batch_size=2000, seed=0)
    value_net = fitted_baseline(episodes(logits_net, FOR_THE_BASELINE, seed=1))
    gradients = []
    for obs, act, rews in episodes(logits_net, BATCHES * EPISODES, seed=2):
        to_go = torch.tensor(rtg.reward_to_go(rews)).float()
        with torch.no_grad():
            adv = to_go - baseline.get_value(value_net, obs)
        weights = torch.full_like(to_go, sum(rews)), to_go, adv
        gradients.append([gradient(logits_net, obs, act, w) for w in weights])
    return np.array(gradients).reshape(BATCHES, EPISODES, 3, -1).mean(1)


def write():
    """Measure, and keep of each estimate what the page needs, in units of the length of the gradient.

    ``along`` is the component in the direction of the gradient, which is 1 on average, ``off`` the length of the rest,
    which is nothing but noise. The gradient is the mean of the least noisy estimates.
    """
    estimates = measure()
    gradient = estimates[:, -1].mean(0)
    along = estimates @ gradient / (gradient @ gradient)
    off = np.linalg.norm(estimates - along[..., None] * gradient, axis=-1) / np.linalg.norm(gradient)
    with DATA.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["batch", "weights", "along", "off"])
        for i in range(len(estimates)):
            rows.writerows([i, way, f"{a:.4f}", f"{b:.4f}"] for way, a, b in zip(WEIGHTS, along[i], off[i]))


def read():
    """``(along, off)`` of every batch, by what the log-probabilities are weighted with."""
    with DATA.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        way: tuple(np.array([float(row[key]) for row in rows if row["weights"] == way]) for key in ("along", "off"))
        for way in WEIGHTS
    }


def summary():
    """A line for each way: mean and spread of ``along``, the share that points the wrong way, episodes needed.

    The last is the number of episodes in a batch whose noise is as long as the gradient.
    """
    lines = []
    for way, (along, off) in read().items():
        noise = along.var(ddof=1) + (off**2).mean()  # squared, of one batch
        wrong = f"{(along < 0).mean():.0%}"
        lines.append(f"{way:13}  {along.mean():.2f} +- {along.std(ddof=1):.2f}  {wrong:>4}  {EPISODES * noise:3.0f}")
    return "\n".join(lines)


def draw():
    """Histograms of ``along``, one below the other on one scale."""
    figure = new_figure(5.6, 3.6)
    rows = figure.subplots(3, sharex=True, sharey=True)
    for axes, (way, (along, _)) in zip(rows, read().items()):
        axes.hist(along, bins=np.arange(-6, 9.01, 0.5), histtype="stepfilled", color=WEIGHTS[way], alpha=0.8)
        axes.axvline(0, color=INK, linewidth=1)
        axes.axvline(1, color=INK, linewidth=1.5, linestyle="--")
        axes.text(0.99, 0.85, way, transform=axes.transAxes, ha="right", va="top", color=WEIGHTS[way], weight="bold")
        axes.text(0.01, 0.85, f"{(along < 0).mean():.0%} point the wrong way", transform=axes.transAxes, va="top")
        axes.set_yticks([0, 50, 100])
        axes.grid(False)
    rows[1].set_ylabel("batches of ten episodes")
    rows[2].set_xlabel("component along the gradient, whose length is 1 (dashed)")
    return figure


if __name__ == "__main__":
    write()
