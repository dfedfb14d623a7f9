"""What the training functions of PyTorch share.

The start, one step of gradient descent, target networks, and the way from arrays to tensors and back.

    theta_targ <- polyak theta_targ + (1 - polyak) theta         (1) target networks

theta: the parameters of a network, theta_targ: those of the copy that follows it.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from types import MethodType

import torch
from torch import nn
from torch.optim.adam import adam

from spinup.algos.pytorch import core
from spinup.algos.pytorch.core import Twin, module_of, to_numpy
from spinup.backends import exempt_imports_from_gc
from spinup.backends import run_as_command as run_as_command
from spinup.errors import UserError
from spinup.experience.agents import check_agent, construct
from spinup.experience.seeding import seed_globals
from spinup.mpi.pytorch import average as average
from spinup.mpi.pytorch import average_all, sync_params
from spinup.mpi.tools import connect, num_procs, number_in_environment, process_seed, usable_cores

CORES = usable_cores()
THREADS = number_in_environment("OMP_NUM_THREADS") or 1


def start(seed, device, threads=1):
    """Seed PyTorch, NumPy and Python's ``random``; return the device (``'auto'``: a GPU where there is one).

    One thread is the default on any machine, as several wait for each other in a busy loop: where one of them has no
    core, all lose nearly everything. Where several processes train together, each draws its own random numbers.

    Raises:
        UserError: for a device that PyTorch does not know or that this machine lacks.
    """
    connect()
    exempt_imports_from_gc()
    torch.set_num_threads(threads or 1)
    torch.manual_seed(process_seed(seed))
    seed_globals(process_seed(seed))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, NotImplementedError, TypeError):
        raise UserError(f"device={device!r} is not available here: use 'cpu', or 'auto' for what there is.") from None


def build(actor_critic, envs, ac_kwargs, device, asked):
    """The networks of an agent for ``envs``, in evaluation mode, with the parts that an algorithm ``asked`` for.

    Where it has ``q1`` and ``q2`` apart, ``q`` is made of them.

    Raises:
        UserError: for an agent that is no module or lacks what is asked, see :mod:`spinup.experience.agents`.
    """
    ac = construct(actor_critic, envs, ac_kwargs)
    if not isinstance(ac, nn.Module):
        raise UserError(f"actor_critic built a {type(ac).__name__}: expected an agent that is a torch.nn.Module.")
    ac = ac.to(device).eval()
    if hasattr(ac, "q1") and hasattr(ac, "q2") and not hasattr(ac, "q"):
        ac.q = Twin(ac.q1, ac.q2) if isinstance(ac.q1, nn.Module) else MethodType(Twin.forward, ac)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        check_agent(copy.deepcopy(ac), asked, envs, partial(_results_of, device=device))
    sync_params(ac)
    return ac


def _results_of(function, *arrays, device):
    """The shape of each tensor that ``function`` returns for ``arrays``, and whether gradients flow through it."""
    results = function(*(torch.as_tensor(x, device=device) for x in arrays))
    return [
        (tuple(x.shape), x.requires_grad) if isinstance(x, torch.Tensor) else (type(x).__name__, False) for x in results
    ]


class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) on a part of an agent or a tensor, by PyTorch's own fused function.

    For a method of an agent, as ``pi`` and ``v`` are where they have layers in common, it moves the whole agent.
    PyTorch's class does the same, but what it does around the arithmetic takes longer than the arithmetic of small
    networks, and importing what it needs takes over a second.
    """

    def __init__(self, lr, part):
        self.lr, self.params = lr, [part] if isinstance(part, torch.Tensor) else [*module_of(part).parameters()]
        self.m, self.v = ([torch.zeros_like(p) for p in self.params] for _ in range(2))
        self.steps = [torch.zeros((), device=p.device) for p in self.params]

    @torch.no_grad()
    def step(self, grads):
        """Move the parameters against ``grads``, a tensor for each of them."""
        constants = dict(lr=self.lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False)
        adam(self.params, [*grads], self.m, self.v, [], self.steps, fused=True, **constants)


def minimize(optimizer, loss):
    """One step of gradient descent on ``loss``, for the optimiser's own parameters and no others.

    Where several processes train together, it is a step on the mean of their losses.
    """
    optimizer.step(average_all(torch.autograd.grad(loss, optimizer.params, materialize_grads=True)))


def target_of(part):
    """A copy of ``part`` of an agent that follows it only by ``polyak_update``: no gradient reaches it."""
    target = copy.deepcopy(part)
    module_of(target).requires_grad_(False)
    return target


@torch.no_grad()
def polyak_update(target, part, polyak):  # (1)
    """``target <- polyak * target + (1 - polyak) * part``, for all parameters at once; statistics are copied."""
    torch._foreach_lerp_(_parameters(target), _parameters(part), 1 - polyak)
    for copied, layer in zip(_layers_with_statistics(target), _layers_with_statistics(part)):
        for old, new in zip(copied.buffers(recurse=False), layer.buffers(recurse=False)):
            old.copy_(new)


@lru_cache(maxsize=8)
def _parameters(part):
    """The parameters of ``part``; walking the tree of its modules would take longer than the arithmetic on them."""
    return list(module_of(part).parameters())


@lru_cache(maxsize=8)
def _layers_with_statistics(part):
    """The modules in ``part`` with buffers that may change, as those of batch normalisation do; ours hold constants."""
    return [m for m in module_of(part).modules() if [*m.buffers(recurse=False)] and type(m).__module__ != core.__name__]


def in_parallel(*tasks, optimizers=()):
    """Call functions that share nothing at the same time, a thread each, and return their results.

    PyTorch lets go of Python's lock while it computes, so on two cores two networks are fitted in the time of one.
    Where there is but one core for this process they are called in order; so they are where several processes train
    together, so that no exchange of one meets that of another, and where two of their ``optimizers`` move the same
    parameter, as those of a policy and a value function with common layers do.
    """
    if num_procs() > 1 or CORES == 1 or _overlap(optimizers):
        return [task() for task in tasks]

    def one_threaded(task):
        torch.set_num_threads(1)  # a setting of each thread
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(one_threaded, tasks))


def _overlap(optimizers):
    params = [id(p) for optimizer in optimizers for p in optimizer.params]
    return len({*params}) < len(params)


def to_tensors(batch, device):
    """The same named tuple of arrays, as tensors on ``device``."""
    return type(batch)(*(torch.as_tensor(x, device=device) for x in batch))


def minibatches(batches):
    """Iterate over the ``K`` minibatches of a named tuple of tensors ``[K, B, ...]``."""
    return map(type(batches)._make, zip(*(x.unbind() for x in batches), strict=True))


def stack(rows):
    """A list of dicts of tensors as one dict of NumPy arrays: the one moment a phase waits for its device."""
    keys = rows[0] if rows else ()
    return {key: to_numpy(torch.stack([row[key] for row in rows]).detach()) for key in keys}
