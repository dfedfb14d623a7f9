"""The policy gradient with rewards-to-go and a baseline, in JAX.

    grad J(theta) = E[ sum_t grad log pi(a_t|s_t) (R_t - V(s_t)) ],    V(s_t) ~ E[R_t | s_t]

In words: an action is judged by how much better things went than expected. In expectation, a baseline that depends on
the state alone changes nothing, but the gradient is less noisy. `diff 2_rtg_pg.py 3_baseline_pg.py`:

    python 3_baseline_pg.py --env_name CartPole-v1 --render
"""

import argparse
from functools import partial
from itertools import pairwise

import gymnasium as gym
import jax
import jax.numpy as jnp
import numpy as np
import optax
from gymnasium.spaces import Box, Discrete


def init_mlp(key, sizes):
    """Parameters of a network with layers of these sizes, such as [4, 32, 2]."""
    layers = list(zip(jax.random.split(key, len(sizes) - 1), pairwise(sizes)))
    return [(jax.random.normal(k, (n_in, n_out)) / n_in**0.5, jnp.zeros(n_out)) for k, (n_in, n_out) in layers]


def mlp(params, x):
    """What the network makes of x."""
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b  # no activation after the last layer: logits may be any numbers


def get_policy(params, obs):
    """log pi(.|s): the network gives a logit for each action, and softmax makes them probabilities."""
    return jax.nn.log_softmax(mlp(params, obs))


@jax.jit
def get_action(params, obs, key):
    """a ~ pi(.|s). We sample, to explore: the likeliest action alone would never find out about the others."""
    return jax.random.categorical(key, get_policy(params, obs))


def compute_loss(params, obs, act, weights, mask):
    """A "loss" only in that its gradient, at the policy that collected the data, is minus the policy gradient.

    Its value says nothing: it may well rise as the agent gets better. Watch the return instead. And why the mean over
    all steps, when the equation sums over each episode? The two differ by a positive factor, which lr absorbs.
    """
    logp = jnp.take_along_axis(get_policy(params, obs), act[:, None], axis=1).squeeze(1)
    return -(logp * weights).mean(where=mask)


@jax.jit
def get_value(value_params, obs):
    """V(s), the return to expect from here on."""
    return mlp(value_params, obs).squeeze(-1)  # [B, 1] -> [B]: otherwise, [B, 1] minus [B] would silently make [B, B]


def compute_value_loss(value_params, obs, rtgs, mask):
    """An honest loss, for once: V is fitted to numbers that do not depend on it, and lower is better."""
    return ((get_value(value_params, obs) - rtgs) ** 2).mean(where=mask)


@partial(jax.jit, static_argnames=("loss_function", "optimizer"))
def minimize(loss_function, params, opt_state, optimizer, *batch):
    """One gradient step, compiled."""
    loss, grads = jax.value_and_grad(loss_function)(params, *batch)
    updates, opt_state = optimizer.update(grads, opt_state)
    return optax.apply_updates(params, updates), opt_state, loss


def pad(rows):
    """Rows up to the next full thousand. jit compiles anew for each length that it meets, and no two epochs are of one
    length; now they nearly all are. What fills the new rows does not matter, because there the mask is False."""
    return np.resize(rows, (len(rows) // 1000 * 1000 + 1000, *np.shape(rows)[1:]))


def reward_to_go(rews):
    """R_t for each step t of an episode: summed from the end, each is one addition."""
    to_go, rtgs = 0.0, []  # 0.0 and a list: np.zeros_like(rews) would hold integers where rewards are integers
    for rew in reversed(rews):
        to_go += rew
        rtgs.append(to_go)
    return rtgs[::-1]


def train_one_epoch(env, shown_env, learned, optimizer, batch_size, key):
    """Collect a batch of whole episodes with the present policy, and learn from it once."""
    params, opt_state, value_params, value_opt_state = learned
    batch_obs, batch_acts, batch_weights = [], [], []  # what to learn from, one entry for each step
    batch_rets, batch_lens = [], []  # what to print, one entry for each episode

    playing, ep_rews = shown_env, []  # of each epoch, we watch the first episode
    obs, _ = playing.reset()
    while True:
        batch_obs.append(obs.copy())  # a copy, because some environments write each observation into the same array
        act = int(get_action(params, obs, jax.random.fold_in(key, len(batch_obs))))
        obs, rew, terminated, truncated, _ = playing.step(act)
        batch_acts.append(act)
        ep_rews.append(rew)

        if terminated or truncated:  # the pole fell, or time is up: either way, the episode is over
            ep_ret, ep_len = sum(ep_rews), len(ep_rews)
            batch_rets.append(ep_ret)
            batch_lens.append(ep_len)

            # the weight of each log pi(a_t|s_t) is R_t, the sum of the rewards from step t on
            batch_weights += reward_to_go(ep_rews)

            # R(tau) is known only at the end of an episode, so this is the one place to stop
            if len(batch_obs) > batch_size:
                break
            playing, ep_rews = env, []
            obs, _ = playing.reset()

    obs, acts, rtgs = pad(batch_obs), pad(batch_acts), pad(batch_weights)
    mask = np.arange(len(rtgs)) < len(batch_weights)

    # One step, then the data is stale: it came from a policy that no longer exists. V is a constant here, and it has
    # not seen this data yet: a V fitted to these very returns would explain away a part of what the actions did.
    adv = rtgs - get_value(value_params, obs)
    params, opt_state, loss = minimize(compute_loss, params, opt_state, optimizer, obs, acts, adv, mask)

    # Many steps, since this is plain regression on fixed targets.
    for _ in range(80):
        value_params, value_opt_state, _ = minimize(
            compute_value_loss, value_params, value_opt_state, optimizer, obs, rtgs, mask
        )
    learned = params, opt_state, value_params, value_opt_state
    return learned, loss, np.mean(batch_rets), np.mean(batch_lens)


def train(env_name="CartPole-v1", hidden_sizes=(32,), lr=1e-2, epochs=50, batch_size=5000, render=False, seed=0):
    """Learn for some epochs of at least batch_size steps each."""
    env = gym.make(env_name)
    if not (isinstance(env.observation_space, Box) and isinstance(env.action_space, Discrete)):
        raise SystemExit(f"{env_name} is out of reach here: observations must be vectors, and actions discrete.")
    shown_env = gym.make(env_name, render_mode="human") if render else env

    for one in (env, shown_env):
        one.reset(seed=seed)  # seeds all later resets, too
    init_key, act_key = jax.random.split(jax.random.key(seed))
    params = init_mlp(init_key, [env.observation_space.shape[0], *hidden_sizes, int(env.action_space.n)])
    value_params = init_mlp(jax.random.fold_in(init_key, 1), [env.observation_space.shape[0], *hidden_sizes, 1])
    optimizer = optax.adam(lr)
    learned = params, optimizer.init(params), value_params, optimizer.init(value_params)

    for epoch in range(epochs):
        key = jax.random.fold_in(act_key, epoch)
        learned, loss, ret, length = train_one_epoch(env, shown_env, learned, optimizer, batch_size, key)
        print(f"epoch {epoch:3}   loss {loss:8.3f}   return {ret:8.3f}   ep_len {length:8.3f}", flush=True)
    return learned


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--env_name", default="CartPole-v1")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    try:
        train(**vars(parser.parse_args()))
    except gym.error.Error as problem:  # such as a misspelt environment
        raise SystemExit(problem) from None
