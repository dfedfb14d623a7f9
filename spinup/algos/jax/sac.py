"""Soft Actor-Critic (SAC).  Haarnoja et al. 2018, arXiv:1801.01290; with learned temperature, arXiv:1812.05905.

    y       = r + gamma (1 - d) (min_i Q_targ,i(o2, a2) - alpha log pi(a2|o2)),  a2 ~ pi(.|o2)     (1) soft target
    L_Q     = sum_i E[(Q_i(o, a) - y)^2]                                                           (2) critic loss
    L_pi    = E[alpha log pi(a'|o) - min_i Q_i(o, a')],  a' ~ pi(.|o)                              (3) actor loss
    L_alpha = -E[log_alpha (log pi(a'|o) + target_entropy)]                                        (4) temperature loss
    theta_targ <- polyak theta_targ + (1 - polyak) theta                                           after every step

o: observation, a: action, r: reward, o2: next observation, d: terminated, theta: the parameters of Q_1 and Q_2.
Actions are sampled as a function of the parameters and of Gaussian noise eps, so that (3) can be differentiated
through them. (4) only where alpha is learned. Expectations are over minibatches from the replay buffer.
"""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from spinup.algos.jax import core
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.evaluation import test_agent
from spinup.experience.vector_env import VectorEnv
from spinup.hyperparameters import check_hyperparameters
from spinup.records.logger import EpochLogger

# ---- equations: pure; the first argument is what gets differentiated ----


def td_target(pi, q_targ, batch, eps, gamma, alpha):  # (1)  [B]; q_targ gives [2, B]
    a2, logp = pi(batch.o2, eps)
    return batch.r + gamma * (1 - batch.d) * (q_targ(batch.o2, a2).min(0) - alpha * logp)


def q_loss(q, batch, y):  # (2)  returns the loss and, for the log, the values [2, B]
    q_vals = q(batch.o, batch.a)
    return ((q_vals - y) ** 2).mean(-1).sum(), q_vals


def pi_loss(pi, q, batch, eps, alpha):  # (3)  returns the loss and log pi [B]
    a, logp = pi(batch.o, eps)
    return (alpha * logp - q(batch.o, a).min(0)).mean(), logp


def alpha_loss(log_alpha, logp, target_entropy):  # (4)  logp: [B], not differentiated
    return -(log_alpha * (logp + target_entropy)).mean()


# ---- temperature ----


def temperature(alpha, lr):
    """``log_alpha``, and its optimiser if ``alpha`` is 'auto'; it then starts at 1."""
    log_alpha = jnp.log(jnp.float32(1 if alpha == "auto" else alpha))
    return log_alpha, core.Adam.create(lr, log_alpha) if alpha == "auto" else None


# ---- one update phase: K gradient steps on minibatches with leaves [K, B, ...], compiled ----


@partial(jax.jit, donate_argnums=(0, 1))
def update(ac, state, batches, noise, *, gamma, polyak, target_entropy):
    """Improve ``ac``, and move ``state`` (targets, log_alpha, optimisers of each); returns both and what to log.

    ``noise`` is ``[K, 2, B, act_dim]``.
    """

    def step(learner, x):
        (ac, (q_targ, log_alpha, pi_optimizer, q_optimizer, alpha_optimizer)), (batch, eps) = learner, x
        alpha = jnp.exp(log_alpha)
        y = td_target(ac.pi, q_targ, batch, eps[0], gamma, alpha)
        q, q_optimizer, (loss_q, (q1_val, q2_val)) = core.minimize(q_optimizer, q_loss, ac.q, batch, y, has_aux=True)
        pi, pi_optimizer, (loss_pi, logp) = core.minimize(
            pi_optimizer, pi_loss, ac.pi, q, batch, eps[1], alpha, has_aux=True
        )
        if alpha_optimizer:
            log_alpha, alpha_optimizer, _ = core.minimize(alpha_optimizer, alpha_loss, log_alpha, logp, target_entropy)

        ac, q_targ = ac.replace(pi=pi, q=q), core.polyak_update(q_targ, q, polyak)
        state = q_targ, log_alpha, pi_optimizer, q_optimizer, alpha_optimizer
        return (ac, state), dict(Q1Vals=q1_val, Q2Vals=q2_val, LogPi=logp, LossPi=loss_pi, LossQ=loss_q, Alpha=alpha)

    return jax.lax.scan(step, (ac, state), (batches, noise))


