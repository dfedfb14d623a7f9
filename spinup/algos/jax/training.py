"""What the training functions of JAX share: the start, one step of gradient descent, and target networks.

    theta_targ <- polyak theta_targ + (1 - polyak) theta         (1) target networks

theta: the parameters of a network, theta_targ: those of the copy that follows it.
"""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from spinup.algos.jax.core import CLASSES, pytree
from spinup.backends import exempt_imports_from_gc
from spinup.backends import run_as_command as run_as_command
from spinup.errors import UserError
from spinup.experience.agents import check_agent, construct
from spinup.experience.seeding import seed_globals
from spinup.mpi.tools import ONE_PROCESS, num_procs, number_in_environment, refuse_processes

THREADS = number_in_environment("NPROC")


def start(seed, device, threads=None):
    """Seed NumPy, which all our random numbers come from, and Python's ``random``; return the device for arrays.

    XLA reads the number of ``threads`` (None: one for each core) from ``NPROC`` when it is first used.

    Raises:
        UserError: for a device that JAX does not know or that this machine lacks, and where MPI has started several
            processes.
    """
    refuse_processes(ONE_PROCESS, num_procs())
    exempt_imports_from_gc()
    seed_globals(seed)
    if threads:
        os.environ["NPROC"] = str(threads)
    try:
        name = None if device == "auto" else str(device)
        found = device if isinstance(device, jax.Device) else jax.devices(name)[0]
    except RuntimeError:
        raise UserError(f"device={device!r} is not available here: use 'cpu', or 'auto' for what there is.") from None
    jax.config.update("jax_default_device", found)
    return found


def build(actor_critic, envs, ac_kwargs, device, asked):
    """The networks of an agent for ``envs``, on the device of :func:`start`, with the parts that were ``asked`` for.

    Raises:
        UserError: for an agent that JAX cannot take apart into arrays, that could not be saved, or that lacks what is
            asked, see :mod:`spinup.experience.agents`.
    """
    ac = construct(actor_critic, envs, ac_kwargs)
    strange = [x for x in jax.tree.leaves(ac) if not isinstance(x, jax.Array | np.ndarray | np.generic)]
    if strange or CLASSES.get(type(ac).__name__) is not type(ac):
        raise UserError(
            f"actor_critic built a {type(ac).__name__} that JAX cannot train: make its class and those of its parts "
            "with @spinup.algos.jax.core.pytree(), which takes the names of the fields that are no arrays."
        )
    check_agent(ac, asked, envs, _results_of)
    return ac


def _results_of(function, *arrays):
    """The shape of each array that ``function`` returns for ``arrays``; nothing is computed, so gradients may flow."""
    return [(x.shape, True) for x in jax.eval_shape(function, *arrays)]


@pytree()
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980): its learning rate and its moments."""

    lr: jax.Array
    state: Any

    @classmethod
    def create(cls, lr, params):
        """For parameters ``params``, before the first step."""
        return cls(jnp.float32(lr), optax.scale_by_adam().init(params))

    def step(self, params, grads):
        """The parameters moved against ``grads``, and the optimiser after that."""
        moves, state = optax.scale_by_adam().update(grads, self.state)
        return jax.tree.map(lambda p, move: p - self.lr * move, params, moves), Adam(self.lr, state)


def minimize(optimizer, loss, params, *args, has_aux=False):
    """One step of gradient descent on ``loss(params, *args)``, or on the first of what it returns if ``has_aux``.

    Returns:
        The new parameters, the optimiser after the step, and what ``loss`` returned before it.
    """
    value, grads = jax.value_and_grad(loss, has_aux=has_aux)(params, *args)
    return *optimizer.step(params, grads), value


def target_of(networks):
    """A copy of ``networks`` that follows them by ``polyak_update``, in its own memory."""
    return jax.tree.map(jnp.copy, networks)


def polyak_update(target, networks, polyak):  # (1)
    """``polyak * target + (1 - polyak) * networks``."""
    return jax.tree.map(lambda t, p: polyak * t + (1 - polyak) * p, target, networks)
