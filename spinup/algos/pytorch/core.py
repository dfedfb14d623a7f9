"""What the PyTorch algorithms share: networks, actor-critics, and one step of gradient descent."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from gymnasium import spaces
from torch import nn
from torch.distributions import Categorical, Independent, Normal
from torch.nn.modules import activation as _activations

from spinup.utils.errors import UserError


def mlp(sizes, activation, output_activation=nn.Identity):
    """A fully connected network ``sizes[0] -> ... -> sizes[-1]``."""
    layers = []
    for i, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        last = i == len(sizes) - 2
        layers += [nn.Linear(n_in, n_out), output_activation() if last else activation()]
    return nn.Sequential(*layers)


class MLPCategoricalActor(nn.Module):
    """pi(a|o) over ``num_actions`` discrete actions."""

    def __init__(self, obs_dim, num_actions, hidden_sizes, activation):
        super().__init__()
        self.logits_net = mlp([obs_dim, *hidden_sizes, num_actions], activation)

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]`` and the log-probability ``[B]`` of ``act`` ``[B]``, if given."""
        pi = Categorical(logits=self.logits_net(obs), validate_args=False)
        return pi, None if act is None else pi.log_prob(act)


class MLPGaussianActor(nn.Module):
    """pi(a|o): a diagonal Gaussian whose standard deviation does not depend on the state.

    The network speaks in units of half the action range, counted from its middle, so that a bounded action space of any
    place and size is explored alike; for bounds of [-1, 1], or none, that is the action itself.
    """

    def __init__(self, obs_dim, act_low, act_high, hidden_sizes, activation):
        super().__init__()
        low, high = (torch.as_tensor(x, dtype=torch.float32) for x in (act_low, act_high))
        bounded = torch.isfinite(low) & torch.isfinite(high)
        self.register_buffer("act_mid", torch.where(bounded, (low + high) / 2, 0.0))
        self.register_buffer("act_half", torch.where(bounded, (high - low) / 2, 1.0))
        self.log_std = nn.Parameter(torch.full((len(low),), -0.5))
        self.mu_net = mlp([obs_dim, *hidden_sizes, len(low)], activation)

    def forward(self, obs, act=None):
        """The distribution for ``obs`` ``[B, obs_dim]`` and the log-density ``[B]`` of ``act`` ``[B, act_dim]``, if given."""
        mu = self.act_mid + self.act_half * self.mu_net(obs)
        std = self.act_half * self.log_std.exp()
        # Independent: log-probability, entropy and KL are sums over the dimensions of one action, not averages
        pi = Independent(Normal(mu, std.expand_as(mu), validate_args=False), 1, validate_args=False)
        return pi, None if act is None else pi.log_prob(act)


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
        obs_dim = observation_space.shape[0]
        if isinstance(action_space, spaces.Discrete):
            self.pi = MLPCategoricalActor(obs_dim, int(action_space.n), hidden_sizes, activation)
        elif isinstance(action_space, spaces.Box) and len(action_space.shape) == 1:
            self.pi = MLPGaussianActor(obs_dim, action_space.low, action_space.high, hidden_sizes, activation)
        else:
            raise UserError(
                f"The action space {action_space} cannot be used: VPG, TRPO and PPO need Discrete actions "
                "or a Box of one dimension; wrap the environment to offer one of them."
            )
        self.v = MLPCritic(obs_dim, hidden_sizes, activation)

    @torch.inference_mode()
    def step(self, obs):
        """Sampled actions ``[B, act_dim]``, values ``[B]`` and the actions' log-probabilities ``[B]``, as NumPy arrays.

        ``obs`` is ``[B, obs_dim]``, or a single observation, which gives results without the leading dimension.
        """
        obs = as_tensor(obs, self)
        pi, _ = self.pi(obs)
        a = pi.sample()
        return to_numpy(a), to_numpy(self.v(obs)), to_numpy(pi.log_prob(a))

    @torch.inference_mode()
    def act(self, obs, deterministic=False):
        """Actions for one observation or a batch, NumPy: sampled, or the most likely ones if ``deterministic``."""
        pi, _ = self.pi(as_tensor(obs, self))
        return to_numpy(pi.mode if deterministic else pi.sample())


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


def start(seed, device, threads=1):
    """Seed PyTorch and NumPy, and return the device to train on (``'auto'``: a GPU where there is one).

    One thread is the fastest for networks as small as 64x64, and leaves the other cores to other runs.

    Raises:
        UserError: for a device that PyTorch does not know or that this machine lacks.
    """
    torch.set_num_threads(threads)  # sums depend on how they are split, so a run fixes their number
    torch.manual_seed(seed)
    np.random.seed(seed)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(f"device={device!r} is not available here: use 'cpu', or 'auto' for what there is.") from None


def adam(module, lr):
    """Adam over the parameters of ``module``; fused, because on a CPU the default is a loop in Python."""
    return torch.optim.Adam(module.parameters(), lr=lr, fused=True)


def side_by_side(*tasks):
    """Call functions that share nothing at the same time, a thread each, and return their results.

    PyTorch lets go of Python's lock while it computes, so on two cores two networks are fitted in the time of one.
    """

    def one_threaded(task):
        torch.set_num_threads(1)  # a setting of each thread
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(one_threaded, tasks))


def minimize(optimizer, loss):
    """One step of gradient descent on ``loss``, for the optimiser's own parameters and no others."""
    optimizer.zero_grad()
    loss.backward(inputs=optimizer.param_groups[0]["params"])
    optimizer.step()


# What a saved agent is made of: torch.load() rebuilds these by default, and refuses anything else.
_LAYERS = [nn.Sequential, nn.Linear, nn.Identity]
_ACTIVATIONS = [getattr(_activations, name) for name in _activations.__all__]
_OURS = [MLPActorCritic, MLPCategoricalActor, MLPGaussianActor, MLPCritic]
torch.serialization.add_safe_globals([*_LAYERS, *_ACTIVATIONS, *_OURS])
