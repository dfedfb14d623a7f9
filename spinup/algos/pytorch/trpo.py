"""Trust Region Policy Optimization (TRPO).  Schulman et al. 2015, arXiv:1502.05477.
With ``algo='npg'`` Natural Policy Gradient (NPG): Kakade 2001, without the line search.

    L(theta) = E[w adv],  w = pi(a|o) / pi_old(a|o)                                     (1) surrogate advantage
    KL       = E[KL(pi_old(.|o) || pi(.|o))]                                            (2) mean divergence
    H x      = grad((grad KL) . x) + damping x                                          (3) Fisher-vector product
    x        ~ H^-1 g,  g = grad L                                                      (4) conjugate gradient
    step     = sqrt(2 delta / (x . H x)) x                                              (5) natural gradient step
    theta   <- theta + alpha^j step, the least j with KL <= delta and L not worse       (6) line search
    L_V      = E[(V(o) - ret)^2]                                                        (7) value loss

o: observation, a: action, adv: advantage by GAE-lambda, normalised, ret: reward-to-go, theta: parameters of pi,
alpha: backtrack_coeff. Expectations are over all steps of the epoch, collected with pi_old. At pi_old the Hessian of
(2) is the Fisher information matrix.
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.distributions import kl_divergence
from torch.nn.utils import parameters_to_vector

from spinup.algos.pytorch import core, training
from spinup.experience.buffers import RolloutBuffer
from spinup.experience.vector_env import VectorEnv
from spinup.hyperparameters import check_hyperparameters
from spinup.records.run import Run

# the columns of progress.txt; *: average, standard deviation, maximum and minimum
COLUMNS = "EpRet* EpLen VVals* TotalEnvInteracts LossPi LossV DeltaLossPi DeltaLossV Entropy KL BacktrackIters"
AGENT = "pi(o, a) -> distribution, [B]; v(o) -> [B]"  # what an agent must have, see experience/agents.py

# ---- equations: pure ----


def surrogate(logp, logp_old, adv):  # (1)  all [B]
    return (torch.exp(logp - logp_old) * adv).mean()


def mean_kl(pi, pi_old):  # (2)  distributions over a batch; KL(old || new), differentiated in the new one
    return kl_divergence(pi_old, pi).mean()


def hessian_vector_product(kl, params, x, damping_coeff):  # (3)  x: [number of parameters]
    grad_kl = _flat_grad(kl, params, create_graph=True)
    return _flat_grad(grad_kl @ x, params, retain_graph=True) + damping_coeff * x


def conjugate_gradient(hvp, g, cg_iters):  # (4)  solves hvp(x) = g; Nocedal & Wright, algorithm 5.2
    x, residual, direction = torch.zeros_like(g), g.clone(), g.clone()
    rr = gg = residual @ residual
    for _ in range(cg_iters):
        if rr <= 1e-10 * gg:  # solved: another step would divide 0 by 0
            break
        h_direction = hvp(direction)
        alpha = rr / (direction @ h_direction)
        x = x + alpha * direction
        residual = residual - alpha * h_direction
        rr_old, rr = rr, residual @ residual
        direction = residual + (rr / rr_old) * direction
    return x


def natural_step(x, hx, delta):  # (5)  x: [number of parameters], hx = H x
    return torch.sqrt(2 * delta / (x @ hx + 1e-8)) * x


def line_search(evaluate, theta, step, delta, backtrack_coeff, backtrack_iters):  # (6)
    """``evaluate(theta)`` -> (surrogate, KL). Returns the new theta (the old, if none will do) and the backtracks."""
    surrogate_old, _ = evaluate(theta)
    for j in range(backtrack_iters):
        theta_new = theta + backtrack_coeff**j * step
        surrogate_new, kl = evaluate(theta_new)
        if kl <= delta and surrogate_new >= surrogate_old:
            return theta_new, j
    return theta, backtrack_iters


def value_loss(v, ret):  # (7)  [B], [B]
    return ((v - ret) ** 2).mean()


def _flat_grad(y, params, **kwargs):
    """The gradient of ``y`` in all ``params``, as one vector."""
    return parameters_to_vector(torch.autograd.grad(y, params, materialize_grads=True, **kwargs))


# ---- one update phase: one step of the policy in its trust region, then full-batch value steps, on one epoch ----


class Learner(NamedTuple):  # all that changes as TRPO learns
    ac: nn.Module
    v_optimizer: training.Adam


def update(learner, batch, *, algo, delta, damping_coeff, cg_iters, backtrack_iters, backtrack_coeff, train_v_iters):
    """Improve ``learner`` in place on ``batch`` (a ``Rollout`` of tensors); returns it, and what to log."""
    ac, v_optimizer = learner
    params = list(core.module_of(ac.pi).parameters())
    theta_old = parameters_to_vector(params).detach()
    with torch.no_grad():
        pi_old, logp_old = ac.pi(batch.o, batch.a)

    # the gradient of the surrogate, and products with the Hessian of the divergence
    pi, logp = ac.pi(batch.o, batch.a)
    surrogate_old, kl = surrogate(logp, logp_old, batch.adv), mean_kl(pi, pi_old)
    g = training.average(_flat_grad(surrogate_old, params, retain_graph=True))

    def hvp(x):
        return training.average(hessian_vector_product(kl, params, x, damping_coeff))

    @torch.no_grad()
    def evaluate(theta):
        for p, values in zip(params, theta.split([p.numel() for p in params]), strict=True):
            p.copy_(values.view_as(p))  # vector_to_parameters would make the parameters views of theta
        pi, logp = ac.pi(batch.o, batch.a)
        return training.average(surrogate(logp, logp_old, batch.adv)), training.average(mean_kl(pi, pi_old))

    # take the natural gradient step, shortened until it is inside the trust region and no worse
    x = conjugate_gradient(hvp, g, cg_iters)
    step = natural_step(x, hvp(x), delta)
    theta, backtracks = theta_old + step, 0
    if algo == "trpo":
        theta, backtracks = line_search(evaluate, theta_old, step, delta, backtrack_coeff, backtrack_iters)
    surrogate_new, kl = evaluate(theta)

    # fit the value function to the rewards-to-go
    ac.train()  # for agents with dropout or batch normalisation, which above would blur the trust region
    for _ in range(train_v_iters):
        training.minimize(v_optimizer, value_loss(ac.v(batch.o), batch.ret))
    ac.eval()

    # report what changed
    with torch.no_grad():
        loss_v_old, loss_v = value_loss(batch.v, batch.ret), value_loss(ac.v(batch.o), batch.ret)
        entropy = ac.pi(batch.o)[0].entropy().mean()
    return learner, dict(
        LossPi=-surrogate_old.item(),
        LossV=loss_v_old.item(),
        DeltaLossPi=(surrogate_old - surrogate_new).item(),
        DeltaLossV=(loss_v - loss_v_old).item(),
        Entropy=entropy.item(),
        KL=kl.item(),
        BacktrackIters=backtracks,
    )


def trpo(
    env_fn,
    actor_critic=core.MLPActorCritic,
    ac_kwargs=None,
    seed=0,
    steps_per_epoch=4000,
    epochs=50,
    gamma=0.99,
    delta=0.01,
    vf_lr=1e-3,
    train_v_iters=80,
    damping_coeff=0.1,
    cg_iters=10,
    backtrack_iters=10,
    backtrack_coeff=0.8,
    lam=0.97,
    max_ep_len=1000,
    logger_kwargs=None,
    save_freq=10,
    algo="trpo",
    *,
    num_envs=4,
    norm_obs=False,
    norm_reward=False,
    device="cpu",
    threads=training.THREADS,
    snapshots=False,
    resume=False,
):
    """Train by Trust Region Policy Optimization, or Natural Policy Gradient.

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
        delta: the largest mean KL divergence (2), in nats, a policy update may have.
        vf_lr: learning rate of the value function (Adam).
        train_v_iters: gradient steps on (7) an epoch.
        damping_coeff: multiple of the identity added to the Fisher matrix (3), for numerical stability.
        cg_iters: iterations of (4), at most.
        backtrack_iters: steps tried by (6), at most; if none will do, the policy stays.
        backtrack_coeff: factor between two tries of (6).
        lam: lambda of GAE, 0 to 1.
        max_ep_len: steps after which an episode is truncated, unless the environment does so earlier; None: never.
        logger_kwargs: keyword arguments for :class:`~spinup.records.logger.EpochLogger`.
        save_freq: epochs between two saves of the agent; the last epoch is always saved.
        algo: 'trpo', or 'npg' to take the whole natural gradient step unsearched.
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
    config = check_hyperparameters(locals(), trpo)
    device = training.start(seed, device, threads)
    envs = VectorEnv(env_fn, num_envs, seed, max_ep_len, norm_obs, norm_reward, gamma)
    ac = training.build(actor_critic, envs, ac_kwargs, device, AGENT)
    learner = Learner(ac, training.Adam(vf_lr, ac.v))
    buffer = RolloutBuffer(gamma, lam)
    constants = dict(algo=algo, delta=delta, damping_coeff=damping_coeff, cg_iters=cg_iters)
    constants |= dict(backtrack_iters=backtrack_iters, backtrack_coeff=backtrack_coeff, train_v_iters=train_v_iters)

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
        learner, log = update(learner, training.to_tensors(rollout, device), **constants)
        run.store(VVals=rollout.v, **log)
        run.end_epoch(learner)
    return run.finished(learner.ac)


if __name__ == "__main__":
    training.run_as_command(__file__)  # python -m spinup.algos.pytorch.trpo --env ENV
