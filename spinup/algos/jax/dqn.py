"""Deep Q-Networks (DQN).  Mnih et al. 2015, doi:10.1038/nature14236.
With ``double_q`` Double DQN: van Hasselt et al. 2016, arXiv:1509.06461.

    a2  = argmax_a Q(o2, a)         (double_q; otherwise the argmax of Q_targ)
    y   = r + gamma (1 - d) Q_targ(o2, a2)                           (1) target
    L_Q = E[h(Q(o, a) - y)],  h: squared error or Huber              (2) loss
    a   = a random action with probability epsilon, else argmax_a Q(o, a)    (3) exploration
    epsilon(t) = epsilon + (epsilon_start - epsilon) max(0, 1 - t / epsilon_steps)    (4) its schedule
    theta_targ <- polyak theta_targ + (1 - polyak) theta                 after every step: training.polyak_update

o: observation, a: action, r: reward, o2: next observation, d: terminated, theta: the parameters of Q.
t: environment steps taken so far. Expectations are over minibatches from the replay buffer. The target network follows
slowly at every step, where the paper copies it every 10,000 gradient steps.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from spinup.algos.jax import core, training
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.evaluation import test_agent
from spinup.experience.vector_env import VectorEnv
from spinup.hyperparameters import check_hyperparameters
from spinup.records.run import Run

# the columns of progress.txt; *: average, standard deviation, maximum and minimum
COLUMNS = "EpRet* TestEpRet* EpLen TestEpLen TotalEnvInteracts QVals* LossQ"
AGENT = "q(o) -> [B, n]"  # what an agent must have, see experience/agents.py

# ---- equations: pure; the first argument is what gets differentiated ----


def td_target(q_targ, q, batch, gamma, double_q):  # (1)  [B]
    values = q_targ(batch.o2)
    a2 = (q(batch.o2) if double_q else values).argmax(-1)
    return batch.r + gamma * (1 - batch.d) * pick(values, a2)


def q_loss(q, batch, y, loss):  # (2)  returns the loss and, for the log, the values [B]
    q_val = pick(q(batch.o), batch.a)
    return (optax.huber_loss if loss == "huber" else optax.squared_error)(q_val, y).mean(), q_val


def pick(values, a):
    """The values ``[B]`` of the actions ``a`` ``[B]`` among ``values`` ``[B, number of actions]``."""
    return jnp.take_along_axis(values, a[:, None], -1).squeeze(-1)


# ---- exploration ----


def explore(a, random, u, epsilon):  # (3)
    """Replace actions ``a`` by ``random`` ones where ``u``, uniform on [0, 1], is below ``epsilon``; all ``[N]``."""
    return np.where(u < epsilon, random, a)


def epsilon_at(steps, epsilon_start, epsilon, epsilon_steps):  # (4)
    """The probability of a random action, which falls linearly over ``epsilon_steps`` and then stays."""
    return epsilon + (epsilon_start - epsilon) * max(0.0, 1 - steps / max(1, epsilon_steps))


# ---- one update phase: K gradient steps on minibatches with leaves [K, B, ...], compiled ----


class Learner(NamedTuple):  # all that changes as DQN learns
    ac: core.DQNAgent
    targ: core.DQNAgent
    q_optimizer: training.Adam


@partial(jax.jit, donate_argnums=0, static_argnames=("double_q", "loss"))
def update(learner, batches, *, gamma, polyak, double_q, loss):
    """The ``learner`` improved on ``batches``, and what to log of each step; the old one's memory is reused."""

    def step(learner, batch):
        ac, targ, q_optimizer = learner
        # move the values of the actions taken towards the target
        y = td_target(targ.q, ac.q, batch, gamma, double_q)
        q, q_optimizer, (loss_q, q_val) = training.minimize(q_optimizer, q_loss, ac.q, batch, y, loss, has_aux=True)

        # let the target network follow slowly
        ac = ac.replace(q=q)
        return Learner(ac, training.polyak_update(targ, ac, polyak), q_optimizer), dict(QVals=q_val, LossQ=loss_q)

    return jax.lax.scan(step, learner, batches)


