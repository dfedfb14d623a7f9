"""How each library trains for a measurement: ours, Stable-Baselines3, and SBX, which shares the latter's interface.

Every trainer returns how many seconds the epochs after the first took, their environment steps per second, their
gradient steps per second of learning, and the policy and value steps of an epoch (0 off-policy).
"""

import importlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import THREADS
from bench.speed.tasks import MODULES, ON_POLICY, OURS, SB3, Settings
from spinup.analysis.curves import read_progress
from spinup.experience.buffers import Batch, ReplayBuffer
from spinup.experience.envs import EnvFn

EPSILON = 0.05


class Stopwatch:
    """Records how long functions take; ``wait`` waits for their results, because JAX computes in the background."""

    def __init__(self, wait: Callable[[Any], Any] = lambda result: result):
        self.seconds: list[float] = []
        self._wait = wait

    def around(self, function: Callable) -> Callable:
        """Return ``function``, timed."""

        def timed(*args, **kwargs):
            start = time.perf_counter()
            result = self._wait(function(*args, **kwargs))
            self.seconds.append(time.perf_counter() - start)
            return result

        return timed


def train(env: str, library: str, algorithm: str, settings: Settings, epochs: int) -> dict[str, float]:
    """Train once, and return the speeds."""
    if library in OURS:
        return train_ours(env, OURS[library], algorithm, settings, epochs)
    return train_theirs(env, MODULES[library], algorithm, settings, epochs)


def _speeds(settings: Settings, epochs: int, seconds: float, learning: float, steps: tuple[float, float]) -> dict:
    """Speeds over the epochs after the first; ``steps`` are the policy and value steps of an epoch."""
    env_steps = settings.steps_per_epoch * (epochs - 1)
    gradient_steps = sum(steps) * (epochs - 1) if any(steps) else env_steps
    return {
        "seconds": seconds,
        "steps_per_second": env_steps / seconds,
        "gradient_steps_per_second": gradient_steps / learning,
        "policy_steps": steps[0],
        "value_steps": steps[1],
    }


# ---- ours ----


