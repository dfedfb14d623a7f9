"""What the PyTorch algorithms share: networks, actor-critics, and one step of gradient descent."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import nn
from torch.distributions import Categorical, Independent, Normal
from torch.nn.modules import activation as _activations
from torch.optim.adam import adam

from spinup.backends import exempt_imports_from_gc
from spinup.errors import UserError
from spinup.experience.action_spaces import action_units, check_bounded, check_discrete, check_on_policy
from spinup.mpi.pytorch import average as average  # the algorithms use it, where a number decides something
from spinup.mpi.pytorch import average_all, sync_params
from spinup.mpi.tools import connect, num_procs, process_seed
from spinup.records import checkpoints


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return torch.as_tensor(np.tanh(x.detach().numpy())) if x.device.type == "cpu" else torch.tanh(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled() or x.device.type != "cpu":  # this form can be differentiated again
            return grad * (4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x))
        with np.errstate(over="ignore"):  # beyond 88, where the slope is 0
            cosh = torch.as_tensor(np.cosh(x.numpy()))
        return grad / cosh / cosh

    @staticmethod
    def vmap(info, in_dims, x):
        return _Tanh.apply(x), in_dims[0]


def tanh(x):
    """tanh, with a slope that stays positive where tanh itself rounds to 1.

    The usual slope, 1 - tanh(x)^2, is exactly 0 in float32 from |x| = 9 on (in XLA from 7.9 on), so that a saturated
    unit never moves again. 1 / cosh(x)^2 = 4 sigmoid(2x) sigmoid(-2x) is computed from x. On a CPU, NumPy does the
    work, as it is several times as fast as PyTorch here.
    """
    return _Tanh.apply(x)


class Tanh(nn.Tanh):
    """:func:`tanh` as a layer."""

    def forward(self, x):
        return tanh(x)


def mlp(sizes, activation, output_activation=nn.Identity, linear=nn.Linear):
    """A fully connected network ``sizes[0] -> ... -> sizes[-1]``; ``activation`` makes a layer, as a class does."""
    layers = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        layers += [linear(n_in, n_out), output_activation() if last else activation_layer(activation)]
    return nn.Sequential(*layers)


class TwinLinear(nn.Module):
    """Two linear layers side by side, ``[2, B, n_in] -> [2, B, n_out]``: one product of matrices is faster than two."""

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
            f"activation={activation!r} will not do: expected a class of layers such as torch.nn.Tanh, which need no "
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


def evaluate_few(net, x):
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
    """pi(a|o) over ``num_actions`` discrete actions."""

    def __init__(self, obs_dim, num_actions, hidden_sizes, activation):
        super().__init__()
        self.logits_net = mlp([obs_dim, *hidden_sizes, num_actions], activation)

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-probability ``[B]`` of ``act`` ``[B]``."""
        pi = Categorical(logits=self.logits_net(obs), validate_args=False)
        return pi, None if act is None else pi.log_prob(act)

    def choose(self, obs, deterministic):
        """Actions ``[B]`` for ``obs`` ``[B, obs_dim]``, NumPy both; adding Gumbel noise to the logits samples them."""
        logits = evaluate_few(self.logits_net, obs)
        return (logits if deterministic else logits + np.random.gumbel(size=logits.shape)).argmax(-1)


