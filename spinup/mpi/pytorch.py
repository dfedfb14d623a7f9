"""Data-parallel training in PyTorch: every process has the same parameters, and gradients are averaged over all.

Call ``setup_pytorch_for_mpi()`` at the start, ``sync_params(module)`` once the module is built, and
``mpi_avg_grads(module)`` between ``loss.backward()`` and ``optimizer.step()``. A single process needs none of them.
"""

import os
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from spinup.mpi.tools import broadcast, mpi_avg, num_procs, num_procs_here


def setup_pytorch_for_mpi() -> None:
    """Limit the threads of PyTorch to this process's share of the cores."""
    fair = max(1, (os.cpu_count() or 1) // num_procs_here())
    torch.set_num_threads(min(fair, torch.get_num_threads()))


@torch.no_grad()
def sync_params(module: nn.Module) -> None:
    """Copy the parameters of ``module`` from the first process to all others."""
    params = list(module.parameters())
    if num_procs() == 1 or not params:
        return
    theta = broadcast(parameters_to_vector(params).cpu().numpy())
    for p, values in zip(params, _split(torch.from_numpy(theta), params)):
        p.copy_(values)


@torch.no_grad()
def mpi_avg_grads(module: nn.Module) -> None:
    """Replace the gradient of each parameter of ``module`` by its mean over all processes."""
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    for grad, mean in zip(grads, average_all(grads)):
        grad.copy_(mean)


def average_all(tensors: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """The mean of each tensor over all processes, in one exchange."""
    if num_procs() == 1 or not tensors:
        return tensors
    return _split(average(parameters_to_vector(tensors)), tensors)


def average(x: torch.Tensor) -> torch.Tensor:
    """The mean of ``x`` over all processes, detached; in a single process, ``x`` itself."""
    if num_procs() == 1:
        return x
    return torch.as_tensor(mpi_avg(x.detach().cpu().numpy()), dtype=x.dtype, device=x.device)


def _split(vector: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """``vector`` cut into consecutive pieces with the shapes of the tensors ``like``."""
    return [piece.view_as(x) for piece, x in zip(vector.split([x.numel() for x in like]), like, strict=True)]