def train_ours(env: str, backend: str, algorithm: str, settings: Settings, epochs: int) -> dict[str, float]:
    """Train an algorithm of ours, without test episodes, because the other libraries do not run any either."""
    module: Any = importlib.import_module(f"spinup.algos.{backend}.{algorithm}")
    stopwatch = Stopwatch(importlib.import_module("jax").block_until_ready) if backend == "jax" else Stopwatch()
    module.update = stopwatch.around(module.update)
    on_policy = algorithm in ON_POLICY
    if not on_policy:
        buffer = FullReplayBuffer if settings.replay_is_full else ReplayBuffer
        buffer.sample = stopwatch.around(buffer.sample)
        module.ReplayBuffer = buffer
        module.test_agent = lambda *_, **__: {"TestEpRet": 0.0, "TestEpLen": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        keywords = (on_policy_keywords if on_policy else off_policy_keywords)(algorithm, settings)
        getattr(module, algorithm)(EnvFn(env), epochs=epochs, logger_kwargs={"output_dir": folder}, **keywords)
        log = read_progress(Path(folder, "progress.txt"))
    phases = epochs - 1 if on_policy else 2 * (epochs - 1) * settings.steps_per_epoch // settings.update_every
    stopped = log["StopIter"][1:].mean() if "StopIter" in log else settings.policy_steps
    learning = sum(stopwatch.seconds[-phases:])  # off-policy, each phase samples, then updates
    return _speeds(settings, epochs, log["Time"][-1] - log["Time"][0], learning, (stopped, settings.value_steps))


def on_policy_keywords(algorithm: str, settings: Settings) -> dict[str, Any]:
    """``settings`` as keywords of our training functions."""
    keywords = {
        "ac_kwargs": {"hidden_sizes": list(settings.hidden_sizes)},
        "steps_per_epoch": settings.steps_per_epoch,
        "num_envs": settings.num_envs,
        "max_ep_len": settings.max_ep_len,
        "train_v_iters": settings.value_steps,
        "vf_lr": settings.learning_rate,
    }
    if algorithm != "trpo":  # whose policy steps have no learning rate
        keywords["pi_lr"] = settings.learning_rate
    if algorithm == "ppo":
        keywords |= {"train_pi_iters": settings.policy_steps, "target_kl": settings.target_kl}
    return keywords


def off_policy_keywords(algorithm: str, settings: Settings) -> dict[str, Any]:
    """``settings`` as keywords of our training functions."""
    keywords = {
        "ac_kwargs": {"hidden_sizes": list(settings.hidden_sizes)},
        "steps_per_epoch": settings.steps_per_epoch,
        "num_envs": settings.num_envs,
        "max_ep_len": settings.max_ep_len,
        "batch_size": settings.batch_size,
        "update_every": settings.update_every,
        "update_after": settings.steps_per_epoch // 2,
        "replay_size": settings.replay_size,
    }
    rate = settings.learning_rate
    if algorithm == "dqn":
        plain = {"double_q": False, "loss": "huber", "epsilon": EPSILON, "epsilon_start": EPSILON}
        return keywords | plain | {"q_lr": rate}
    keywords["start_steps"] = settings.steps_per_epoch // 2
    return keywords | ({"alpha": settings.alpha, "lr": rate} if algorithm == "sac" else {"pi_lr": rate, "q_lr": rate})


class FullReplayBuffer(ReplayBuffer):
    """A replay buffer that begins full of random transitions, which checkpoints leave out."""

    def __init__(self, observation_space, action_space, size):
        super().__init__(observation_space, action_space, size)
        rng = np.random.default_rng(0)
        for column in self._data:
            column[...] = rng.random(column.shape, np.float32)
        self.stored = self._filling = size

    def since(self, start: int) -> tuple[int, Batch]:
        return super().since(max(start, self._filling))


# ---- ours in several processes, started from the command line as a user starts them ----


def train_in_processes(
    env: str, library: str, algorithm: str, settings: Settings, epochs: int, process_flag: str, processes: int
) -> dict[str, float]:
    """Train ``processes`` seeds side by side (``--jobs``) or one run in ``processes`` processes (``--cpu``).

    The launcher divides the cores among them. The speed is that of all together, while all of them train: that lasts
    ``seconds``, which is 0 if they hardly overlap.
    """
    seeds = range(processes if process_flag == "jobs" else 1)
    flags = on_policy_keywords(algorithm, settings) | {"env": env, "epochs": epochs, process_flag: processes}
    flags["hid"] = flags.pop("ac_kwargs")["hidden_sizes"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "spinup.run", f"{algorithm}_{OURS[library]}", f"--data_dir={folder}"]
        command += [*(f"--{key}={value}" for key, value in flags.items()), "--seed", *map(str, seeds)]
        environment = {key: value for key, value in os.environ.items() if key not in THREADS}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        seconds, speed = speed_together([*Path(folder).rglob("progress.txt")], settings.steps_per_epoch)
    steps = {"policy_steps": settings.policy_steps, "value_steps": settings.value_steps}
    return {"seconds": seconds, "steps_per_second": speed} | steps


def speed_together(logs: Sequence[Path], steps_per_epoch: int) -> tuple[float, float]:
    """For how many seconds all runs train at the same time, and their steps per second in that time.

    That time begins when the last run ends its first epoch, and ends when the first run ends its last epoch: every run
    trains, none starts or compiles, and none uses the cores of a run that has ended. An epoch that lies partly inside
    counts by that share of its steps. The clocks of the runs are aligned by the modification times of ``progress.txt``,
    which is last written when the last epoch ends.

    Returns:
        Zeros if that time is shorter than half of what the quickest run took after its first epoch. If runs follow one
        another (more seeds than jobs), there is no such time at all.
    """
    ends = [log.stat().st_mtime + times - times[-1] for log in logs for times in [read_progress(log)["Time"]]]
    start, stop = max(times[0] for times in ends), min(times[-1] for times in ends)
    if stop - start < 0.5 * min(times[-1] - times[0] for times in ends):
        return 0.0, 0.0
    epochs = sum(np.diff(np.interp([start, stop], times, range(len(times)))).item() for times in ends)
    return stop - start, steps_per_epoch * epochs / (stop - start)


# ---- Stable-Baselines3, and libraries with its interface ----


def train_theirs(env: str, module: str, algorithm: str, settings: Settings, epochs: int) -> dict[str, float]:
    """Train an agent of Stable-Baselines3, or of a ``module`` with the same interface."""
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(env, n_envs=settings.num_envs, seed=0)
    make = _on_policy_agent if algorithm in ON_POLICY else _off_policy_agent
    agent = make(module, algorithm, settings)("MlpPolicy", envs, device="cpu", seed=0, gamma=0.99)
    stopwatch = Stopwatch()
    agent.train = stopwatch.around(agent.train)
    agent.learn(settings.steps_per_epoch)
    stopwatch.seconds.clear()
    before = optimiser_steps(agent) if settings.target_kl else 0
    start = time.perf_counter()
    agent.learn(settings.steps_per_epoch * (epochs - 1), reset_num_timesteps=False)
    seconds = time.perf_counter() - start
    steps: tuple[float, float] = (settings.policy_steps, settings.value_steps)
    if settings.target_kl:  # each step moves policy and value
        steps = ((optimiser_steps(agent) - before) / (epochs - 1),) * 2
    return _speeds(settings, epochs, seconds, sum(stopwatch.seconds), steps)


def optimiser_steps(agent) -> float:
    """How many steps the optimiser of a PyTorch agent has taken."""
    return float(next(iter(agent.policy.optimizer.state.values()))["step"])


def _on_policy_agent(module: str, algorithm: str, settings: Settings) -> Callable:
    keywords: dict[str, Any] = {
        "n_steps": settings.steps_per_epoch // settings.num_envs,
        "learning_rate": settings.learning_rate,
        "gae_lambda": 0.97,
        "policy_kwargs": {"net_arch": {name: list(settings.hidden_sizes) for name in ("pi", "vf")}},  # tanh, by default
    }
    if algorithm == "vpg":
        keywords |= {"use_rms_prop": False, "normalize_advantage": True, "max_grad_norm": math.inf}
        return partial(importlib.import_module(module).A2C, **keywords)
    keywords["batch_size"] = settings.steps_per_epoch
    if algorithm == "trpo":
        keywords |= {"n_critic_updates": settings.value_steps, "cg_max_steps": 10}
        return partial(importlib.import_module("sb3_contrib").TRPO, **keywords)
    keywords |= {"n_epochs": settings.policy_steps, "target_kl": settings.target_kl, "max_grad_norm": math.inf}
    return partial(importlib.import_module(module).PPO, **keywords)


def _off_policy_agent(module: str, algorithm: str, settings: Settings) -> Callable:
    keywords: dict[str, Any] = {
        "learning_rate": settings.learning_rate,
        "learning_starts": settings.steps_per_epoch // 2,
        "train_freq": settings.update_every,
        "gradient_steps": settings.update_every,
        "batch_size": settings.batch_size,
        "buffer_size": settings.replay_size,
        "tau": 0.005,
        "policy_kwargs": {"net_arch": list(settings.hidden_sizes)},
    }
    if algorithm == "dqn":
        keywords |= {"target_update_interval": 1, "exploration_initial_eps": EPSILON, "exploration_final_eps": EPSILON}
        keywords |= {"max_grad_norm": math.inf} if module == MODULES[SB3] else {}  # SBX does not clip
    elif algorithm == "sac":
        keywords["ent_coef"] = settings.alpha
    agent = partial(getattr(importlib.import_module(module), algorithm.upper()), **keywords)
    return _with_noise(agent) if algorithm in ("ddpg", "td3") else agent


def _with_noise(agent: Callable) -> Callable:
    """``agent``, exploring with Gaussian noise of deviation 0.1."""
    from stable_baselines3.common.noise import NormalActionNoise

    def make(policy, envs, **keywords):
        act_dim = envs.action_space.shape[0]
        return agent(policy, envs, action_noise=NormalActionNoise(np.zeros(act_dim), np.full(act_dim, 0.1)), **keywords)

    return make
