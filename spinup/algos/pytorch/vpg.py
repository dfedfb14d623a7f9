"""Vanilla Policy Gradient (VPG).  Sutton et al. 2000; with GAE, Schulman et al. 2016, arXiv:1506.02438.

    L_pi = -E[log pi(a|o) adv]                                                          (1) policy loss
    L_V  = E[(V(o) - ret)^2]                                                            (2) value loss

o: observation, a: action, adv: advantage by GAE-lambda, normalised, ret: reward-to-go.
Expectations are over all steps of the epoch. The value of (1) means nothing; only its gradient, at the policy that
collected the data, is the policy gradient: hence one step an epoch.
"""

import time
from functools import partial

import torch

from spinup.algos.pytorch import core
from spinup.experience.buffers import RolloutBuffer
from spinup.experience.vector_env import VectorEnv
from spinup.hyperparameters import check_hyperparameters
from spinup.records.logger import EpochLogger

# ---- equations: pure; the first argument is what gets differentiated ----


def policy_loss(logp, adv):  # (1)  [B], [B]
    return -(logp * adv).mean()


def value_loss(v, ret):  # (2)  [B], [B]
    return ((v - ret) ** 2).mean()


# ---- one update phase: one policy step, then full-batch value steps, on one epoch ----


def update(ac, pi_optimizer, v_optimizer, batch, *, train_v_iters):
    """Improve ``ac`` on ``batch`` (a ``Rollout`` of tensors); returns what the logger stores."""
    logp_old = ac.pi(batch.o, batch.a)[1]
    loss_pi_old = policy_loss(logp_old, batch.adv)
    core.minimize(pi_optimizer, loss_pi_old)
    for _ in range(train_v_iters):
        core.minimize(v_optimizer, value_loss(ac.v(batch.o), batch.ret))

    with torch.no_grad():
        pi, logp = ac.pi(batch.o, batch.a)
        loss_pi = policy_loss(logp, batch.adv)
        loss_v_old, loss_v = value_loss(batch.v, batch.ret), value_loss(ac.v(batch.o), batch.ret)
        return dict(
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
    device="cpu",
    snapshots=False,
    resume=False,
):
    """Train by Vanilla Policy Gradient, with advantages by GAE-lambda.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment.
        actor_critic: builds an ``nn.Module`` as ``actor_critic(observation_space, action_space, **ac_kwargs)``, with
            ``pi(obs, act=None)`` -> (distribution over actions, log-probabilities ``[B]`` of ``act`` or None),
            ``v(obs)`` -> values ``[B]``, and ``act(obs, deterministic=False)``, NumPy observations -> NumPy
            actions ``[B, act_dim]``.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation``.
        seed: int >= 0, for the environments and every random number.
        steps_per_epoch: environment steps an epoch, counted over all environments.
        epochs: number of epochs, each one policy update.
        gamma: discount factor, 0 to 1.
        pi_lr: learning rate of the policy (Adam).
        vf_lr: learning rate of the value function (Adam).
        train_v_iters: gradient steps on (2) an epoch.
        lam: lambda of GAE, 0 to 1.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        num_envs: environments stepped side by side; must divide ``steps_per_epoch``.
        device: 'cpu', 'cuda', or 'auto'.
        snapshots: keep every save, as ``pyt_save/model<epoch>.pt``, beside the last.
        resume: go on from the last checkpoint of the run in the output directory, if there is one.

    Returns:
        The trained actor-critic.

    Raises:
        UserError: for hyperparameters out of range, an environment that cannot be used, or an output directory that
            already holds a run, unless it is resumed.
    """
    config = check_hyperparameters(locals(), vpg)
    device = core.start(seed, device)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len)
    ac = core.build(actor_critic, envs, ac_kwargs, device)
    pi_optimizer, v_optimizer = core.Adam(pi_lr, ac.pi.parameters()), core.Adam(vf_lr, ac.v.parameters())
    buffer = RolloutBuffer(gamma, lam)
    logger = EpochLogger(resume=resume, **(logger_kwargs or {}))
    logger.save_config(config)
    logger.save_env(env_fn)
    logger.setup_pytorch_saver(ac)

    checkpoint = core.Checkpoint(logger, (ac, pi_optimizer, v_optimizer), envs)
    first, o, start_time = checkpoint.begin()
    for epoch in range(first, epochs):
        for _ in logger.progress(epoch, epochs, steps_per_epoch, num_envs):
            a = ac.act(o)
            step = envs.step(a)
            buffer.store(o, a, step)
            logger.store(EpRet=step.ep_ret, EpLen=step.ep_len)
            o = step.o

        batch = buffer.finish(partial(core.evaluate, ac.v))
        stats = update(ac, pi_optimizer, v_optimizer, core.to_tensors(batch, device), train_v_iters=train_v_iters)
        logger.store(VVals=batch.v, **stats)
        logger.log_tabular("Epoch", epoch)
        logger.log_tabular("EpRet", with_min_and_max=True)
        logger.log_tabular("EpLen", average_only=True)
        logger.log_tabular("VVals", with_min_and_max=True)
        logger.log_tabular("TotalEnvInteracts", (epoch + 1) * steps_per_epoch)
        for key in stats:
            logger.log_tabular(key, average_only=True)
        logger.log_tabular("Time", time.time() - start_time)
        logger.dump_tabular()
        if epoch % save_freq == 0 or epoch == epochs - 1:
            logger.save_state({}, epoch if snapshots else None)
            checkpoint.save(epoch)
    envs.close()
    return ac
