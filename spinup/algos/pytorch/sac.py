"""Soft Actor-Critic (SAC).  Haarnoja et al. 2018, arXiv:1801.01290; with learned temperature, arXiv:1812.05905.

    y       = r + gamma (1 - d) (min_i Q_targ,i(o2, a2) - alpha log pi(a2|o2)),  a2 ~ pi(.|o2)     (1) soft target
    L_Q     = sum_i E[(Q_i(o, a) - y)^2]                                                           (2) critic loss
    L_pi    = E[alpha log pi(a'|o) - min_i Q_i(o, a')],  a' ~ pi(.|o)                              (3) actor loss
    L_alpha = -E[log_alpha (log pi(a'|o) + target_entropy)]                                        (4) temperature loss
    theta_targ <- polyak theta_targ + (1 - polyak) theta              after every step: training.polyak_update

o: observation, a: action, r: reward, o2: next observation, d: terminated, theta: the parameters of Q_1 and Q_2.
Actions are sampled as a function of the parameters and of Gaussian noise eps, so that (3) can be differentiated
through them. (4) only where alpha is learned. Expectations are over minibatches from the replay buffer.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from spinup.algos.pytorch import core, training
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.evaluation import test_agent
from spinup.experience.vector_env import VectorEnv
from spinup.hyperparameters import check_hyperparameters
from spinup.records.run import Run

# the columns of progress.txt; *: average, standard deviation, maximum and minimum
COLUMNS = "EpRet* TestEpRet* EpLen TestEpLen TotalEnvInteracts Q1Vals* Q2Vals* LogPi* LossPi LossQ Alpha"
AGENT = "pi(o, eps) -> [B, act_dim], [B]; q(o, a) -> [2, B]"  # what an agent must have, see experience/agents.py

# ---- equations: pure; the first argument is what gets differentiated ----


@torch.no_grad()
def td_target(pi, q_targ, batch, eps, gamma, alpha):  # (1)  [B]; q_targ gives [2, B]
    a2, logp = pi(batch.o2, eps)
    return batch.r + gamma * (1 - batch.d) * (q_targ(batch.o2, a2).amin(0) - alpha * logp)


def q_loss(q, batch, y):  # (2)  returns the loss and, for the log, the values [2, B]
    q_vals = q(batch.o, batch.a)
    return ((q_vals - y) ** 2).mean(-1).sum(), q_vals


def pi_loss(pi, q, batch, eps, alpha):  # (3)  returns the loss and log pi [B]
    a, logp = pi(batch.o, eps)
    return (alpha * logp - q(batch.o, a).amin(0)).mean(), logp


def alpha_loss(log_alpha, logp, target_entropy):  # (4)  logp: [B], not differentiated
    return -(log_alpha * (logp.detach() + target_entropy)).mean()


# ---- temperature ----


def temperature(alpha, lr, device):
    """``log_alpha`` as a tensor, and its optimiser if ``alpha`` is 'auto'; it then starts at 1."""
    log_alpha = torch.tensor(1.0 if alpha == "auto" else alpha, device=device).log()
    return log_alpha, training.Adam(lr, log_alpha.requires_grad_()) if alpha == "auto" else None


# ---- one update phase: K gradient steps on minibatches with leaves [K, B, ...] ----


class Learner(NamedTuple):  # all that changes as SAC learns
    ac: nn.Module
    q_targ: nn.Module
    log_alpha: torch.Tensor
    pi_optimizer: training.Adam
    q_optimizer: training.Adam
    alpha_optimizer: training.Adam | None  # None where alpha is fixed


def update(learner, batches, noise, *, gamma, polyak, target_entropy):
    """Improve ``learner`` in place on ``batches`` and ``noise`` ``[K, 2, B, act_dim]``; returns it, and a log."""
    ac, q_targ, log_alpha, pi_optimizer, q_optimizer, alpha_optimizer = learner
    log = []
    ac.train()  # for agents with dropout or batch normalisation
    for batch, eps in zip(training.minibatches(batches), noise, strict=True):
        # move both critics towards the soft target
        alpha = log_alpha.detach().exp()
        y = td_target(ac.pi, q_targ, batch, eps[0], gamma, alpha)
        loss_q, (q1_val, q2_val) = q_loss(ac.q, batch, y)
        training.minimize(q_optimizer, loss_q)

        # move the policy to where the lower critic is higher, but not at the price of its entropy
        loss_pi, logp = pi_loss(ac.pi, ac.q, batch, eps[1], alpha)
        training.minimize(pi_optimizer, loss_pi)

        # raise that price where the entropy is too low
        if alpha_optimizer:
            training.minimize(alpha_optimizer, alpha_loss(log_alpha, logp, target_entropy))

        # let the targets follow slowly
        training.polyak_update(q_targ, ac.q, polyak)
        log.append(dict(Q1Vals=q1_val, Q2Vals=q2_val, LogPi=logp, LossPi=loss_pi, LossQ=loss_q, Alpha=alpha))
    ac.eval()
    return learner, training.stack(log)


def sac(
    env_fn,
    actor_critic=core.SACActorCritic,
    ac_kwargs=None,
    seed=0,
    steps_per_epoch=4000,
    epochs=100,
    replay_size=int(1e6),
    gamma=0.99,
    polyak=0.995,
    lr=1e-3,
    alpha=0.2,
    batch_size=100,
    start_steps=10000,
    update_after=1000,
    update_every=50,
    num_test_episodes=10,
    max_ep_len=1000,
    logger_kwargs=None,
    save_freq=1,
    *,
    num_envs=1,
    norm_obs=False,
    norm_reward=False,
    device="cpu",
    threads=training.THREADS,
    target_entropy=None,
    snapshots=False,
    resume=False,
):
    """Train by Soft Actor-Critic, with a fixed or a learned temperature.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment with bounded continuous actions, or its name.
        actor_critic: builds an ``nn.Module`` as ``actor_critic(observation_space, action_space, **ac_kwargs)``, with
            ``pi(obs, eps)`` -> (actions ``[B, act_dim]``, log-densities ``[B]``),
            ``q(obs, act)`` -> values ``[2, B]`` (or ``q1`` and ``q2``, which give ``[B]`` each), and
            ``act(obs, deterministic=False)``, one NumPy observation or a batch -> NumPy actions.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation``.
        seed: int >= 0, for the environments and every random number.
        steps_per_epoch: environment steps an epoch, counted over all environments.
        epochs: number of epochs.
        replay_size: capacity of the replay buffer, in transitions.
        gamma: discount factor, 0 to 1.
        polyak: share of the target networks that stays at each step, 0 to 1, close to 1.
        lr: learning rate of all networks, and of the temperature (Adam).
        alpha: temperature: the weight of the policy's entropy against the reward; 'auto' learns it by (4), from 1.
        batch_size: transitions in a minibatch.
        start_steps: steps at the beginning that act uniformly at random, to explore.
        update_after: steps before the first gradient step, to fill the buffer.
        update_every: steps between two update phases, each of as many gradient steps: one for every environment step.
        num_test_episodes: episodes, without exploration, that test the agent after each epoch.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier; None: never.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        num_envs: environments stepped together; must divide ``steps_per_epoch`` and ``update_every``.
        norm_obs: o, o2 <- (o - mean) / sqrt(var + 1e-8), running statistics; the returned agent takes o as it is.
        norm_reward: r <- r / sqrt(var + 1e-8), with the running variance of the discounted return; not in the log.
        device: 'cpu', 'cuda', or 'auto'.
        threads: CPU threads of an operation (default: ``OMP_NUM_THREADS``, or 1); several lose much on a busy machine.
        target_entropy: in nats, of actions in units of half their range; None is minus the number of dimensions.
        snapshots: keep every save, as ``pyt_save/model<epoch>.pt``, beside the last.
        resume: continue from the last checkpoint of the run in the output directory, if there is one.

    Returns:
        The trained actor-critic.

    Raises:
        UserError: for hyperparameters out of range, an environment that cannot be used, or an output directory that
            already holds a run, unless it is resumed.
    """
    config = check_hyperparameters(locals(), sac)
    device = training.start(seed, device, threads)
    rng = np.random.default_rng(seed)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    test_envs = envs.for_tests(num_test_episodes)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    log_alpha, alpha_optimizer = temperature(alpha, lr, device)
    optimizers = training.Adam(lr, ac.pi), training.Adam(lr, ac.q), alpha_optimizer
    learner = Learner(ac, training.target_of(ac.q), log_alpha, *optimizers)
    buffer = ReplayBuffer(envs.observation_space, envs.action_space, replay_size)
    target_entropy = -envs.action_space.shape[0] if target_entropy is None else target_entropy
    constants = dict(gamma=gamma, polyak=polyak, target_entropy=target_entropy)

    run = Run(config, COLUMNS, envs, buffer=buffer, rng=rng)
    learner = run.restore(learner)
    for epoch in run.epochs():
        for steps in run.steps():
            # act, at first at random, then as the policy samples, and remember what came of it
            o = envs.o
            a = envs.sample_actions() if steps < start_steps else learner.ac.act(o)
            step = envs.step(a)
            buffer.store(o, a, step)
            run.store(EpRet=step.ep_ret, EpLen=step.ep_len)

            # every update_every steps, as many gradient steps on minibatches of old and new experience
            steps += num_envs
            if steps >= update_after and steps % update_every == 0:
                batches = training.to_tensors(buffer.sample(update_every, batch_size, rng), device)
                noise = torch.randn(update_every, 2, *batches.a.shape[1:], device=device)
                learner, log = update(learner, batches, noise, **constants)
                run.store(**log)

        # test the policy without exploration
        run.store(**test_agent(learner.ac, test_envs, seed=[seed, epoch + 1]))
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.pytorch.sac --env ENV
