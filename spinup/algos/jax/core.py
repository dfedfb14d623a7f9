"""Networks, and the agents made of them: what the JAX algorithms act and learn with.

    log N(x)  = -sum_i [((x_i - mu_i) / std_i)^2 / 2 + log std_i + log(2 pi) / 2]        (1) diagonal Gaussian
    log pi(a) = log N(u) - sum_i log(1 - tanh(u_i)^2),  a = tanh(u)                      (2) squashed Gaussian
    tanh'(x)  = 1 / cosh(x)^2 = 4 sigmoid(2x) sigmoid(-2x)                               (3) slope of tanh

x, u: numbers on the whole line, mu and std: mean and standard deviation of each dimension i. (1) goes back to
Williams 1992; (2) is Appendix C of Haarnoja et al. 2018, arXiv:1801.01290, where 1 - tanh(u)^2 = (2 / (e^u + e^-u))^2
is computed stably.

A network is a frozen dataclass whose arrays are leaves and whose shape and bounds are constants of the compiled code.
Acting on a few observations is done by NumPy, which shares the arrays' memory and needs no call into XLA.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from gymnasium import spaces

from spinup.errors import UserError
from spinup.experience.action_spaces import action_units, check_bounded, check_discrete, check_on_policy


@jax.custom_jvp
def tanh(x):
    """tanh, with a slope that stays positive where tanh itself rounds to 1.

    The usual slope, 1 - tanh(x)^2, is exactly 0 in XLA's float32 from |x| = 7.9 on (in PyTorch from 9 on), so that a
    saturated unit never moves again. 1 / cosh(x)^2 = 4 sigmoid(2x) sigmoid(-2x) is computed from x.
    """
    return jnp.tanh(x)


@tanh.defjvp
def _tanh_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return tanh(x), dx * 4 * jax.nn.sigmoid(2 * x) * jax.nn.sigmoid(-2 * x)  # (3)


def gaussian_log_density(x, mu, log_std):  # (1)  [B]; x, mu: [B, dim], log_std: [B, dim] or [dim]
    """log N(x; mu, diag(exp(log_std)^2)), summed over the last dimension."""
    return -(0.5 * ((x - mu) * jnp.exp(-log_std)) ** 2 + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def squashed_log_density(u, mu, log_std):  # (2)  [B]; all [B, dim]
    """The log-density of tanh(u), where u ~ N(mu, diag(exp(log_std)^2)), summed over the last dimension."""
    log_slope = 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))  # log(1 - tanh(u)^2)
    return gaussian_log_density(u, mu, log_std) - log_slope.sum(-1)


# ---- networks ----

CLASSES: dict[str, type] = {}  # what a saved agent may be made of, by name


def pytree(*static):
    """Make a class a frozen dataclass that JAX takes apart; fields named in ``static`` belong to the compiled code.

    Its method ``replace(**changes)`` gives a copy with other fields. Its methods ``pi``, ``v`` and ``q`` can be trained
    as fields can: each is a tree that holds the whole agent, and replacing it replaces the agent.
    """

    def register(cls):
        cls = dataclasses.dataclass(frozen=True)(cls)
        for name in ("pi", "v", "q"):
            if inspect.isfunction(method := getattr(cls, name, None)):
                setattr(cls, name, property(partial(jax.tree_util.Partial, method)))
        cls.replace = _replace
        data = [field.name for field in dataclasses.fields(cls) if field.name not in static]
        CLASSES[cls.__name__] = cls
        return jax.tree_util.register_dataclass(cls, data, [*static])

    return register


def _replace(tree, /, **changes):
    for name in [name for name in changes if isinstance(getattr(type(tree), name, None), property)]:
        (tree,) = changes.pop(name).args
    return dataclasses.replace(tree, **changes)


def identity(x):
    """What follows the last layer of most networks."""
    return x


_OURS = {jax.nn.tanh: tanh}  # what computes an activation in place of the function of jax.nn that names it
_IN_NUMPY = {jax.nn.relu: lambda x: np.maximum(x, 0), jax.nn.tanh: np.tanh, identity: identity}


@pytree("activation", "output_activation")
class MLP:
    """A fully connected network."""

    weights: tuple  # [n_in, n_out] each
    biases: tuple  # [n_out] each
    activation: Callable
    output_activation: Callable

    @classmethod
    def create(cls, sizes, activation, output_activation=identity):
        """``sizes[0] -> ... -> sizes[-1]``, initialised as PyTorch does: uniform within ``+-1 / sqrt(n_in)``."""
        weights, biases = [], []
        for n_in, n_out in pairwise(sizes):
            bound = 1 / math.sqrt(n_in)
            for arrays, shape in ((weights, (n_in, n_out)), (biases, (n_out,))):
                arrays.append(jnp.asarray(np.random.uniform(-bound, bound, shape), jnp.float32))
        return cls(tuple(weights), tuple(biases), check_activation(activation), output_activation)

    def __call__(self, x):
        """Outputs ``[..., sizes[-1]]`` for ``x`` ``[..., sizes[0]]``."""
        activation, output_activation = (_OURS.get(f, f) for f in (self.activation, self.output_activation))
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = activation(x @ w + b)
        return output_activation(x @ self.weights[-1] + self.biases[-1])

    def forward_numpy(self, x):
        """The same for a few rows, NumPy: for them, a call into XLA takes longer than the arithmetic."""
        if self.activation not in _IN_NUMPY:
            return evaluate(self, x)
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = _IN_NUMPY[self.activation](x @ np.asarray(w) + np.asarray(b))
        return _IN_NUMPY[self.output_activation](x @ np.asarray(self.weights[-1]) + np.asarray(self.biases[-1]))


@jax.jit
def _call(net, *args):
    return net(*args)


def evaluate(net, *inputs):
    """``net(*inputs)`` as NumPy."""
    return np.asarray(_call(net, *inputs))


def check_activation(activation):
    """``activation``; raises UserError unless it is a function of ``jax.nn`` (a saved agent names it) of one array."""
    named = activation is not None and getattr(jax.nn, getattr(activation, "__name__", ""), None) is activation
    if not named or not _keeps_shape(activation):
        raise UserError(f"activation={activation!r} is invalid: expected a function of jax.nn, such as jax.nn.tanh.")
    return activation


def _keeps_shape(function):
    """Whether ``function``, called with one array, gives one of the same shape; nothing is computed."""
    x = jax.ShapeDtypeStruct((2, 4), jnp.float32)
    try:
        return jax.eval_shape(function, x).shape == x.shape
    except Exception:  # called with what it does not take, or answering with something else, it may raise anything
        return False


# ---- on-policy: distributions over actions, actors and values ----


@pytree()
class Categorical:
    """Distributions over discrete actions, a row each."""

    logits: jax.Array  # [B, number of actions]

    def log_prob(self, act):
        """Of actions ``[B]``: ``[B]``."""
        return jnp.take_along_axis(jax.nn.log_softmax(self.logits), act[:, None], -1).squeeze(-1)

    def entropy(self):
        """In nats, ``[B]``."""
        logp = jax.nn.log_softmax(self.logits)
        return -(jnp.exp(logp) * logp).sum(-1)

    def kl_from(self, other):
        """KL(other || self), ``[B]``."""
        logp_other, logp = jax.nn.log_softmax(other.logits), jax.nn.log_softmax(self.logits)
        return (jnp.exp(logp_other) * (logp_other - logp)).sum(-1)


@pytree()
class Gaussian:
    """Normal distributions of independent dimensions, a row each; all quantities are sums over the dimensions."""

    mu: jax.Array  # [B, act_dim]
    log_std: jax.Array  # [act_dim]

    def log_prob(self, act):
        """Of actions ``[B, act_dim]``: ``[B]``."""
        return gaussian_log_density(act, self.mu, self.log_std)

    def entropy(self):
        """In nats, ``[B]``: the same for every row."""
        entropy = (0.5 + 0.5 * math.log(2 * math.pi) + self.log_std).sum(-1)
        return jnp.broadcast_to(entropy, self.mu.shape[:-1])

    def kl_from(self, other):
        """KL(other || self), ``[B]``."""
        log_ratio = other.log_std - self.log_std
        distance = (other.mu - self.mu) * jnp.exp(-self.log_std)
        return (0.5 * (jnp.exp(2 * log_ratio) + distance**2 - 1) - log_ratio).sum(-1)


@pytree()
class MLPCategoricalActor:
    """pi(a|o) over discrete actions."""

    logits_net: MLP

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        return cls(MLP.create([obs_dim, *hidden_sizes, int(action_space.n)], activation))

    def __call__(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-probability ``[B]`` of ``act`` ``[B]``."""
        pi = Categorical(self.logits_net(obs))
        return pi, None if act is None else pi.log_prob(act)

    def act(self, obs, deterministic):
        """Actions ``[B]`` for ``obs`` ``[B, obs_dim]``, NumPy both; adding Gumbel noise to the logits samples them."""
        logits = self.logits_net.forward_numpy(obs)
        return (logits if deterministic else logits + np.random.gumbel(size=logits.shape)).argmax(-1)


