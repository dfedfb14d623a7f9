"""Vanilla Policy Gradient (VPG).  Sutton et al. 2000; with GAE, Schulman et al. 2016, arXiv:1506.02438.

    L_pi = -E[log pi(a|o) adv]                                                          (1) policy loss
    L_V  = E[(V(o) - ret)^2]                                                            (2) value loss

o: observation, a: action, adv: advantage by GAE-lambda, normalised, ret: reward-to-go.
Expectations are over all steps of the epoch. The value of (1) means nothing; only its gradient, at the policy that
collected the data, is the policy gradient: hence one step an epoch.
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

COLUMNS = (
    "EpRet* EpLen VVals* TotalEnvInteracts LossPi LossV DeltaLossPi DeltaLossV Entropy KL"  # *: also std, max, min
)
AGENT = "pi(o, a) -> distribution, [B]; v(o) -> [B]"  # what an agent must have, see experience/agents.py

# ---- equations: pure; the first argument is what gets differentiated ----


def policy_loss(logp, adv):  # (1)  [B], [B]
    return -(logp * adv).mean()


def value_loss(v, ret):  # (2)  [B], [B]
    return ((v - ret) ** 2).mean()


# ---- one update phase: one policy step, then full-batch value steps, on one epoch ----


class Learner(NamedTuple):  # all that changes as VPG learns
    ac: nn.Module
    pi_optimizer: training.Adam
    v_optimizer: training.Adam


def update(learner, batch, *, train_v_iters):
    """Improve ``learner`` in place on ``batch`` (a ``Rollout`` of tensors); returns it, and what to log."""
    ac, pi_optimizer, v_optimizer = learner
    ac.train()  # for agents with dropout or batch normalisation

    # take one gradient step that makes good actions more likely
    logp_old = ac.pi(batch.o, batch.a)[1]
    loss_pi_old = policy_loss(logp_old, batch.adv)
    training.minimize(pi_optimizer, loss_pi_old)

    # fit the value function to the rewards-to-go
    for _ in range(train_v_iters):
        training.minimize(v_optimizer, value_loss(ac.v(batch.o), batch.ret))
    ac.eval()

    # report what changed
    with torch.no_grad():
        pi, logp = ac.pi(batch.o, batch.a)
        loss_pi = policy_loss(logp, batch.adv)
        loss_v_old, loss_v = value_loss(batch.v, batch.ret), value_loss(ac.v(batch.o), batch.ret)
    return learner, dict(
        LossPi=loss_pi_old.item(),
        LossV=loss_v_old.item(),
        DeltaLossPi=(loss_pi - loss_pi_old).item(),
        DeltaLossV=(loss_v - loss_v_old).item(),
        Entropy=pi.entropy().mean().item(),
        KL=(logp_old - logp).mean().item(),
    )


def vpg(
    env_fn,
    actor_critic=core.MLPActorCritic,
    ac_kwargs=None,
    seed=0,
    steps_per_epoch=4000,
    epochs=50,
    gamma=0.99,
    pi_lr=3e-4,
    vf_lr=1e-3,
    train_v_iters=80,
    lam=0.97,
    max_ep_len=1000,
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
    """Train by Vanilla Policy Gradient, with advantages by GAE-lambda.

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
        pi_lr: learning rate of the policy (Adam).
        vf_lr: learning rate of the value function (Adam).
        train_v_iters: gradient steps on (2) an epoch.
        lam: lambda of GAE, 0 to 1.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier; None: never.
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
    config = check_hyperparameters(locals(), vpg)
    device = training.start(seed, device, threads)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    learner = Learner(ac, training.Adam(pi_lr, ac.pi), training.Adam(vf_lr, ac.v))
    buffer = RolloutBuffer(gamma, lam)

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
        learner, log = update(learner, training.to_tensors(rollout, device), train_v_iters=train_v_iters)
        run.store(VVals=rollout.v, **log)
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.pytorch.vpg --env ENV
