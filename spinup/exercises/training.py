"""Training an algorithm with a student's functions in the place of its own."""

import importlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from spinup.analysis.curves import read_progress
from spinup.backends import import_backend
from spinup.exercises.exercise import Training
from spinup.exercises.grading import Blank
from spinup.records.directory import PROGRESS


def load_file(file: Path) -> ModuleType:
    """The module in ``file``, as a new one; raises what its code raises.

    Nothing of it is cached: it may change twice in a second.
    """
    module = ModuleType(f"answer_in_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where dataclasses look for it
    exec(compile(file.read_bytes(), str(file), "exec"), vars(module))
    return module


def train_with(file: str, homes: dict[str, str], backend: str, algo: str, **settings: Any) -> Any:
    """Train ``algo`` with the functions named in ``homes`` taken from ``file``: they replace those of their modules.

    That cannot be undone, and JAX may have compiled the others before: call it in a process of its own.
    """
    import cloudpickle

    module = load_file(Path(file))
    cloudpickle.register_pickle_by_value(module)  # a saved agent keeps its code: nothing else could import it
    for name, home in homes.items():
        setattr(importlib.import_module(home), name, getattr(module, name))
    return getattr(import_backend(backend, algo), algo)(**settings)


def train_and_judge(
    training: Training, blanks: Sequence[Blank], file: Path, number: str, backend: str, data_dir: str, seed: int
) -> tuple[bool, np.ndarray]:
    """Train in a process of its own; returns whether the results, one an epoch, are good enough, and the results."""
    from spinup.experiments.launch import call_experiment

    homes = {blank.name: blank.home.format(backend=backend) for blank in blanks}
    thunk = partial(train_with, str(file), homes, backend, training.algo)
    name = f"exercise{number.replace('.', '_')}_{backend}_{training.settings['env_name'].partition('-')[0]}"
    run = call_experiment(name, thunk, seed=seed, data_dir=data_dir, overwrite=True, **training.settings)
    results = read_progress(run / PROGRESS)[training.column]
    return bool(training.judge(results)), results