@pytree("act_mid", "act_half")
class MLPGaussianActor:
    """pi(a|o): a diagonal Gaussian whose standard deviation does not depend on the state.

    The network speaks in units of half the action range, counted from its middle, so that a bounded action space of any
    place and size is explored alike; for bounds of [-1, 1], or none, that is the action itself.
    """

    mu_net: MLP
    log_std: jax.Array
    act_mid: tuple
    act_half: tuple

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        act_mid, act_half = units_of(action_space)
        net = MLP.create([obs_dim, *hidden_sizes, len(act_half)], activation)
        return cls(net, jnp.full(len(act_half), -0.5, jnp.float32), act_mid, act_half)

    def __call__(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-density ``[B]`` of ``act`` ``[B, act_dim]``."""
        mid, half = np.float32(self.act_mid), np.float32(self.act_half)
        log_half = jnp.asarray(np.log(self.act_half), self.log_std.dtype)
        pi = Gaussian(mid + half * self.mu_net(obs), log_half + self.log_std)
        return pi, None if act is None else pi.log_prob(act)

    def act(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        x = self.mu_net.forward_numpy(obs)  # in units of half the action range
        if not deterministic:
            x = x + np.exp(np.asarray(self.log_std)) * np.random.standard_normal(x.shape).astype(x.dtype)
        return np.float32(self.act_mid) + np.float32(self.act_half) * x


def units_of(action_space):
    """The units of ``action_units`` as two tuples, which can be constants of compiled code."""
    act_mid, act_half = action_units(action_space.low, action_space.high)
    return tuple(act_mid.tolist()), tuple(act_half.tolist())


@pytree()
class MLPCritic:
    """V(o)."""

    v_net: MLP

    @classmethod
    def create(cls, obs_dim, hidden_sizes, activation):
        return cls(MLP.create([obs_dim, *hidden_sizes, 1], activation))

    def __call__(self, obs):
        """Values ``[B]`` for ``obs`` ``[B, obs_dim]``."""
        return self.v_net(obs).squeeze(-1)  # squeeze, or a loss against returns [B] would broadcast to [B, B]


class _ActorCritic:
    """What most agents below have in common: they are judged by their best action."""

    deterministic_by_default: ClassVar[bool] = True


@pytree()
class MLPActorCritic(_ActorCritic):
    """Policy ``pi`` and value function ``v`` of VPG, TRPO and PPO, as two separate networks."""

    check_action_space = staticmethod(check_on_policy)  # raises UserError for one that it cannot act in
    deterministic_by_default: ClassVar[bool] = False

    pi: Any
    v: MLPCritic

    @classmethod
    def create(cls, observation_space, action_space, hidden_sizes=(64, 64), activation=jax.nn.tanh):
        """New networks.

        Args:
            observation_space: a Box of one dimension.
            action_space: a Box of one dimension (Gaussian policy) or Discrete (categorical policy).
            hidden_sizes: widths of the hidden layers of both networks.
            activation: function of ``jax.nn`` between them.

        Raises:
            UserError: for any other action space.
        """
        check_on_policy(action_space)
        obs_dim = observation_space.shape[0]
        actor = MLPCategoricalActor if isinstance(action_space, spaces.Discrete) else MLPGaussianActor
        pi = actor.create(obs_dim, action_space, hidden_sizes, activation)
        return cls(pi, MLPCritic.create(obs_dim, hidden_sizes, activation))

    def step(self, obs):
        """Sampled actions ``[B, act_dim]``, values ``[B]`` and the actions' log-probabilities ``[B]``, as NumPy arrays.

        ``obs`` is ``[B, obs_dim]``, or a single observation, which gives results without the leading dimension.
        """
        obs = np.asarray(obs, np.float32)
        rows = obs.reshape(-1, obs.shape[-1])
        a = self.act(rows)
        v, (_, logp) = evaluate(self.v, rows), _call(self.pi, rows, a)
        # [()]: environments take a number of NumPy for one discrete action, but not an array without dimensions
        return tuple(x.reshape(obs.shape[:-1] + x.shape[1:])[()] for x in (a, v, np.asarray(logp)))

    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the most likely ones if ``deterministic``."""
        return self.pi.act(np.asarray(obs, np.float32), deterministic)


# ---- off-policy: actors whose actions are bounded, and action-value functions ----


def bounds_of(action_space):
    """The bounds of the actions as two tuples, which can be constants of compiled code.

    Raises:
        UserError: for any other action space than a bounded Box of one dimension.
    """
    check_bounded(action_space)
    return tuple(action_space.low.tolist()), tuple(action_space.high.tolist())


class _Bounded:
    """Knows the bounds of the actions, per dimension, from its fields ``low`` and ``high``."""

    @property
    def act_low(self):
        return np.float32(self.low)

    @property
    def act_high(self):
        return np.float32(self.high)

    def scale(self, x):
        """From [-1, 1] to the bounds."""
        low, high, w = self.act_low, self.act_high, (x + 1) / 2
        return low * (1 - w) + high * w  # exact at both ends


@pytree("low", "high")
class MLPActor(_Bounded):
    """mu(o): a deterministic policy."""

    net: MLP
    low: tuple
    high: tuple

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        low, high = bounds_of(action_space)
        return cls(MLP.create([obs_dim, *hidden_sizes, len(low)], activation, jax.nn.tanh), low, high)

    def __call__(self, obs):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``."""
        return self.scale(self.net(obs))

    def act(self, obs):
        """The same in NumPy."""
        return self.scale(self.net.forward_numpy(obs))


LOG_STD_MIN, LOG_STD_MAX = -20, 2


@pytree("low", "high")
class SquashedGaussianMLPActor(_Bounded):
    """pi(a|o): a Gaussian squashed by tanh into the bounds; its deviation depends on the state."""

    net: MLP
    low: tuple
    high: tuple

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        low, high = bounds_of(action_space)
        return cls(MLP.create([obs_dim, *hidden_sizes, 2 * len(low)], activation), low, high)

    def __call__(self, obs, eps):
        """Actions ``[B, act_dim]`` and their log-densities ``[B]``, for ``obs`` ``[B, obs_dim]`` and ``eps`` ~ N(0, 1).

        The density is that of the action in units of half its range, in which tanh(u) lies.
        """
        mu, log_std = jnp.split(self.net(obs), 2, -1)
        log_std = log_std.clip(LOG_STD_MIN, LOG_STD_MAX)
        u = mu + jnp.exp(log_std) * eps
        return self.scale(tanh(u)), squashed_log_density(u, mu, log_std)

    def act(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        u, log_std = np.split(self.net.forward_numpy(obs), 2, -1)
        if not deterministic:
            u = u + np.exp(log_std.clip(LOG_STD_MIN, LOG_STD_MAX)) * np.random.standard_normal(u.shape).astype(u.dtype)
        return self.scale(np.tanh(u))


@pytree("act_mid", "act_half")
class MLPQFunction:
    """Q(o, a); the network sees the action in units of half its range, counted from the middle."""

    net: MLP
    act_mid: tuple
    act_half: tuple

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        act_mid, act_half = units_of(action_space)
        return cls(MLP.create([obs_dim + len(act_mid), *hidden_sizes, 1], activation), act_mid, act_half)

    def __call__(self, obs, act):
        """Values ``[B]`` for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        x = jnp.concatenate([obs, (act - np.float32(self.act_mid)) / np.float32(self.act_half)], -1)
        return self.net(x).squeeze(-1)  # squeeze, or a loss against [B] would broadcast to [B, B]


@pytree()
class Twin:
    """Two action-value functions as one: values ``[2, B]``."""

    q1: Any
    q2: Any

    @classmethod
    def create(cls, obs_dim, action_space, hidden_sizes, activation):
        shape = (obs_dim, action_space, hidden_sizes, activation)
        return cls(MLPQFunction.create(*shape), MLPQFunction.create(*shape))

    def __call__(self, obs, act):
        """Values ``[2, B]`` for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return jnp.stack([self.q1(obs, act), self.q2(obs, act)])


@pytree()
class DDPGActorCritic(_ActorCritic):
    """Deterministic policy ``pi`` and action-value function ``q``."""

    check_action_space = staticmethod(check_bounded)  # raises UserError for one that it cannot act in
    pi: MLPActor
    q: MLPQFunction

    @classmethod
    def create(cls, observation_space, action_space, hidden_sizes=(256, 256), activation=jax.nn.relu):
        """New networks.

        Args:
            observation_space: a Box of one dimension.
            action_space: a bounded Box of one dimension.
            hidden_sizes: widths of the hidden layers of each network.
            activation: function of ``jax.nn`` between them.
        """
        shape = (observation_space.shape[0], action_space, hidden_sizes, activation)
        return cls(MLPActor.create(*shape), MLPQFunction.create(*shape))

    def act(self, obs, deterministic=True):
        """Actions for one observation or a batch, NumPy; there is nothing to sample."""
        return self.pi.act(np.asarray(obs, np.float32))


@pytree()
class TD3ActorCritic(_ActorCritic):
    """Deterministic policy ``pi`` and two action-value functions ``q``; created as ``DDPGActorCritic``."""

    check_action_space = staticmethod(check_bounded)  # raises UserError for one that it cannot act in
    pi: MLPActor
    q: Twin

    @classmethod
    def create(cls, observation_space, action_space, hidden_sizes=(256, 256), activation=jax.nn.relu):
        """New networks."""
        shape = (observation_space.shape[0], action_space, hidden_sizes, activation)
        return cls(MLPActor.create(*shape), Twin.create(*shape))

    act = DDPGActorCritic.act

    def q1(self, obs, act):
        """The first of the values, ``[B]``, for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return self.q.q1(obs, act)

    def q2(self, obs, act):
        """The second."""
        return self.q.q2(obs, act)


@pytree()
class SACActorCritic(_ActorCritic):
    """Squashed Gaussian ``pi`` and two action-value functions ``q``; created as ``DDPGActorCritic``."""

    check_action_space = staticmethod(check_bounded)  # raises UserError for one that it cannot act in
    pi: SquashedGaussianMLPActor
    q: Twin

    @classmethod
    def create(cls, observation_space, action_space, hidden_sizes=(256, 256), activation=jax.nn.relu):
        """New networks."""
        shape = (observation_space.shape[0], action_space, hidden_sizes, activation)
        return cls(SquashedGaussianMLPActor.create(*shape), Twin.create(*shape))

    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the squashed mean if ``deterministic``."""
        return self.pi.act(np.asarray(obs, np.float32), deterministic)

    q1, q2 = TD3ActorCritic.q1, TD3ActorCritic.q2


@pytree()
class DQNAgent(_ActorCritic):
    """Action values ``q`` of every discrete action."""

    check_action_space = staticmethod(check_discrete)  # raises UserError for one that it cannot act in
    q: MLP

    @classmethod
    def create(cls, observation_space, action_space, hidden_sizes=(256, 256), activation=jax.nn.relu):
        """New networks; raises UserError for any other action space than Discrete."""
        check_discrete(action_space)
        return cls(MLP.create([observation_space.shape[0], *hidden_sizes, int(action_space.n)], activation))

    def act(self, obs, deterministic=True):
        """The greedy actions for one observation or a batch, NumPy; exploring is the algorithm's business."""
        return self.q.forward_numpy(np.asarray(obs, np.float32)).argmax(-1)
