"""Spinning Up in Deep RL, rebuilt: readable, correct, fast implementations of VPG, TRPO, PPO, DQN, DDPG, TD3, SAC.

``from spinup import ppo_pytorch as ppo`` gives a training function; ``spinup`` is the command line.
Nothing here imports a framework: every name below is loaded when it is first used.
"""

import importlib
import sys

from spinup.backends import algorithms, import_backend, no_such_name

__version__ = "1.0.0.dev0"

ALGORITHMS = algorithms()  # by backend, in the order of the course

_HOMES = {
    "Logger": "spinup.records.logger.Logger",
    "EpochLogger": "spinup.records.logger.EpochLogger",
    "ExperimentGrid": "spinup.experiments.grid.ExperimentGrid",
    "load": "spinup.records.agents.load",
    "plot": "spinup.analysis.plot.make_plots",
}
_ALGOS = {f"{algo}_{backend}": (backend, algo) for backend, algos in ALGORITHMS.items() for algo in algos}

__all__ = ["ALGORITHMS", *_HOMES, *_ALGOS]


def __getattr__(name: str):
    if name in _ALGOS:
        backend, algo = _ALGOS[name]
        return getattr(import_backend(backend, algo), algo)
    if name in _HOMES:
        module, _, original = _HOMES[name].rpartition(".")
        return getattr(importlib.import_module(module), original)
    raise no_such_name(__name__, name)


def __dir__():
    return sorted([*globals(), *_HOMES, *_ALGOS])


if "torch" in sys.modules:  # registers our classes, so that torch.load() of a saved agent works with its safe defaults
    import_backend("pytorch", "core")