class MLPGaussianActor(nn.Module):
    """pi(a|o): a diagonal Gaussian whose standard deviation does not depend on the state.

    The network speaks in units of half the action range, counted from its middle, so that a bounded action space of any
    place and size is explored alike; for bounds of [-1, 1], or none, that is the action itself.
    """

    def __init__(self, obs_dim, act_low, act_high, hidden_sizes, activation):
        super().__init__()
        act_mid, act_half = map(torch.from_numpy, action_units(act_low, act_high))
        self.register_buffer("act_mid", act_mid)
        self.register_buffer("act_half", act_half)
        self.log_std = nn.Parameter(torch.full((len(act_half),), -0.5))
        self.mu_net = mlp([obs_dim, *hidden_sizes, len(act_half)], activation)

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]``, and the log-density ``[B]`` of ``act`` ``[B, act_dim]``."""
        mu = self.act_mid + self.act_half * self.mu_net(obs)
        std = self.act_half * self.log_std.exp()
        # Independent: log-probability, entropy and KL are sums over the dimensions of one action, not averages
        pi = Independent(Normal(mu, std, validate_args=False), 1, validate_args=False)
        return pi, None if act is None else gaussian_log_density(act, mu, std)

    def choose(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        x = evaluate_few(self.mu_net, obs)  # in units of half the action range
        if not deterministic:
            x += np.exp(to_numpy(self.log_std.detach())) * np.random.standard_normal(x.shape)
        return to_numpy(self.act_mid) + to_numpy(self.act_half) * x


def gaussian_log_density(x, mu, std):
    """log N(x; mu, diag(std^2)), summed over the last dimension; one logarithm a dimension, not one a row."""
    return -(0.5 * ((x - mu) / std) ** 2 + std.log() + 0.5 * math.log(2 * math.pi)).sum(-1)


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

    def __init__(self, observation_space, action_space, hidden_sizes=(64, 64), activation=nn.Tanh):
        super().__init__()
        check_on_policy(action_space)
        obs_dim = observation_space.shape[0]
        if isinstance(action_space, spaces.Discrete):
            self.pi = MLPCategoricalActor(obs_dim, int(action_space.n), hidden_sizes, activation)
        else:
            self.pi = MLPGaussianActor(obs_dim, action_space.low, action_space.high, hidden_sizes, activation)
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

    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the most likely ones if ``deterministic``."""
        return self.pi.choose(np.asarray(obs, np.float32), deterministic)


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

    def choose(self, obs):
        """The same in NumPy."""
        return to_numpy(self.scale(as_tensor(evaluate_few(self.net, obs), self)))


LOG_STD_MIN, LOG_STD_MAX = -20, 2


class SquashedGaussianMLPActor(_BoundedActor):
    """pi(a|o): a Gaussian squashed by tanh into the bounds; its deviation depends on the state."""

    def __init__(self, obs_dim, action_space, hidden_sizes, activation):
        super().__init__(action_space)
        self.net = mlp([obs_dim, *hidden_sizes, 2 * action_space.shape[0]], activation)

    def forward(self, obs, eps):
        """Actions ``[B, act_dim]`` and their log-densities ``[B]``, for ``obs`` ``[B, obs_dim]`` and ``eps`` ~ N(0, 1).

        The density is that of the action in units of half its range, in which tanh(u) lies. With u = mu + std eps,
        log pi = log N(u) - sum log(1 - tanh(u)^2), where 1 - tanh(u)^2 = (2 / (e^u + e^-u))^2 is computed stably.
        """
        mu, log_std = self.net(obs).chunk(2, -1)
        log_std = log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)
        u = mu + log_std.exp() * eps
        log_normal = -0.5 * eps**2 - log_std - 0.5 * math.log(2 * math.pi)
        log_slope = 2 * (math.log(2) - u - F.softplus(-2 * u))
        return self.scale(tanh(u)), (log_normal - log_slope).sum(-1)

    def choose(self, obs, deterministic):
        """Actions ``[B, act_dim]`` for ``obs`` ``[B, obs_dim]``, NumPy both."""
        u, log_std = np.split(evaluate_few(self.net, obs), 2, -1)
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

    deterministic_by_default = True

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        obs_dim = observation_space.shape[0]
        self.pi = MLPActor(obs_dim, action_space, hidden_sizes, activation)
        self.q = MLPQFunction(obs_dim, action_space, hidden_sizes, activation)

    def act(self, obs, deterministic=True):
        """Actions for one observation or a batch, NumPy; there is nothing to sample."""
        return self.pi.choose(np.asarray(obs, np.float32))


class TD3ActorCritic(nn.Module):
    """Deterministic policy ``pi`` and two action-value functions ``q``; arguments as ``DDPGActorCritic``."""

    deterministic_by_default = True

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        obs_dim = observation_space.shape[0]
        self.pi = MLPActor(obs_dim, action_space, hidden_sizes, activation)
        self.q = MLPTwinQFunction(obs_dim, action_space, hidden_sizes, activation)

    act = DDPGActorCritic.act

    def q1(self, obs, act):
        """The first of the values, ``[B]``, for ``obs`` ``[B, obs_dim]`` and ``act`` ``[B, act_dim]``."""
        return self.q(obs, act)[0]

    def q2(self, obs, act):
        """The second."""
        return self.q(obs, act)[1]


