"""Proximal Policy Optimization, by clipping (PPO).  Schulman et al. 2017, arXiv:1707.06347.

    L_pi = -E[min(w adv, clip(w, 1 - eps, 1 + eps) adv)],  w = pi(a|o) / pi_old(a|o)     (1) policy loss
    KL   ~ E[log pi_old(a|o) - log pi(a|o)]                                             (2) stop beyond 1.5 target_kl
    L_V  = E[(V(o) - ret)^2]                                                            (3) value loss

o: observation, a: action, adv: advantage by GAE-lambda, normalised, ret: reward-to-go, eps: clip_ratio.
Expectations are over all steps of the epoch, collected with pi_old.
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import nn

from spinup.algos.pytorch import core, training
from spinup.experience.buffers import RolloutBuffer
from spinup.experience.vector_env import VectorEnv
from spinup.hyperparameters import check_hyperparameters
from spinup.records.run import Run

# the columns of progress.txt; *: average, standard deviation, maximum and minimum
COLUMNS = "EpRet* EpLen VVals* TotalEnvInteracts LossPi LossV DeltaLossPi DeltaLossV Entropy KL ClipFrac StopIter"
AGENT = "pi(o, a) -> distribution, [B]; v(o) -> [B]"  # what an agent must have, see experience/agents.py

# ---- equations: pure; the first argument is what gets differentiated ----


def policy_loss(logp, logp_old, adv, clip_ratio):  # (1)  all [B]
    ratio = torch.exp(logp - logp_old)
    return -torch.min(ratio * adv, ratio.clamp(1 - clip_ratio, 1 + clip_ratio) * adv).mean()


def approx_kl(logp, logp_old):  # (2)  [B], [B]
    return (logp_old - logp).mean()


def value_loss(v, ret):  # (3)  [B], [B]
    return ((v - ret) ** 2).mean()


# ---- one update phase: full-batch gradient steps on one epoch ----


class Learner(NamedTuple):  # all that changes as PPO learns
    ac: nn.Module
    pi_optimizer: training.Adam
    v_optimizer: training.Adam


def update(learner, batch, *, clip_ratio, target_kl, train_pi_iters, train_v_iters):
    """Improve ``learner`` in place on ``batch`` (a ``Rollout`` of tensors); returns it, and what to log."""
    ac, pi_optimizer, v_optimizer = learner

    # remember how likely the old policy found its actions
    with torch.no_grad():
        logp_old = ac.pi(batch.o, batch.a)[1]
        loss_pi_old = policy_loss(logp_old, logp_old, batch.adv, clip_ratio)

    ac.train()  # for agents with dropout or batch normalisation

    # take gradient steps on the clipped objective, until the policy has moved far enough
    def fit_policy():
        for i in range(train_pi_iters):
            logp = ac.pi(batch.o, batch.a)[1]
            kl = training.average(approx_kl(logp, logp_old))
            if target_kl is not None and not kl <= 1.5 * target_kl:  # so that nan stops too
                return i
            training.minimize(pi_optimizer, policy_loss(logp, logp_old, batch.adv, clip_ratio))
        return train_pi_iters

    # fit the value function to the rewards-to-go
    def fit_value():
        for _ in range(train_v_iters):
            training.minimize(v_optimizer, value_loss(ac.v(batch.o), batch.ret))

    stop_iter, _ = training.in_parallel(fit_policy, fit_value, optimizers=(pi_optimizer, v_optimizer))
    ac.eval()

    # report what changed
    with torch.no_grad():
        pi, logp = ac.pi(batch.o, batch.a)
        loss_pi = policy_loss(logp, logp_old, batch.adv, clip_ratio)
        loss_v_old, loss_v = value_loss(batch.v, batch.ret), value_loss(ac.v(batch.o), batch.ret)
        clipped = (torch.exp(logp - logp_old) - 1).abs() > clip_ratio
    return learner, dict(
        LossPi=loss_pi_old.item(),
        LossV=loss_v_old.item(),
        DeltaLossPi=(loss_pi - loss_pi_old).item(),
        DeltaLossV=(loss_v - loss_v_old).item(),
        Entropy=pi.entropy().mean().item(),
        KL=approx_kl(logp, logp_old).item(),
        ClipFrac=clipped.float().mean().item(),
        StopIter=stop_iter,
    )


def ppo(
    env_fn,
    actor_critic=core.MLPActorCritic,
    ac_kwargs=None,
    seed=0,
    steps_per_epoch=4000,
    epochs=50,
    gamma=0.99,
    clip_ratio=0.2,
    pi_lr=3e-4,
    vf_lr=1e-3,
    train_pi_iters=80,
    train_v_iters=80,
    lam=0.97,
    max_ep_len=1000,
    target_kl=0.01,
    logger_kwargs=None,
    save_freq=10,
    *,
    num_envs=4,
    norm_obs=False,
    norm_reward=False,
    device="cpu",
    threads=training.THREADS,
    snapshots=False,
    resume=False,
):
    """Train by Proximal Policy Optimization (clipped), with early stopping on an estimate of the KL divergence.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment, or its name.
        actor_critic: builds an ``nn.Module`` as ``actor_critic(observation_space, action_space, **ac_kwargs)``, with
            ``pi(obs, act=None)`` -> (distribution over actions, log-probabilities ``[B]`` of ``act`` or None),
            ``v(obs)`` -> values ``[B]``, and ``act(obs, deterministic=False)``, one NumPy observation or a batch ->
            NumPy actions. ``pi`` and ``v`` are modules, or methods of the agent if they have layers in common.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation``.
        seed: int >= 0, for the environments and every random number.
        steps_per_epoch: environment steps an epoch, counted over all environments.
        epochs: number of epochs, each one policy update.
        gamma: discount factor, 0 to 1.
        clip_ratio: eps of (1): how far from 1 the probability ratio may move while the objective still gains.
        pi_lr: learning rate of the policy (Adam).
        vf_lr: learning rate of the value function (Adam).
        train_pi_iters: gradient steps on (1) an epoch, at most.
        train_v_iters: gradient steps on (3) an epoch.
        lam: lambda of GAE, 0 to 1.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier; None: never.
        target_kl: policy steps stop once (2) exceeds 1.5 times this; None never stops.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        num_envs: environments stepped together; must divide ``steps_per_epoch``.
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
    config = check_hyperparameters(locals(), ppo)
    device = training.start(seed, device, threads)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    learner = Learner(ac, training.Adam(pi_lr, ac.pi), training.Adam(vf_lr, ac.v))
    buffer = RolloutBuffer(gamma, lam)
    constants = dict(clip_ratio=clip_ratio, target_kl=target_kl)
    iterations = dict(train_pi_iters=train_pi_iters, train_v_iters=train_v_iters)

    run = Run(config, COLUMNS, envs)
    learner = run.restore(learner)
    for _ in run.epochs():
        # collect one epoch of experience with the present policy
        for _ in run.steps():
            o = envs.o
            a = learner.ac.act(o)
            step = envs.step(a)
            buffer.store(o, a, step)
            run.store(EpRet=step.ep_ret, EpLen=step.ep_len)

        # learn from all of it at once, then throw it away
        rollout = buffer.finish(partial(core.evaluate, learner.ac.v))
        learner, log = update(learner, training.to_tensors(rollout, device), **constants, **iterations)
        run.store(VVals=rollout.v, **log)
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.pytorch.ppo --env ENV
