"""One experiment: a call of a training function, and the directory of its run."""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinup.errors import UserError
from spinup.experience.envs import EnvFn, as_env_fn
from spinup.experiments.cores import check_num_cpu
from spinup.hyperparameters import with_defaults
from spinup.records.config import dotted_name
from spinup.records.directory import holds_run, is_finished, last_epoch


@dataclass(frozen=True)
class Experiment:
    """One call ``thunk(**kwargs)``, made by ``num_cpu`` processes that MPI connects.

    ``config`` holds its settings as they are shown to the user before it starts.
    """

    name: str
    thunk: Callable
    kwargs: dict[str, Any]
    config: dict[str, Any]
    num_cpu: int = 1

    @property
    def output_dir(self) -> Path:
        return Path(os.path.expanduser(self.kwargs["logger_kwargs"]["output_dir"]))

    @property
    def can_resume(self) -> bool:
        """Whether its function takes ``resume``, and so can continue from its last checkpoint."""
        return "resume" in inspect.signature(self.thunk).parameters

    @property
    def resumes(self) -> bool:
        """Whether it continues the run in its directory, if there is one."""
        return bool(self.kwargs.get("resume"))

    @property
    def is_finished(self) -> bool:
        """Whether it resumes a run that has already finished."""
        return self.resumes and is_finished(self.output_dir, self.epochs)

    @property
    def epochs(self) -> int | None:
        """The number of epochs to train; None if ``thunk`` has no such argument."""
        return with_defaults(self.thunk, self.kwargs).get("epochs")

    def stamp(self) -> int | None:
        """The start time of the run in its directory, in nanoseconds; None if there is no run."""
        try:
            return (self.output_dir / "config.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def is_untouched(self, stamp: int | None) -> bool:
        """Whether its directory still holds the earlier run with this ``stamp``."""
        return stamp is not None and stamp == self.stamp()

    def again(self, stamp: int | None) -> "Experiment":
        """The experiment to run after a crash; ``stamp`` is from before the first attempt.

        It continues from the last checkpoint. Without one, or if the function takes no ``resume``, it starts from the
        beginning and replaces the files of the crashed attempt. If the crash came before anything was written, the
        directory is unchanged, and so is the experiment.
        """
        if self.is_untouched(stamp):
            return self
        logger_kwargs = {key: value for key, value in self.kwargs["logger_kwargs"].items() if key != "overwrite"}
        if self.can_resume and (last_epoch(self.output_dir) is not None or not holds_run(self.output_dir)):
            return replace(self, kwargs=self.kwargs | {"resume": True, "logger_kwargs": logger_kwargs})
        kwargs = {key: value for key, value in self.kwargs.items() if key != "resume"}
        return replace(self, kwargs=kwargs | {"logger_kwargs": logger_kwargs | {"overwrite": True}})


def readable(value: Any) -> str:
    """``value`` as text for the user: the dotted name of a function or class, else its ``repr``."""
    return dotted_name(value) if hasattr(value, "__qualname__") else repr(value)


def experiment_of(
    exp_name: str,
    thunk: Callable,
    settings: Mapping[str, Any],
    logger_kwargs: dict[str, Any],
    num_cpu: int | str = 1,
) -> Experiment:
    """The experiment that calls ``thunk`` with ``settings``; ``env_name`` and ``env_kwargs`` become ``env_fn``."""
    config = {key: value for key, value in settings.items() if key != "logger_kwargs"}
    kwargs = {**config, "logger_kwargs": logger_kwargs}
    if "env_name" in kwargs and "env_fn" in kwargs:
        raise UserError("env_name and env_fn both choose the environment: leave one out.")
    if "env_name" in kwargs:
        kwargs["env_fn"] = EnvFn(kwargs.pop("env_name"), kwargs.pop("env_kwargs", None))
    elif "env_fn" in kwargs:
        kwargs["env_fn"] = as_env_fn(kwargs["env_fn"])
    return Experiment(exp_name, thunk, kwargs, config, check_num_cpu(num_cpu))