class SACActorCritic(nn.Module):
    """Squashed Gaussian ``pi`` and two action-value functions ``q``; arguments as ``DDPGActorCritic``."""

    deterministic_by_default = True  # trained with noise, judged by its mean action

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        obs_dim = observation_space.shape[0]
        self.pi = SquashedGaussianMLPActor(obs_dim, action_space, hidden_sizes, activation)
        self.q = MLPTwinQFunction(obs_dim, action_space, hidden_sizes, activation)

    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the squashed mean if ``deterministic``."""
        return self.pi.choose(np.asarray(obs, np.float32), deterministic)

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

    deterministic_by_default = True

    def __init__(self, observation_space, action_space, hidden_sizes=(256, 256), activation=nn.ReLU):
        super().__init__()
        check_discrete(action_space)
        self.q = mlp([observation_space.shape[0], *hidden_sizes, int(action_space.n)], activation)

    def act(self, obs, deterministic=True):
        """The greedy actions for one observation or a batch, NumPy; exploring is the algorithm's business."""
        return evaluate_few(self.q, np.asarray(obs, np.float32)).argmax(-1)


# ---- tensors ----


def as_tensor(obs, module):
    """``obs`` as a float32 tensor where ``module`` lives."""
    return torch.as_tensor(obs, dtype=torch.float32, device=next(module.parameters()).device)


@torch.no_grad()
def evaluate(module, obs):
    """``module(obs)`` as NumPy, without gradients."""
    return to_numpy(module(as_tensor(obs, module)))


def to_numpy(x):
    """``x`` as a NumPy array on the CPU."""
    return x.cpu().numpy()


def to_tensors(batch, device):
    """The same named tuple of arrays, as tensors on ``device``."""
    return type(batch)(*(torch.as_tensor(x, device=device) for x in batch))


def minibatches(batches):
    """Iterate over the ``K`` minibatches of a named tuple of tensors ``[K, B, ...]``."""
    return map(type(batches)._make, zip(*(x.unbind() for x in batches), strict=True))


def to_log(rows):
    """A list of dicts of tensors as one dict of NumPy arrays: the one moment a phase waits for its device."""
    keys = rows[0] if rows else ()
    return {key: to_numpy(torch.stack([row[key] for row in rows]).detach()) for key in keys}


# ---- training ----


def build(actor_critic, envs, ac_kwargs, device):
    """The networks of an agent for ``envs``; where they have ``q1`` and ``q2`` apart, ``q`` is made of them."""
    ac = actor_critic(envs.observation_space, envs.action_space, **(ac_kwargs or {})).to(device)
    if hasattr(ac, "q1") and not hasattr(ac, "q"):
        ac.q = Twin(ac.q1, ac.q2)
    sync_params(ac)
    return ac


MAX_THREADS = torch.get_num_threads()  # the cores there are, or OMP_NUM_THREADS where that is set


def start(seed, device, threads=1):
    """Seed PyTorch and NumPy, and return the device to train on (``'auto'``: a GPU where there is one).

    One thread is the fastest for networks as small as 64x64; two are for 256x256. Where several processes train
    together, each draws random numbers of its own.

    Raises:
        UserError: for a device that PyTorch does not know or that this machine lacks.
    """
    connect()
    exempt_imports_from_gc()
    torch.set_num_threads(min(threads, MAX_THREADS))
    torch.manual_seed(process_seed(seed))
    np.random.seed(process_seed(seed))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(f"device={device!r} is not available here: use 'cpu', or 'auto' for what there is.") from None


