"""What processes of ``test_processes.py`` do: ``mpirun -n 2 python -c "import toy_mpi; toy_mpi.exchange()"``."""

import os
import signal
import sys
from types import SimpleNamespace

import numpy as np
import torch
from gymnasium import spaces
from toy_envs import Counter

from spinup.algos.pytorch import core, ppo, training, trpo, vpg
from spinup.errors import UserError
from spinup.experience.buffers import RolloutBuffer
from spinup.experience.envs import EnvFn
from spinup.experience.vector_env import Step, VectorEnv
from spinup.mpi import pytorch as mpi_pytorch
from spinup.mpi import tools as mpi_tools
from spinup.mpi.tools import mpi_op, mpi_statistics_scalar, num_procs, proc_id

ALGORITHMS = {"vpg": vpg, "trpo": trpo, "ppo": ppo}
SETTINGS = dict(ac_kwargs=dict(hidden_sizes=[8]), train_v_iters=5, num_envs=2)


# ---- exchange ----


def exchange():
    """Every function of ``mpi_tools`` between processes, two or more."""
    me, n = proc_id(), num_procs()
    assert mpi_tools.mpi_sum(1) == n and mpi_tools.mpi_avg(me) == (n - 1) / 2
    assert mpi_op(me, "max") == n - 1 and mpi_op(float(me), "min") == 0
    x = np.float32([me, 2 * me])
    assert (mpi_tools.mpi_sum(x) == np.float32([1, 2]) * n * (n - 1) / 2).all()
    assert mpi_tools.mpi_avg(x).dtype == np.float32 and x.tolist() == [me, 2 * me]
    result = np.empty(2, np.float32)
    mpi_tools.allreduce(x, result)
    assert (result == mpi_tools.mpi_sum(x)).all()
    mpi_tools.broadcast(x, root=1)
    assert x.tolist() == [1, 2]
    assert mpi_tools.broadcast({"from": me}) == {"from": 0}
    assert mpi_tools.gather(me) == (list(range(n)) if me == 0 else None)
    assert mpi_tools.scatter([f"for {i}" for i in range(n)] if me == 0 else None) == f"for {me}"
    assert mpi_tools.num_procs_here() == n
    assert mpi_tools.process_seed(3) == 3 + 10_000 * me
    assert mpi_tools.only_first(lambda: "done")() == (None if me else "done")
    statistics(me)


def statistics(me):
    """Those of numbers of which one process, or every process, may have none."""
    share, whole = np.arange(5.0) + 7 * me if me < 2 else [], np.concatenate([np.arange(5.0), np.arange(5.0) + 7])
    expected = (whole.mean(), whole.std(), whole.min(), whole.max())
    np.testing.assert_allclose(mpi_statistics_scalar(share, with_min_and_max=True), expected)
    np.testing.assert_allclose(mpi_statistics_scalar(share), expected[:2])
    only_one_has_any = np.float32([2, 4]) if me == 1 else []
    assert mpi_statistics_scalar(only_one_has_any, with_min_and_max=True) == (3, 1, 2, 4)
    assert np.isnan(mpi_statistics_scalar(np.empty(0), with_min_and_max=True)).all()


def synchronise():
    """Parameters, gradients and threads in PyTorch, for users' own scripts."""
    mpi_pytorch.setup_pytorch_for_mpi()
    assert torch.get_num_threads() <= max(1, os.cpu_count() // num_procs())
    torch.manual_seed(proc_id())
    net, lazy = torch.nn.Linear(3, 2), torch.nn.Linear(1, 1)
    mpi_pytorch.sync_params(net)
    torch.manual_seed(0)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), torch.nn.Linear(3, 2).parameters()))
    net(torch.ones(3)).sum().mul(proc_id() + 1).backward()
    mpi_pytorch.mpi_avg_grads(net)
    mpi_pytorch.mpi_avg_grads(lazy)  # has no gradients yet
    assert all((p.grad == (num_procs() + 1) / 2).all() for p in net.parameters())


# ---- one epoch of learning, split among the processes ----


