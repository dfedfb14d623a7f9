"""Deep Deterministic Policy Gradient (DDPG).  Lillicrap et al. 2016, arXiv:1509.02971.

    y    = r + gamma (1 - d) Q_targ(o2, mu_targ(o2))                 (1) target
    L_Q  = E[(Q(o, a) - y)^2]                                        (2) critic loss
    L_pi = -E[Q(o, mu(o))]                                           (3) actor loss
    a    = clip(mu(o) + act_noise eps, a_low, a_high)                (4) exploration
    theta_targ <- polyak theta_targ + (1 - polyak) theta                 after every step: training.polyak_update

o: observation, a: action, r: reward, o2: next observation, d: terminated, mu: the policy (pi), theta: all parameters.
eps: Gaussian noise of deviation 1, act_noise: its size, in units of half the action range.
Expectations are over minibatches from the replay buffer.
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
COLUMNS = "EpRet* TestEpRet* EpLen TestEpLen TotalEnvInteracts QVals* LossPi LossQ"
AGENT = "pi(o) -> [B, act_dim]; q(o, a) -> [B]"  # what an agent must have, see experience/agents.py

# ---- equations: pure; the first argument is what gets differentiated ----


@torch.no_grad()
def td_target(pi_targ, q_targ, batch, gamma):  # (1)  [B]
    return batch.r + gamma * (1 - batch.d) * q_targ(batch.o2, pi_targ(batch.o2))


def q_loss(q, batch, y):  # (2)  returns the loss and, for the log, the values [B]
    q_val = q(batch.o, batch.a)
    return ((q_val - y) ** 2).mean(), q_val


def pi_loss(pi, q, batch):  # (3)
    return -q(batch.o, pi(batch.o)).mean()


# ---- exploration ----


def explore(a, act_noise, rng, action_space):  # (4)
    """Add noise of deviation ``act_noise``, in units of half the range, to ``a`` ``[N, act_dim]``; keep bounds."""
    low, high = action_space.low, action_space.high
    eps = act_noise * rng.standard_normal(a.shape, np.float32)
    return np.clip(a + eps * (high - low) / 2, low, high)


# ---- one update phase: K gradient steps on minibatches with leaves [K, B, ...] ----


class Learner(NamedTuple):  # all that changes as DDPG learns
    ac: nn.Module
    targ: nn.Module
    pi_optimizer: training.Adam
    q_optimizer: training.Adam


def update(learner, batches, *, gamma, polyak):
    """Improve ``learner`` in place on ``batches`` (a ``Batch`` of tensors); returns it, and a log of each step."""
    ac, targ, pi_optimizer, q_optimizer = learner
    log = []
    ac.train()  # for agents with dropout or batch normalisation
    for batch in training.minibatches(batches):
        # move the critic towards the target
        y = td_target(targ.pi, targ.q, batch, gamma)
        loss_q, q_val = q_loss(ac.q, batch, y)
        training.minimize(q_optimizer, loss_q)

        # move the policy to where the critic is higher
        loss_pi = pi_loss(ac.pi, ac.q, batch)
        training.minimize(pi_optimizer, loss_pi)

        # let the targets follow slowly
        training.polyak_update(targ, ac, polyak)
        log.append(dict(QVals=q_val, LossPi=loss_pi, LossQ=loss_q))
    ac.eval()
    return learner, training.stack(log)


def ddpg(
    env_fn,
    actor_critic=core.DDPGActorCritic,
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
    """Train by Deep Deterministic Policy Gradient.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment with bounded continuous actions, or its name.
        actor_critic: builds an ``nn.Module`` as ``actor_critic(observation_space, action_space, **ac_kwargs)``, with
            ``pi(obs)`` -> actions ``[B, act_dim]``,
            ``q(obs, act)`` -> values ``[B]``, and
            ``act(obs, deterministic=False)``, one NumPy observation or a batch -> NumPy actions.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation``.
        seed: int >= 0, for the environments and every random number.
        steps_per_epoch: environment steps an epoch, counted over all environments.
        epochs: number of epochs.
        replay_size: capacity of the replay buffer, in transitions.
        gamma: discount factor, 0 to 1.
        polyak: share of the target networks that stays at each step, 0 to 1, close to 1.
        pi_lr: learning rate of the policy (Adam).
        q_lr: learning rate of the action-value function (Adam).
        batch_size: transitions in a minibatch.
        start_steps: steps at the beginning that act uniformly at random, to explore.
        update_after: steps before the first gradient step, to fill the buffer.
        update_every: steps between two update phases, each of as many gradient steps: one for every environment step.
        act_noise: standard deviation of the exploration noise, in units of half the action range.
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
    config = check_hyperparameters(locals(), ddpg)
    device = training.start(seed, device, threads)
    rng = np.random.default_rng(seed)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    test_envs = envs.for_tests(num_test_episodes)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    learner = Learner(ac, training.target_of(ac), training.Adam(pi_lr, ac.pi), training.Adam(q_lr, ac.q))
    buffer = ReplayBuffer(envs.observation_space, envs.action_space, replay_size)

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
                learner, log = update(learner, batches, gamma=gamma, polyak=polyak)
                run.store(**log)

        # test the policy without exploration
        run.store(**test_agent(learner.ac, test_envs, seed=[seed, epoch + 1]))
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.pytorch.ddpg --env ENV