def dqn(
    env_fn,
    actor_critic=core.DQNAgent.create,
    ac_kwargs=None,
    seed=0,
    steps_per_epoch=4000,
    epochs=100,
    replay_size=int(1e6),
    gamma=0.99,
    polyak=0.995,
    q_lr=3e-4,
    batch_size=100,
    update_after=1000,
    update_every=50,
    epsilon=0.05,
    epsilon_start=1.0,
    epsilon_steps=20000,
    double_q=True,
    loss="squared",
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
    """Train by Deep Q-Learning, with double Q-learning unless told otherwise.

    Args:
        env_fn: function that builds one copy of a Gymnasium environment with discrete actions, or its name.
        actor_critic: builds an agent as ``actor_critic(observation_space, action_space, **ac_kwargs)``, of a class made
            by ``core.pytree()`` whose parts are such classes or arrays, with
            ``q(obs)`` -> values ``[B, number of actions]``, and
            ``act(obs, deterministic=False)``, one NumPy observation or a batch -> NumPy actions, the greedy ones.
        ac_kwargs: keyword arguments for ``actor_critic``: ``hidden_sizes``, ``activation`` (of ``jax.nn``).
        seed: int >= 0, for the environments and every random number.
        steps_per_epoch: environment steps an epoch, counted over all environments.
        epochs: number of epochs.
        replay_size: capacity of the replay buffer, in transitions.
        gamma: discount factor, 0 to 1.
        polyak: share of the target networks that stays at each step, 0 to 1, close to 1.
        q_lr: learning rate of the action-value function (Adam).
        batch_size: transitions in a minibatch.
        update_after: steps before the first gradient step, to fill the buffer.
        update_every: steps between two update phases, each of as many gradient steps: one for every environment step.
        epsilon: probability of a random action, once it has fallen.
        epsilon_start: the same at the beginning.
        epsilon_steps: steps over which it falls, linearly.
        double_q: let the online network choose the action that the target network values.
        loss: 'squared', or 'huber' (quadratic up to errors of 1, linear beyond: rare but large errors, such as those
            where an episode ends, then count for little).
        num_test_episodes: episodes, without exploration, that test the agent after each epoch.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier; None: never.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        num_envs: environments stepped together; must divide ``steps_per_epoch`` and ``update_every``.
        norm_obs: o, o2 <- (o - mean) / sqrt(var + 1e-8), running statistics; the returned agent takes o as it is.
        norm_reward: r <- r / sqrt(var + 1e-8), with the running variance of the discounted return; not in the log.
        device: 'cpu', 'cuda' (or another platform that JAX knows, such as 'tpu'), or 'auto'.
        threads: CPU threads of all operations (default: ``NPROC``; None: one for each core), for a process that has
            not used JAX before.
        snapshots: keep every save, as ``jax_save/model<epoch>.safetensors``, beside the last.
        resume: continue from the last checkpoint of the run in the output directory, if there is one.

    Returns:
        The trained actor-critic.

    Raises:
        UserError: for hyperparameters out of range, an environment that cannot be used, or an output directory that
            already holds a run, unless it is resumed.
    """
    config = check_hyperparameters(locals(), dqn)
    device = training.start(seed, device, threads)
    rng = np.random.default_rng(seed)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    test_envs = envs.for_tests(num_test_episodes)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    learner = Learner(ac, training.target_of(ac), training.Adam.create(q_lr, ac.q))
    buffer = ReplayBuffer(envs.observation_space, envs.action_space, replay_size)
    constants = dict(gamma=gamma, polyak=polyak, double_q=double_q, loss=loss)

    run = Run(config, COLUMNS, envs, buffer=buffer, rng=rng)
    learner = run.restore(learner)
    for epoch in run.epochs():
        for steps in run.steps():
            # act, less and less at random, and remember what came of it
            o = envs.o
            now = epsilon_at(steps, epsilon_start, epsilon, epsilon_steps)
            a = explore(learner.ac.act(o), envs.sample_actions(), rng.random(num_envs), now)
            step = envs.step(a)
            buffer.store(o, a, step)
            run.store(EpRet=step.ep_ret, EpLen=step.ep_len)

            # every update_every steps, as many gradient steps on minibatches of old and new experience
            steps += num_envs
            if steps >= update_after and steps % update_every == 0:
                batches = buffer.sample(update_every, batch_size, rng)
                learner, log = update(learner, batches, **constants)
                run.store(**log)

        # test the policy without exploration
        run.store(**test_agent(learner.ac, test_envs, seed=[seed, epoch + 1]))
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.jax.dqn --env ENV
