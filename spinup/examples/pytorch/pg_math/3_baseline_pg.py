"""The policy gradient with rewards-to-go and a baseline.

    grad J(theta) = E[ sum_t grad log pi(a_t|s_t) (R_t - V(s_t)) ],    V(s_t) ~ E[R_t | s_t]

In words: an action is judged by how much better things went than expected. In expectation, a baseline that depends on
the state alone changes nothing, but the gradient is less noisy. `diff 2_rtg_pg.py 3_baseline_pg.py`:

    python 3_baseline_pg.py --env_name CartPole-v1 --render
"""

import argparse
from itertools import pairwise

import gymnasium as gym
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import nn
from torch.distributions import Categorical


def mlp(sizes, activation=nn.Tanh):
    """A network with layers of these sizes, such as [4, 32, 2]."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])  # no activation after the last layer: logits may be any numbers


def get_policy(logits_net, obs):
    """pi(.|s): the network gives a logit for each action, and softmax makes them probabilities."""
    return Categorical(logits=logits_net(obs))


def get_action(logits_net, obs):
    """a ~ pi(.|s). We sample, to explore: the likeliest action alone would never find out about the others."""
    with torch.no_grad():
        return get_policy(logits_net, obs).sample().item()


def compute_loss(logits_net, obs, act, weights):
    """A "loss" only in that its gradient, at the policy that collected the data, is minus the policy gradient.

    Its value says nothing: it may well rise as the agent gets better. Watch the return instead. And why the mean over
    all steps, when the equation sums over each episode? The two differ by a positive factor, which lr absorbs.
    """
    logp = get_policy(logits_net, obs).log_prob(act)
    return -(logp * weights).mean()


def get_value(value_net, obs):
    """V(s), the return to expect from here on."""
    return value_net(obs).squeeze(-1)  # [B, 1] -> [B]: otherwise, [B, 1] minus [B] would silently make [B, B]


def compute_value_loss(value_net, obs, rtgs):
    """An honest loss, for once: V is fitted to numbers that do not depend on it, and lower is better."""
    return ((get_value(value_net, obs) - rtgs) ** 2).mean()


def reward_to_go(rews):
    """R_t for each step t of an episode: summed from the end, each is one addition."""
    to_go, rtgs = 0.0, []  # 0.0 and a list: np.zeros_like(rews) would hold integers where rewards are integers
    for rew in reversed(rews):
        to_go += rew
        rtgs.append(to_go)
    return rtgs[::-1]


def train_one_epoch(env, shown_env, logits_net, optimizer, value_net, value_optimizer, batch_size):
    """Collect a batch of whole episodes with the present policy, and learn from it once."""
    batch_obs, batch_acts, batch_weights = [], [], []  # what to learn from, one entry for each step
    batch_rets, batch_lens = [], []  # what to print, one entry for each episode

    playing, ep_rews = shown_env, []  # of each epoch, we watch the first episode
    obs, _ = playing.reset()
    while True:
        batch_obs.append(obs.copy())  # a copy, because some environments write each observation into the same array
        act = get_action(logits_net, torch.as_tensor(obs, dtype=torch.float32))
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

    obs = torch.as_tensor(np.array(batch_obs), dtype=torch.float32)
    rtgs = torch.as_tensor(batch_weights, dtype=torch.float32)

    # One step, then the data is stale: it came from a policy that no longer exists. V is a constant here, and it has
    # not seen this data yet: a V fitted to these very returns would explain away a part of what the actions did.
    with torch.no_grad():
        adv = rtgs - get_value(value_net, obs)
    optimizer.zero_grad()
    loss = compute_loss(logits_net, obs, torch.as_tensor(batch_acts), weights=adv)
    loss.backward()
    optimizer.step()

    # Many steps, since this is plain regression on fixed targets.
    for _ in range(80):
        value_optimizer.zero_grad()
        compute_value_loss(value_net, obs, rtgs).backward()
        value_optimizer.step()
    return loss.item(), np.mean(batch_rets), np.mean(batch_lens)


def train(env_name="CartPole-v1", hidden_sizes=(32,), lr=1e-2, epochs=50, batch_size=5000, render=False, seed=0):
    """Learn for some epochs of at least batch_size steps each."""
    env = gym.make(env_name)
    if not (isinstance(env.observation_space, Box) and isinstance(env.action_space, Discrete)):
        raise SystemExit(f"{env_name} is out of reach here: observations must be vectors, and actions discrete.")
    shown_env = gym.make(env_name, render_mode="human") if render else env

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # so small a network gains nothing from more, and loses much on a busy machine
    for one in (env, shown_env):
        one.reset(seed=seed)  # seeds all later resets, too
    logits_net = mlp([env.observation_space.shape[0], *hidden_sizes, int(env.action_space.n)])
    value_net = mlp([env.observation_space.shape[0], *hidden_sizes, 1])
    optimizer = torch.optim.Adam(logits_net.parameters(), lr)
    value_optimizer = torch.optim.Adam(value_net.parameters(), lr)

    for epoch in range(epochs):
        loss, ret, length = train_one_epoch(
            env, shown_env, logits_net, optimizer, value_net, value_optimizer, batch_size
        )
        print(f"epoch {epoch:3}   loss {loss:8.3f}   return {ret:8.3f}   ep_len {length:8.3f}", flush=True)
    return logits_net


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