class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) on the tensors ``params``, by PyTorch's own fused function.

    PyTorch's class does the same, but what it does around the arithmetic takes longer than the arithmetic of small
    networks, and importing what it needs takes over a second.
    """

    def __init__(self, lr, params):
        self.lr, self.params = lr, [*params]
        self.m, self.v = ([torch.zeros_like(p) for p in self.params] for _ in range(2))
        self.steps = [torch.zeros((), device=p.device) for p in self.params]

    @torch.no_grad()
    def step(self, grads):
        """Move the parameters against ``grads``, a tensor for each of them."""
        constants = dict(lr=self.lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False)
        adam(self.params, [*grads], self.m, self.v, [], self.steps, fused=True, **constants)


def target_of(module):
    """A copy of ``module`` that follows it only by ``polyak_update``: no gradient reaches it."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def polyak_update(target, module, polyak):
    """``target <- polyak * target + (1 - polyak) * module``, for all parameters at once."""
    torch._foreach_lerp_(_parameters(target), _parameters(module), 1 - polyak)


@lru_cache(maxsize=8)
def _parameters(module):
    """The parameters of ``module``; walking the tree of its parts would take longer than the arithmetic on them."""
    return list(module.parameters())


def side_by_side(*tasks, optimizers=()):
    """Call functions that share nothing at the same time, a thread each, and return their results.

    PyTorch lets go of Python's lock while it computes, so on two cores two networks are fitted in the time of one.
    Where there is but one core for this process they are called in order; so they are where several processes train
    together, so that no exchange of one meets that of another, and where two of their ``optimizers`` move the same
    parameter, as those of a policy and a value function with common layers do.
    """
    if num_procs() > 1 or MAX_THREADS == 1 or _overlap(optimizers):
        return [task() for task in tasks]

    def one_threaded(task):
        torch.set_num_threads(1)  # a setting of each thread
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(one_threaded, tasks))


def _overlap(optimizers):
    params = [id(p) for optimizer in optimizers for p in optimizer.params]
    return len({*params}) < len(params)


def minimize(optimizer, loss):
    """One step of gradient descent on ``loss``, for the optimiser's own parameters and no others.

    Where several processes train together, it is a step on the mean of their losses.
    """
    optimizer.step(average_all(torch.autograd.grad(loss, optimizer.params, materialize_grads=True)))


class Checkpoint(checkpoints.Checkpoint):
    """A checkpoint whose ``learner`` is a tuple of modules, optimisers and tensors, restored in place.

    Its arrays are the state of the CPU's random numbers, those of as many GPUs as were used, and all tensors.
    """

    def _arrays(self):
        return [t.detach().cpu().numpy() for t in [torch.get_rng_state(), *_gpu_states(), *_tensors_of(self._learner)]]

    @torch.no_grad()
    def _set_arrays(self, arrays):
        tensors = _tensors_of(self._learner)
        number = len(arrays) - len(tensors)
        cpu_state, *gpu_states = map(torch.from_numpy, arrays[:number])
        torch.set_rng_state(cpu_state)
        if len(gpu_states) == len(_gpu_states()):  # else the run goes on with other GPUs, or without
            torch.cuda.set_rng_state_all(gpu_states)
        for tensor, saved in zip(tensors, arrays[number:], strict=True):
            tensor.copy_(torch.from_numpy(saved))


def _tensors_of(part):
    """Every tensor of a module, an optimiser, or a tuple of such; None has none."""
    if part is None:
        return []
    if isinstance(part, tuple):
        return [tensor for item in part for tensor in _tensors_of(item)]
    if isinstance(part, Adam):
        return [*part.m, *part.v, *part.steps]
    return [part] if isinstance(part, torch.Tensor) else list(part.state_dict().values())


def _gpu_states():
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


# What a saved agent is made of: torch.load() rebuilds these by default, and refuses anything else.
_LAYERS = [nn.Sequential, nn.Linear, nn.Identity, Tanh]
_ACTIVATIONS = [getattr(_activations, name) for name in _activations.__all__]
_ON_POLICY = [MLPActorCritic, MLPCategoricalActor, MLPGaussianActor, MLPCritic]
_OFF_POLICY = [
    DDPGActorCritic,
    TD3ActorCritic,
    SACActorCritic,
    DQNAgent,
    MLPActor,
    SquashedGaussianMLPActor,
    MLPQFunction,
    MLPTwinQFunction,
    TwinLinear,
    Twin,
]
torch.serialization.add_safe_globals([*_LAYERS, *_ACTIVATIONS, *_ON_POLICY, *_OFF_POLICY])
