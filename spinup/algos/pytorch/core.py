"""Networks, and the agents made of them: what the PyTorch algorithms act and learn with.

    log N(x)  = -sum_i [((x_i - mu_i) / std_i)^2 / 2 + log std_i + log(2 pi) / 2]        (1) diagonal Gaussian
    log pi(a) = log N(u) - sum_i log(1 - tanh(u_i)^2),  a = tanh(u)                      (2) squashed Gaussian
    tanh'(x)  = 1 / cosh(x)^2 = 4 sigmoid(2x) sigmoid(-2x)                               (3) slope of tanh

x, u: numbers on the whole line, mu and std: mean and standard deviation of each dimension i. (1) goes back to
Williams 1992; (2) is Appendix C of Haarnoja et al. 2018, arXiv:1801.01290, where 1 - tanh(u)^2 = (2 / (e^u + e^-u))^2
is computed stably.
"""

import math
import sys
from functools import partial
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import nn
from torch.distributions import Categorical, Independent, Normal
from torch.nn.modules import activation as _activations

from spinup.backends import algorithms
from spinup.errors import UserError
from spinup.experience import buffers
from spinup.experience.action_spaces import action_units, check_bounded, check_discrete, check_on_policy


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return torch.as_tensor(np.tanh(x.detach().numpy())) if x.device.type == "cpu" else torch.tanh(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        return _TanhBackward.apply(grad, *ctx.saved_tensors)

    @staticmethod
    def vmap(info, in_dims, x):
        return _Tanh.apply(x), in_dims[0]


class _TanhBackward(torch.autograd.Function):  # (3), a function of its own because TRPO differentiates it
    @staticmethod
    def forward(grad, x):
        if x.device.type != "cpu":
            return grad / torch.cosh(x).square()
        with np.errstate(over="ignore"):  # where cosh(x)^2 is infinite, the slope is 0
            return grad / torch.as_tensor(np.square(np.cosh(x.detach().numpy())))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        inner, x = ctx.saved_tensors
        slope = _TanhBackward.apply(grad, x)
        return slope, -2 * inner * tanh(x) * slope


def tanh(x):
    """tanh, with a slope that stays positive where tanh itself rounds to 1.

    The usual slope, 1 - tanh(x)^2, is exactly 0 in float32 from |x| = 9 on (in XLA from 7.9 on), so that a saturated
    unit never moves again. 1 / cosh(x)^2 = 4 sigmoid(2x) sigmoid(-2x) is computed from x. On a CPU, NumPy does the
    work, as it is several times as fast as PyTorch here. Where PyTorch records a network to export it, it sees its own.
    """
    return torch.tanh(x) if torch.jit.is_tracing() or torch.compiler.is_compiling() else _Tanh.apply(x)


class Tanh(nn.Tanh):
    """:func:`tanh` as a layer."""

    def forward(self, x):
        return tanh(x)


def gaussian_log_density(x, mu, log_std):  # (1)  [B]; x, mu: [B, dim], log_std: [B, dim] or [dim]
    """log N(x; mu, diag(exp(log_std)^2)), summed over the last dimension."""
    return -(0.5 * ((x - mu) * torch.exp(-log_std)) ** 2 + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def squashed_log_density(u, mu, log_std):  # (2)  [B]; all [B, dim]
    """The log-density of tanh(u), where u ~ N(mu, diag(exp(log_std)^2)), summed over the last dimension."""
    log_slope = 2 * (math.log(2) - u - F.softplus(-2 * u))  # log(1 - tanh(u)^2)
    return gaussian_log_density(u, mu, log_std) - log_slope.sum(-1)


def mlp(sizes, activation, output_activation=nn.Identity, linear=nn.Linear):
    """A fully connected network ``sizes[0] -> ... -> sizes[-1]``; ``activation`` makes a layer, as a class does."""
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers += [linear(n_in, n_out), output_activation() if last else activation_layer(activation)]
    return nn.Sequential(*layers)


class TwinLinear(nn.Module):
    """Two linear layers as one, ``[2, B, n_in] -> [2, B, n_out]``: one product of matrices is faster than two."""

    def __init__(self, n_in, n_out):
        super().__init__()
        pair = [nn.Linear(n_in, n_out) for _ in range(2)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in pair]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in pair]))

    def forward(self, x):
        return torch.baddbmm(self.bias, x, self.weight)


