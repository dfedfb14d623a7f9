"""One experiment: the call of a training function, and where its run is saved."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinup.experience.envs import EnvFn
from spinup.experiments.cores import check_num_cpu
from spinup.hyperparameters import with_defaults
from spinup.records.directory import holds_run, is_finished, last_epoch


@dataclass(frozen=True)
class Experiment:
    """One call ``thunk(**kwargs)``; ``config`` is how its settings are shown to the user before it starts.

    ``num_cpu`` processes make it together, connected by MPI.
    """

    name: str
    thunk: Callable
    kwargs: dict[str, Any]
    config: dict[str, Any]
    num_cpu: int = 1

    @property
    def output_dir(self) -> Path:
        return Path(self.kwargs["logger_kwargs"]["output_dir"])

    @property
    def can_resume(self) -> bool:
        """Whether its function continues from its last checkpoint when given ``resume=True``."""
        return "resume" in inspect.signature(self.thunk).parameters

    @property
    def resumes(self) -> bool:
        """Whether it continues the run that its directory may hold."""
        return bool(self.kwargs.get("resume"))

    @property
    def is_finished(self) -> bool:
        """Whether its run has finished."""
        return self.resumes and is_finished(self.output_dir, self.epochs)

    @property
    def epochs(self) -> int | None:
        """How many it is to have; None if only its function knows."""
        return with_defaults(self.thunk, self.kwargs).get("epochs")

    def stamp(self) -> int | None:
        """When the run in its directory began, in nanoseconds; None if there is none."""
        try:
            return (self.output_dir / "config.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def is_untouched(self, stamp: int | None) -> bool:
        """Whether its directory still holds the older run whose ``stamp`` this is."""
        return stamp is not None and stamp == self.stamp()

    def again(self, stamp: int | None) -> "Experiment":
        """The experiment to run after a crash; ``stamp`` is the one from before the first attempt.

        It continues from the last checkpoint. Without one, or if the function takes no ``resume``, it starts again,
        and what the crash left is replaced. Unless the crash came before anything was written: then the directory is
        still as the first attempt found it, and so is the second.
        """
        if self.is_untouched(stamp):
            return self
        logger_kwargs = {key: value for key, value in self.kwargs["logger_kwargs"].items() if key != "overwrite"}
        if self.can_resume and (last_epoch(self.output_dir) is not None or not holds_run(self.output_dir)):
            return replace(self, kwargs=self.kwargs | {"resume": True, "logger_kwargs": logger_kwargs})
        kwargs = {key: value for key, value in self.kwargs.items() if key != "resume"}
        return replace(self, kwargs=kwargs | {"logger_kwargs": logger_kwargs | {"overwrite": True}})


def readable(value: Any) -> str:
    """Show a value to a person: callables by their dotted name, the rest as Python writes it."""
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def experiment_of(
    exp_name: str,
    thunk: Callable,
    settings: Mapping[str, Any],
    logger_kwargs: dict[str, Any],
    num_cpu: int | str = 1,
) -> Experiment:
    """The call of ``thunk`` with ``settings``, among which ``env_name`` (and ``env_kwargs``) become ``env_fn``."""
    config = {key: value for key, value in settings.items() if key != "logger_kwargs"}
    kwargs = {**config, "logger_kwargs": logger_kwargs}
    if "env_name" in kwargs:
        kwargs["env_fn"] = EnvFn(kwargs.pop("env_name"), kwargs.pop("env_kwargs", None))
    return Experiment(exp_name, thunk, kwargs, config, check_num_cpu(num_cpu))