def sac(
    env_fn,
    actor_critic=core.SACActorCritic.create,
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
    device="cpu",
    target_entropy=None,
    snapshots=False,
    resume=False,
):
    """Train by Soft Actor-Critic, with a fixed or a learned temperature.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment with bounded continuous actions.
        actor_critic: builds an agent as ``actor_critic(observation_space, action_space, **ac_kwargs)``, of a class made
            by ``core.pytree()`` whose parts are such classes or arrays, with
            ``pi(obs, eps)`` -> (actions ``[B, act_dim]``, log-densities ``[B]``),
            ``q(obs, act)`` -> values ``[2, B]``, and
            ``act(obs, deterministic=False)``, NumPy observations -> NumPy actions.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation`` (of ``jax.nn``).
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
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        num_envs: environments stepped side by side; must divide ``steps_per_epoch`` and ``update_every``.
        device: 'cpu', 'cuda' (or another platform that JAX knows, such as 'tpu'), or 'auto'.
        target_entropy: in nats, of actions in units of half their range; None is minus the number of dimensions.
        snapshots: keep every save, as ``jax_save/model<epoch>.safetensors``, beside the last.
        resume: go on from the last checkpoint of the run in the output directory, if there is one.

    Returns:
        The trained actor-critic.

    Raises:
        UserError: for hyperparameters out of range, an environment that cannot be used, or an output directory that
            already holds a run, unless it is resumed.
    """
    config = check_hyperparameters(locals(), sac)
    core.start(seed, device)
    rng = np.random.default_rng(seed)
    envs, test_envs = (VectorEnv(env_fn, n, seed, max_ep_len) for n in (num_envs, num_test_episodes))
    ac = core.build(actor_critic, envs, ac_kwargs)
    log_alpha, alpha_optimizer = temperature(alpha, lr)
    state = core.target_of(ac.q), log_alpha, core.Adam.create(lr, ac.pi), core.Adam.create(lr, ac.q), alpha_optimizer
    target_entropy = -envs.action_space.shape[0] if target_entropy is None else target_entropy
    buffer = ReplayBuffer(envs.observation_space, envs.action_space, replay_size)
    logger = EpochLogger(resume=resume, **(logger_kwargs or {}))
    logger.save_config(config)
    logger.save_env(env_fn)
    logger.setup_jax_saver(lambda: ac)

    checkpoint = core.Checkpoint(logger, lambda: (ac, state), envs, buffer, rng)
    (ac, state), first, o, start_time = checkpoint.begin()
    for epoch in range(first, epochs):
        for steps in logger.progress(epoch, epochs, steps_per_epoch, num_envs):
            a = envs.sample_actions() if steps < start_steps else ac.act(o)
            step = envs.step(a)
            buffer.store(o, a, step)
            logger.store(EpRet=step.ep_ret, EpLen=step.ep_len)
            o, steps = step.o, steps + num_envs

            if steps >= update_after and steps % update_every == 0:
                batches = buffer.sample(update_every, batch_size, rng)
                noise = rng.standard_normal((update_every, 2, *batches.a.shape[1:]), np.float32)
                constants = dict(gamma=gamma, polyak=polyak, target_entropy=target_entropy)
                (ac, state), log = update(ac, state, batches, noise, **constants)
                logger.store(**log)

        logger.store(**test_agent(ac, test_envs, seed=[seed, epoch + 1]))
        logger.log_tabular("Epoch", epoch)
        for key in ("EpRet", "TestEpRet"):
            logger.log_tabular(key, with_min_and_max=True)
        for key in ("EpLen", "TestEpLen"):
            logger.log_tabular(key, average_only=True)
        logger.log_tabular("TotalEnvInteracts", (epoch + 1) * steps_per_epoch)
        for key in ("Q1Vals", "Q2Vals", "LogPi"):
            logger.log_tabular(key, with_min_and_max=True)
        for key in ("LossPi", "LossQ", "Alpha"):
            logger.log_tabular(key, average_only=True)
        logger.log_tabular("Time", time.time() - start_time)
        logger.dump_tabular()
        if epoch % save_freq == 0 or epoch == epochs - 1:
            logger.save_state({}, epoch if snapshots else None)
            checkpoint.save(epoch)
    envs.close()
    test_envs.close()
    return ac
