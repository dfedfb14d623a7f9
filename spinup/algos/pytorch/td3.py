"""Twin Delayed DDPG (TD3).  Fujimoto et al. 2018, arXiv:1802.09477.

    a'   = clip(mu_targ(o2) + clip(eps, -c, c), a_low, a_high)       (1) smoothed target action
    y    = r + gamma (1 - d) min_i Q_targ,i(o2, a')                  (2) clipped double-Q target
    L_Q  = sum_i E[(Q_i(o, a) - y)^2]                                (3) critic loss
    L_pi = -E[Q_1(o, mu(o))]                                         (4) actor loss, every policy_delay steps
    a    = clip(mu(o) + act_noise eps, a_low, a_high)                (5) exploration
    theta_targ <- polyak theta_targ + (1 - polyak) theta                 with the actor: training.polyak_update

o: observation, a: action, r: reward, o2: next observation, d: terminated, mu: the policy (pi), theta: all parameters.
eps: Gaussian noise, of deviation target_noise in (1) and 1 in (5); it, c (noise_clip) and act_noise are in units of
half the action range. Expectations are over minibatches from the replay buffer.
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
COLUMNS = "EpRet* TestEpRet* EpLen TestEpLen TotalEnvInteracts Q1Vals* Q2Vals* LossPi LossQ"
AGENT = "pi(o) -> [B, act_dim]; q(o, a) -> [2, B]"  # what an agent must have, see experience/agents.py

# ---- equations: pure; the first argument is what gets differentiated ----


def target_action(pi_targ, o2, eps, noise_clip, act_low, act_high):  # (1)  [B, act_dim]; bounds [act_dim]
    noise = (act_high - act_low) / 2 * eps.clamp(-noise_clip, noise_clip)
    return torch.clamp(pi_targ(o2) + noise, act_low, act_high)


@torch.no_grad()
def td_target(pi_targ, q_targ, batch, eps, gamma, noise_clip, act_low, act_high):  # (2)  [B]; q_targ gives [2, B]
    a2 = target_action(pi_targ, batch.o2, eps, noise_clip, act_low, act_high)
    return batch.r + gamma * (1 - batch.d) * q_targ(batch.o2, a2).amin(0)


def q_loss(q, batch, y):  # (3)  returns the loss and, for the log, the values [2, B]
    q_vals = q(batch.o, batch.a)
    return ((q_vals - y) ** 2).mean(-1).sum(), q_vals


def pi_loss(pi, q, batch):  # (4)
    return -q(batch.o, pi(batch.o))[0].mean()


# ---- exploration ----


def explore(a, act_noise, rng, action_space):  # (5)
    """Add noise of deviation ``act_noise``, in units of half the range, to ``a`` ``[N, act_dim]``; keep bounds."""
    low, high = action_space.low, action_space.high
    eps = act_noise * rng.standard_normal(a.shape, np.float32)
    return np.clip(a + eps * (high - low) / 2, low, high)


# ---- one update phase: K gradient steps on minibatches with leaves [K, B, ...] ----


class Learner(NamedTuple):  # all that changes as TD3 learns
    ac: nn.Module
    targ: nn.Module
    pi_optimizer: training.Adam
    q_optimizer: training.Adam
    steps: torch.Tensor  # gradient steps so far; every policy_delay-th moves the policy


def update(learner, batches, noise, *, gamma, polyak, noise_clip, policy_delay, act_low, act_high):
    """Improve ``learner`` in place on ``batches`` (tensors) and ``noise`` ``[K, B, act_dim]``; returns it, and a log.

    Only the steps that move the policy have a policy loss to log.
    """
    ac, targ, pi_optimizer, q_optimizer, steps = learner
    log, pi_log = [], []
    ac.train()  # for agents with dropout or batch normalisation
    for batch, eps in zip(training.minibatches(batches), noise, strict=True):
        # move both critics towards the lower of their targets
        y = td_target(targ.pi, targ.q, batch, eps, gamma, noise_clip, act_low, act_high)
        loss_q, (q1_val, q2_val) = q_loss(ac.q, batch, y)
        training.minimize(q_optimizer, loss_q)
        log.append(dict(Q1Vals=q1_val, Q2Vals=q2_val, LossQ=loss_q))

        # less often, move the policy to where the first critic is higher, and let the targets follow slowly
        if steps % policy_delay == 0:
            loss_pi = pi_loss(ac.pi, ac.q, batch)
            training.minimize(pi_optimizer, loss_pi)
            training.polyak_update(targ, ac, polyak)
            pi_log.append(dict(LossPi=loss_pi))
        steps += 1
    ac.eval()
    return learner, training.stack(log) | training.stack(pi_log)


def td3(
    env_fn,
    actor_critic=core.TD3ActorCritic,
    ac_kwargs=None,
    seed=0,
    steps_per_epoch=4000,
    epochs=100,
    replay_size=int(1e6),
    gamma=0.99,
    polyak=0.995,
    pi_lr=1e-3,
    q_lr=1e-3,
    batch_size=100,
    start_steps=10000,
    update_after=1000,
    update_every=50,
    act_noise=0.1,
    target_noise=0.2,
    noise_clip=0.5,
    policy_delay=2,
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
    snapshots=False,
    resume=False,
):
    """Train by Twin Delayed Deep Deterministic Policy Gradient.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment with bounded continuous actions, or its name.
        actor_critic: builds an ``nn.Module`` as ``actor_critic(observation_space, action_space, **ac_kwargs)``, with
            ``pi(obs)`` -> actions ``[B, act_dim]``,
            ``q(obs, act)`` -> values ``[2, B]`` (or ``q1`` and ``q2``, which give ``[B]`` each), and
            ``act(obs, deterministic=False)``, one NumPy observation or a batch -> NumPy actions.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation``.
        seed: int >= 0, for the environments and every random number.
        steps_per_epoch: environment steps an epoch, counted over all environments.
        epochs: number of epochs.
        replay_size: capacity of the replay buffer, in transitions.
        gamma: discount factor, 0 to 1.
        polyak: share of the target networks that stays at each step, 0 to 1, close to 1.
        pi_lr: learning rate of the policy (Adam).
        q_lr: learning rate of the action-value functions (Adam).
        batch_size: transitions in a minibatch.
        start_steps: steps at the beginning that act uniformly at random, to explore.
        update_after: steps before the first gradient step, to fill the buffer.
        update_every: steps between two update phases, each of as many gradient steps: one for every environment step.
        act_noise: standard deviation of the exploration noise, in units of half the action range.
        target_noise: deviation of the noise that smooths the target policy, in units of half the action range.
        noise_clip: bound on that noise, in the same units.
        policy_delay: gradient steps of the critics for each of the policy.
        num_test_episodes: episodes, without exploration, that test the agent after each epoch.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier; None: never.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        num_envs: environments stepped together; must divide ``steps_per_epoch`` and ``update_every``.
        norm_obs: o, o2 <- (o - mean) / sqrt(var + 1e-8), running statistics; the returned agent takes o as it is.
        norm_reward: r <- r / sqrt(var + 1e-8), with the running variance of the discounted return; not in the log.
        device: 'cpu', 'cuda', or 'auto'.
        threads: CPU threads of an operation (default: ``OMP_NUM_THREADS``, or 1); several lose much on a busy machine.
        snapshots: keep every save, as ``pyt_save/model<epoch>.pt``, beside the last.
        resume: continue from the last checkpoint of the run in the output directory, if there is one.

    Returns:
        The trained actor-critic.

    Raises:
        UserError: for hyperparameters out of range, an environment that cannot be used, or an output directory that
            already holds a run, unless it is resumed.
    """
    config = check_hyperparameters(locals(), td3)
    device = training.start(seed, device, threads)
    rng = np.random.default_rng(seed)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    test_envs = envs.for_tests(num_test_episodes)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    optimizers = training.Adam(pi_lr, ac.pi), training.Adam(q_lr, ac.q)
    learner = Learner(ac, training.target_of(ac), *optimizers, torch.tensor(0))
    buffer = ReplayBuffer(envs.observation_space, envs.action_space, replay_size)
    act_low, act_high = core.bounds_of(envs.action_space, device)
    constants = dict(gamma=gamma, polyak=polyak, noise_clip=noise_clip, policy_delay=policy_delay)
    constants |= dict(act_low=act_low, act_high=act_high)

    run = Run(config, COLUMNS, envs, buffer=buffer, rng=rng)
    learner = run.restore(learner)
    for epoch in run.epochs():
        for steps in run.steps():
            # act, at first at random, then with noise, and remember what came of it
            o = envs.o
            if steps < start_steps:
                a = envs.sample_actions()
            else:
                a = explore(learner.ac.act(o), act_noise, rng, envs.action_space)
            step = envs.step(a)
            buffer.store(o, a, step)
            run.store(EpRet=step.ep_ret, EpLen=step.ep_len)

            # every update_every steps, as many gradient steps on minibatches of old and new experience
            steps += num_envs
            if steps >= update_after and steps % update_every == 0:
                batches = training.to_tensors(buffer.sample(update_every, batch_size, rng), device)
                noise = target_noise * torch.randn_like(batches.a)
                learner, log = update(learner, batches, noise, **constants)
                run.store(**log)

        # test the policy without exploration
        run.store(**test_agent(learner.ac, test_envs, seed=[seed, epoch + 1]))
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.pytorch.td3 --env ENV