def batch_of_this_process(ac):
    """This process's share of one rollout, that of 4 environments, with its advantages."""
    rng, steps = np.random.default_rng(0), 16
    o, a, o2 = (rng.normal(size=(steps, 4, width)).astype(np.float32) for width in (3, 2, 3))
    r, d = 3 * rng.normal(size=(steps, 4)) + np.arange(4), rng.random((steps, 4)) < 0.1
    buffer = RolloutBuffer(0.99, 0.97)
    mine = slice(4 * proc_id() // num_procs(), 4 * (proc_id() + 1) // num_procs())
    for t in range(steps):
        now = [x[t, mine] for x in (o2, r, d, d)]
        buffer.store(o[t, mine], a[t, mine], Step(*now, now[0], *np.empty((2, 0))))
    batch = buffer.finish(lambda obs: core.evaluate(ac.v, obs))
    return type(batch)(*(torch.as_tensor(x).double() for x in batch))


def improve(algorithm, **settings):
    """Start with the same agent in every process and ``update`` it; returns its parameters and what was logged."""
    torch.manual_seed(3)
    space = spaces.Box(-np.inf, np.inf, (3,)), spaces.Box(-1, 1, (2,))
    ac = core.MLPActorCritic(*space, hidden_sizes=[8])
    batch = batch_of_this_process(ac)
    ac.double()
    optimizers = dict(pi_optimizer=training.Adam(3e-3, ac.pi), v_optimizer=training.Adam(1e-2, ac.v))
    if algorithm == "trpo":
        del optimizers["pi_optimizer"]
    module, constants = ALGORITHMS[algorithm], {"vpg": VPG, "trpo": TRPO, "ppo": PPO}[algorithm]
    _, log = module.update(module.Learner(ac, **optimizers), batch, **constants | settings)
    theta = torch.nn.utils.parameters_to_vector(ac.parameters()).detach().numpy()
    return theta, {key: mpi_tools.mpi_avg(value) for key, value in log.items()}


VPG = dict(train_v_iters=20)
PPO = dict(clip_ratio=0.2, target_kl=0.01, train_pi_iters=80, train_v_iters=20)
TRPO = dict(
    algo="trpo", delta=0.01, damping_coeff=0.1, cg_iters=10, backtrack_iters=10, backtrack_coeff=0.8, train_v_iters=20
)


def improve_all(file):
    """Write what every algorithm makes of its share, from every process, to ``file``."""
    found = {algorithm: mpi_tools.gather(improve(algorithm)) for algorithm in ALGORITHMS}
    if proc_id() == 0:
        torch.save(found, file)


def split_gradient(file):
    """In single precision, and through ``minimize``: the gradient of a squared error over this process's share."""
    torch.manual_seed(0)
    net, x = torch.nn.Linear(3, 1), torch.randn(64, 3)
    mine = x[64 * proc_id() // num_procs() : 64 * (proc_id() + 1) // num_procs()]

    found = []
    optimizer = SimpleNamespace(params=list(net.parameters()), step=found.extend)
    training.minimize(optimizer, (net(mine) ** 2).mean())
    if proc_id() == 0:
        torch.save(found, file)


# ---- whole runs ----


class Counted(Counter):
    """Counts the steps of all its copies in this process, and pays more in later processes."""

    steps = 0

    def step(self, action):
        Counted.steps += 1
        o2, r, *rest = super().step(action)
        return o2, r + 100 * proc_id(), *rest


def train_all():
    """Train by each algorithm, twice; the agents of all processes must be equal, and their work shared."""
    for name, module in ALGORITHMS.items():
        for run in ("first", "again"):
            Counted.steps = 0
            output = dict(output_dir=f"{name}_{run}")
            settings = SETTINGS | dict(steps_per_epoch=24, epochs=3, logger_kwargs=output)
            ac = getattr(module, name)(lambda: Counted(length=10), **settings)
            assert Counted.steps == 3 * 24 // num_procs()
            theta = torch.nn.utils.parameters_to_vector(ac.parameters()).detach().numpy()
            assert all((theta == other).all() for other in mpi_tools.gather(theta) or [])


def train(run, **settings):
    """Train by PPO on CartPole; returns the parameters."""
    settings = SETTINGS | dict(steps_per_epoch=80, save_freq=1, logger_kwargs=dict(output_dir=run)) | settings
    return torch.nn.utils.parameters_to_vector(ppo.ppo(EnvFn("CartPole-v1"), **settings).parameters())


def train_and_resume():
    """A run that is resumed ends as one that was never interrupted, with the same parameters in every process."""
    whole = train("whole", epochs=4)
    train("run", epochs=2)
    assert torch.equal(train("run", epochs=4, resume=True), whole)


def train_apart():
    """Environments and actions differ between processes."""
    training.start(3, "cpu")
    starts = mpi_tools.gather((VectorEnv(EnvFn("CartPole-v1"), 1, 3).reset(), np.random.rand(), torch.rand(1)))
    if starts:
        (o, x, y), *others = starts
        assert all((o != other[0]).all() and x != other[1] and y != other[2] for other in others)


class Dying(Counter):
    """At step 7 of the last process, or of every process, something goes wrong."""

    def __init__(self, how):
        super().__init__()
        self.how, self.steps = how, 0
        if how == "before" and proc_id() == 1:
            raise RuntimeError("boom")

    def step(self, action):
        self.steps += 1
        if self.steps == 7:
            if self.how == "everywhere" or (proc_id() == 1 and self.how == "raise"):
                raise RuntimeError("boom")
            if self.how == "kill" and proc_id() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "exit" and proc_id() == 1:
                sys.exit("boom")
            if self.how == "mistake":
                raise UserError("boom is invalid.")
        return super().step(action)


def die(how):
    """Train until something goes wrong, as ``how`` says."""
    vpg.vpg(lambda: Dying(how), steps_per_epoch=24, epochs=50, logger_kwargs=dict(output_dir="run"), **SETTINGS)
    print("the end")