def activation_layer(activation):
    """A new layer of ``activation``; raises UserError unless it makes layers that keep the shape of what they take."""
    fast = {nn.Tanh: Tanh, nn.ReLU: partial(nn.ReLU, inplace=True)}  # what comes before it is not needed again
    make = fast.get(activation, activation)
    if not _keeps_shape(make):
        raise UserError(
            f"activation={activation!r} is invalid: expected a class of layers such as torch.nn.Tanh, which need no "
            "arguments and keep the shape of their input."
        )
    return make()


def _keeps_shape(make):
    """Whether ``make()`` is a layer that keeps the shape of one row, of some, and of some for each of two networks."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):  # some layers draw random numbers
        try:
            layer = make()
            return isinstance(layer, nn.Module) and all(
                layer(torch.zeros(shape)).shape == shape for shape in [(4,), (2, 4), (2, 2, 4)]
            )
        except Exception:  # made of, or called with, what it does not take, it may raise anything
            return False


def forward_numpy(net, x):
    """``net(x)`` for a few rows, NumPy: for them, calling PyTorch takes several times as long as the arithmetic."""
    if not all(isinstance(layer, nn.Linear | nn.Tanh | nn.ReLU | nn.Identity) for layer in net):
        return evaluate(net, x)
    for layer in net:
        if isinstance(layer, nn.Linear):
            x = x @ to_numpy(layer.weight.detach()).T + to_numpy(layer.bias.detach())
        elif not isinstance(layer, nn.Identity):
            x = np.tanh(x) if isinstance(layer, nn.Tanh) else np.maximum(x, 0)
    return x


class MLPCategoricalActor(nn.Module):
    """pi(a|o) over discrete actions."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__()
        self.logits_net = mlp([obs_dim, *hidden_sizes, int(action_space.n)], activation)

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-probability ``[B]`` of ``act`` ``[B]``."""
        pi = Categorical(logits=self.logits_net(obs), validate_args=False)
        return pi, None if act is None else pi.log_prob(act)

    def mode(self, obs):
        """The most likely actions ``[B]`` for ``obs`` ``[B, obs_dim]``."""
        return self.logits_net(obs).argmax(-1)

    def act(self, obs, deterministic):
        """Actions ``[B]`` for ``obs`` ``[B, obs_dim]``, NumPy both; adding Gumbel noise to the logits samples them."""
        logits = forward_numpy(self.logits_net, obs)
        return (logits if deterministic else logits + np.random.gumbel(size=logits.shape)).argmax(-1)


class MLPGaussianActor(nn.Module):
    """pi(a|o): a diagonal Gaussian whose standard deviation does not depend on the state.

    The network speaks in units of half the action range, counted from its middle, so that a bounded action space of any
    place and size is explored alike; for bounds of [-1, 1], or none, that is the action itself.
    """

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__()
        act_mid, act_half = map(torch.from_numpy, action_units(action_space.low, action_space.high))
        self.register_buffer("act_mid", act_mid)
        self.register_buffer("act_half", act_half)
        self.log_std = nn.Parameter(torch.full((len(act_half),), -0.5))
        self.mu_net = mlp([obs_dim, *hidden_sizes, len(act_half)], activation)

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-density ``[B]`` of ``act`` ``[B, act_dim]``."""
        mu = self.mode(obs)
        log_std = self.act_half.log() + self.log_std
        # Independent: log-probability, entropy and KL are sums over the dimensions of one action, not averages
        pi = Independent(Normal(mu, log_std.exp(), validate_args=False), 1, validate_args=False)
        return pi, None if act is None else gaussian_log_density(act, mu, log_std)

    def mode(self, obs):
        """The most likely actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``."""
        return self.act_mid + self.act_half * self.mu_net(obs)

    def act(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        x = forward_numpy(self.mu_net, obs)  # in units of half the action range
        if not deterministic:
            x += np.exp(to_numpy(self.log_std.detach())) * np.random.standard_normal(x.shape)
        return to_numpy(self.act_mid) + to_numpy(self.act_half) * x


class MLPCritic(nn.Module):
    """V(o)."""

    def __init__(self, obs_dim, hidden_sizes, activation):
        super().__init__()
        self.v_net = mlp([obs_dim, *hidden_sizes, 1], activation)

    def forward(self, obs):
        """Values ``[B]`` for ``obs`` ``[B, obs_dim]``."""
        return self.v_net(obs).squeeze(-1)  # squeeze, or a loss against returns [B] would broadcast to [B, B]


class MLPActorCritic(nn.Module):
    """Policy ``pi`` and value function ``v`` of VPG, TRPO and PPO, as two separate networks.

    Args:
        observation_space: a Box of one dimension.
        action_space: a Box of one dimension (Gaussian policy) or Discrete (categorical policy).
        hidden_sizes: widths of the hidden layers of both networks.
        activation: class of the activation between them.

    Raises:
        UserError: for any other action space.
    """

    check_action_space = staticmethod(check_on_policy)  # raises UserError for one that it cannot act in

    def __init__(self, observation_space, action_space, hidden_sizes=(64, 64), activation=nn.Tanh):
        super().__init__()
        check_on_policy(action_space)
        obs_dim = observation_space.shape[0]
        actor = MLPCategoricalActor if isinstance(action_space, spaces.Discrete) else MLPGaussianActor
        self.pi = actor(obs_dim, action_space, hidden_sizes, activation)
        self.v = MLPCritic(obs_dim, hidden_sizes, activation)

    @torch.inference_mode()
    def step(self, obs):
        """Sampled actions ``[B, act_dim]``, values ``[B]`` and the actions' log-probabilities ``[B]``, as NumPy arrays.

        ``obs`` is ``[B, obs_dim]``, or a single observation, which gives results without the leading dimension.
        """
        obs = as_tensor(obs, self)
        pi, _ = self.pi(obs)
        a = pi.sample()
        # [()]: environments take a number of NumPy for one discrete action, but not an array without dimensions
        return tuple(to_numpy(x)[()] for x in (a, self.v(obs), pi.log_prob(a)))

    def forward(self, obs):
        """The actions of ``act(obs, deterministic=True)``, tensors both: what ``torch.export`` and others record."""
        return self.pi.mode(obs)

    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the most likely ones if ``deterministic``."""
        return self.pi.act(np.asarray(obs, np.float32), deterministic)


# ---- off-policy: actors whose actions are bounded, and action-value functions ----


def bounds_of(action_space, device=None):
    """The bounds of the actions as two tensors ``[act_dim]``.

    Raises:
        UserError: for any other action space than a bounded Box of one dimension.
    """
    check_bounded(action_space)
    bounds = action_space.low, action_space.high
    return tuple(torch.as_tensor(x, dtype=torch.float32, device=device) for x in bounds)


class _BoundedActor(nn.Module):
    """Holds the bounds of the actions, per dimension: ``act_low``, ``act_high`` and half of what is between them.

    Raises:
        UserError: for any other action space than a bounded Box of one dimension.
    """

    def __init__(self, action_space):
        super().__init__()
        low, high = bounds_of(action_space)
        self.register_buffer("act_low", low)
        self.register_buffer("act_high", high)
        self.register_buffer("act_half", (high - low) / 2)

    def scale(self, x):
        """From [-1, 1] to the bounds."""
        return torch.lerp(self.act_low, self.act_high, (x + 1) / 2)  # exact at both ends


class MLPActor(_BoundedActor):
    """mu(o): a deterministic policy."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__(action_space)
        self.net = mlp([obs_dim, *hidden_sizes, action_space.shape[0]], activation, Tanh)

    def forward(self, obs):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``."""
        return self.scale(self.net(obs))

    def act(self, obs):
        """The same in NumPy."""
        return to_numpy(self.scale(as_tensor(forward_numpy(self.net, obs), self)))


LOG_STD_MIN, LOG_STD_MAX = -20, 2


class SquashedGaussianMLPActor(_BoundedActor):
    """pi(a|o): a Gaussian squashed by tanh into the bounds; its deviation depends on the state."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__(action_space)
        self.net = mlp([obs_dim, *hidden_sizes, 2 * action_space.shape[0]], activation)

    def forward(self, obs, eps):
        """Actions ``[B, act_dim]`` and their log-densities ``[B]``, for ``obs`` ``[B, obs_dim]`` and ``eps`` ~ N(0, 1).

        The density is that of the action in units of half its range, in which tanh(u) lies.
        """
        mu, log_std = self.net(obs).chunk(2, -1)
        log_std = log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)
        u = mu + log_std.exp() * eps
        return self.scale(tanh(u)), squashed_log_density(u, mu, log_std)

    def mode(self, obs):
        """The squashed mean actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``."""
        return self.scale(tanh(self.net(obs).chunk(2, -1)[0]))

    def act(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        u, log_std = np.split(forward_numpy(self.net, obs), 2, -1)
        if not deterministic:
            u = u + np.exp(log_std.clip(LOG_STD_MIN, LOG_STD_MAX)) * np.random.standard_normal(u.shape).astype(u.dtype)
        return to_numpy(self.scale(as_tensor(np.tanh(u), self)))


class MLPQFunction(nn.Module):
    """Q(o, a); the network sees the action in units of half its range, counted from the middle."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation, linear=nn.Linear):
        super().__init__()
        act_mid, act_half = map(torch.from_numpy, action_units(action_space.low, action_space.high))
        self.register_buffer("act_mid", act_mid)
        self.register_buffer("act_half", act_half)
        self.q = mlp([obs_dim + len(act_half), *hidden_sizes, 1], activation, linear=linear)

    def join(self, obs, act):
        """What the network sees, ``[B, obs_dim + act_dim]``."""
        return torch.cat([obs, (act - self.act_mid) / self.act_half], -1)

    def forward(self, obs, act):
        """Values ``[B]`` for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return self.q(self.join(obs, act)).squeeze(-1)  # squeeze, or a loss against [B] would broadcast to [B, B]


class MLPTwinQFunction(MLPQFunction):
    """Q_1(o, a) and Q_2(o, a), computed together."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__(obs_dim, action_space, hidden_sizes, activation, TwinLinear)

    def forward(self, obs, act):
        """Values ``[2, B]`` for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return self.q(self.join(obs, act).expand(2, -1, -1)).squeeze(-1)


class Twin(nn.Module):
    """Two action-value functions as one: values ``[2, B]``."""

    def __init__(self, q1, q2):
        super().__init__()
        self.q1, self.q2 = q1, q2

    def forward(self, obs, act):
        """Values ``[2, B]`` for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return torch.stack([self.q1(obs, act), self.q2(obs, act)])


class DDPGActorCritic(nn.Module):
    """Deterministic policy ``pi`` and action-value function ``q``.

    Args:
        observation_space: a Box of one dimension.
        action_space: a bounded Box of one dimension.
        hidden_sizes: widths of the hidden layers of each network.
        activation: class of the activation between them.
    """

    check_action_space = staticmethod(check_bounded)  # raises UserError for one that it cannot act in
    deterministic_by_default = True

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        obs_dim = observation_space.shape[0]
        self.pi = MLPActor(obs_dim, action_space, hidden_sizes, activation)
        self.q = MLPQFunction(obs_dim, action_space, hidden_sizes, activation)

    def forward(self, obs):
        """The actions of ``act(obs, deterministic=True)``, tensors both: what ``torch.export`` and others record."""
        return self.pi(obs)

    def act(self, obs, deterministic=True):
        """Actions for one observation or a batch, NumPy; there is nothing to sample."""
        return self.pi.act(np.asarray(obs, np.float32))


class TD3ActorCritic(nn.Module):
    """Deterministic policy ``pi`` and two action-value functions ``q``; arguments as ``DDPGActorCritic``."""

    check_action_space = staticmethod(check_bounded)  # raises UserError for one that it cannot act in
    deterministic_by_default = True

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        obs_dim = observation_space.shape[0]
        self.pi = MLPActor(obs_dim, action_space, hidden_sizes, activation)
        self.q = MLPTwinQFunction(obs_dim, action_space, hidden_sizes, activation)

    forward, act = DDPGActorCritic.forward, DDPGActorCritic.act

    def q1(self, obs, act):
        """The first of the values, ``[B]``, for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return self.q(obs, act)[0]

    def q2(self, obs, act):
        """The second."""
        return self.q(obs, act)[1]


class SACActorCritic(nn.Module):
    """Squashed Gaussian ``pi`` and two action-value functions ``q``; arguments as ``DDPGActorCritic``."""

    check_action_space = staticmethod(check_bounded)  # raises UserError for one that it cannot act in
    deterministic_by_default = True  # trained with noise, judged by its mean action

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        obs_dim = observation_space.shape[0]
        self.pi = SquashedGaussianMLPActor(obs_dim, action_space, hidden_sizes, activation)
        self.q = MLPTwinQFunction(obs_dim, action_space, hidden_sizes, activation)

    def forward(self, obs):
        """The actions of ``act(obs, deterministic=True)``, tensors both: what ``torch.export`` and others record."""
        return self.pi.mode(obs)

    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the squashed mean if ``deterministic``."""
        return self.pi.act(np.asarray(obs, np.float32), deterministic)

    q1, q2 = TD3ActorCritic.q1, TD3ActorCritic.q2


class DQNAgent(nn.Module):
    """Action values ``q`` of every discrete action.

    Args:
        observation_space: a Box of one dimension.
        action_space: Discrete.
        hidden_sizes: widths of the hidden layers.
        activation: class of the activation between them.

    Raises:
        UserError: for any other action space.
    """

    check_action_space = staticmethod(check_discrete)  # raises UserError for one that it cannot act in
    deterministic_by_default = True

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        check_discrete(action_space)
        self.q = mlp([observation_space.shape[0], *hidden_sizes, int(action_space.n)], activation)

    def forward(self, obs):
        """The actions of ``act(obs, deterministic=True)``, tensors both: what ``torch.export`` and others record."""
        return self.q(obs).argmax(-1)

    def act(self, obs, deterministic=True):
        """The greedy actions for one observation or a batch, NumPy; exploring is the algorithm's business."""
        return forward_numpy(self.q, np.asarray(obs, np.float32)).argmax(-1)


# ---- arrays and tensors ----


def module_of(part):
    """The module that holds the parameters of ``part``: itself, or the agent that it is a method of."""
    return getattr(part, "__self__", part)


def as_tensor(obs, part):
    """``obs`` as a float32 tensor where ``part`` of an agent lives."""
    return torch.as_tensor(obs, dtype=torch.float32, device=next(module_of(part).parameters()).device)


@torch.no_grad()
def evaluate(part, *inputs):
    """``part(*inputs)`` as NumPy, without gradients."""
    return to_numpy(part(*(as_tensor(x, part) for x in inputs)))


def to_numpy(x):
    """``x`` as a NumPy array on the CPU."""
    return x.cpu().numpy()


# ---- names and addresses of the original, for scripts that use its core ----


def combined_shape(length, shape=None):
    """The shape of ``length`` items of ``shape``, a number or a tuple."""
    return (length, *np.atleast_1d(() if shape is None else shape).astype(int).tolist())


def count_vars(module):
    """The number of parameters of ``module``."""
    return sum(p.numel() for p in module.parameters())


def discount_cumsum(x, discount):
    """Discounted sums of the rest of ``x``, one episode; :mod:`spinup.experience.buffers` has it for several."""
    return buffers.discount_cumsum(np.asarray(x), discount, np.zeros(len(x)))


sys.modules |= {f"{__package__}.{algorithm}.core": sys.modules[__name__] for algorithm in algorithms()["pytorch"]}

# What a saved agent is made of: torch.load() rebuilds these by default, and refuses anything else.
_OURS = [part for part in list(globals().values()) if isinstance(part, type) and issubclass(part, nn.Module)]
_ACTIVATIONS = [getattr(_activations, name) for name in _activations.__all__]
torch.serialization.add_safe_globals([*_OURS, nn.Sequential, nn.Linear, nn.Identity, *_ACTIVATIONS])
