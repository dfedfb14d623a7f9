"""``ExperimentGrid``: a training function run with every combination of hyperparameter values."""

import itertools
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spinup import user_config
from spinup.errors import UserError
from spinup.experiments.experiment import readable
from spinup.experiments.launch import choose_launcher, experiment_in, launch
from spinup.experiments.names import path_safe, shorten
from spinup.mpi.tools import only_first
from spinup.records.console import say


class _Parameter(NamedTuple):
    key: str
    values: list
    shorthand: str | None
    in_name: bool

    def is_named(self) -> bool:
        """Whether experiment names include this parameter; never the seed, which is in run directories' names."""
        return (len(self.values) > 1 or self.in_name) and self.key != "seed"

    @property
    def label(self) -> str:
        return path_safe(self.key if self.shorthand is None else self.shorthand)

    def name_of(self, value: Any) -> str:
        """The part of an experiment name for ``value``; False has none, unless ``in_name`` is set."""
        if all(isinstance(v, bool) for v in self.values) and (value or not self.in_name):
            return f"_{self.label}" if value else ""
        return f"_{self.label}{path_safe(value)}"


def set_the_same(key: str, other: str) -> bool:
    """Whether two parameters set the same thing, as ``a`` and ``a:b`` do."""
    return f"{key}:".startswith(f"{other}:") or f"{other}:".startswith(f"{key}:")


class ExperimentGrid:
    """Run a training function over every combination of hyperparameter values.

    Example:
        >>> grid = ExperimentGrid(name="ppo-bench")
        >>> grid.add("env_name", "CartPole-v1", "", True)
        >>> grid.add("ac_kwargs:hidden_sizes", [(32,), (64, 64)], "hid")
        >>> grid.add("seed", [0, 10, 20])
        >>> variants = grid.variants()
        >>> len(variants), variants[0]
        (6, {'env_name': 'CartPole-v1', 'ac_kwargs': {'hidden_sizes': (32,)}, 'seed': 0})
        >>> grid.variant_name(variants[0]), grid.variant_name(variants[5])
        ('ppo-bench_cartpole-v1_hid32', 'ppo-bench_cartpole-v1_hid64-64')

        ``grid.run(ppo_pytorch)`` trains all six, in directories of these names.

    Args:
        name: prefix of the names of all its experiments.
    """

    def __init__(self, name: str = ""):
        self.name = name
        self._parameters: dict[str, _Parameter] = {}

    def add(self, key: str, vals: Any, shorthand: str | None = None, in_name: bool = False) -> None:
        """Add a parameter.

        Args:
            key: name of the parameter; ``'a:b'`` sets entry ``b`` of the dict ``a``.
            vals: a list of values, or one value.
            shorthand: replaces ``key`` in experiment names. None: an abbreviation of ``key``, or the whole ``key`` if
                ``user_config.DEFAULT_SHORTHAND`` is off.
            in_name: include the parameter in experiment names even if it has only one value, or is false.

        Raises:
            UserError: for an empty list or key, or a key already added (``'a'`` and ``'a:b'`` exclude each other).
        """
        if not isinstance(key, str) or not all(key.split(":")):
            raise UserError(f"{key!r} is not the name of a parameter: expected one such as 'gamma' or 'ac_kwargs:act'.")
        values = list(vals) if isinstance(vals, list) else [vals]
        if not values:
            raise UserError(f"The parameter {key!r} has no values: give at least one.")
        for other in self._parameters:
            if set_the_same(key, other):
                raise UserError(f"The parameters {other!r} and {key!r} set the same thing: leave one out.")
        if shorthand is None and user_config.DEFAULT_SHORTHAND:
            shorthand = shorten(key)
        self._parameters[key] = _Parameter(key, values, shorthand, in_name)

    def variants(self) -> list[dict[str, Any]]:
        """Every combination of values as a dict of keyword arguments; the first key added varies slowest."""
        keys = list(self._parameters)
        combinations = itertools.product(*(p.values for p in self._parameters.values()))
        return [_nest(dict(zip(keys, values))) for values in combinations]

    def variant_name(self, variant: Mapping[str, Any]) -> str:
        """The experiment name of a variant: the grid's name, then each parameter that varies (never the seed)."""
        named = (p for p in self._parameters.values() if p.is_named())
        return (self.name + "".join(p.name_of(_look_up(variant, p.key)) for p in named)).lstrip("_")

    @only_first
    def print(self) -> None:
        """Print each parameter with its shorthand and values, and the number of variants."""
        rows = [("parameter", "shorthand", "values")]
        rows += [
            (p.key, p.label if p.is_named() else "", ", ".join(map(readable, p.values)))
            for p in self._parameters.values()
        ]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        counts = {p.key: len(p.values) for p in self._parameters.values()}
        say(f"\nExperiment grid {self.name!r}\n")
        for key, shorthand, values in rows:
            say(f"  {key:{widths[0]}}  {shorthand:{widths[1]}}  {values}")
        say(f"\n  Variants, counting seeds:      {math.prod(counts.values())}")
        say(f"  Variants, not counting seeds:  {math.prod(counts.values()) // counts.get('seed', 1)}")

    def run(
        self,
        thunk: Callable | str,
        num_cpu: int | str = 1,
        data_dir: str | os.PathLike | None = None,
        datestamp: bool = False,
        overwrite: bool = False,
        jobs: int | str | None = None,
        retries: int | None = None,
        launcher: str = "local",
        ray_address: str | None = None,
        cpus_per_run: float | None = None,
        gpus_per_run: float | None = None,
        track: Sequence[str] = (),
    ) -> list[Path]:
        """Check all variants, then run each as :func:`call_experiment` does.

        With ``jobs`` (even 1) or on a Ray cluster, the output of an experiment goes to ``output.log`` in its directory,
        and a failure does not stop the others. With ``resume=True`` among the parameters, finished experiments are
        skipped.

        Args:
            thunk: a training function, or the name of a parameter of this grid whose values are such functions.
            num_cpu, data_dir, datestamp, overwrite, retries, track: see :func:`call_experiment`; ``retries`` is 3 by
                default on a Ray cluster, where machines come and go.
            jobs: number of experiments to run in parallel, or 'auto' for one on each physical core. None: one after
                the other, with their output shown, until one fails.
            launcher: 'local', or 'ray' for a Ray cluster, which runs as many in parallel as it has room for. Results
                are copied to this machine.
            ray_address: address of the cluster. None: the cluster of this machine, or else this machine alone.
            cpus_per_run, gpus_per_run: CPUs and GPUs of the cluster for each experiment; 1 and 0 by default.

        Returns:
            The output directories of the runs, in the order of :meth:`variants`.

        Raises:
            UserError: before the first experiment starts, for any mistake; also if two would save to one directory.
            ExperimentFailed: when an experiment has failed; without ``jobs``, those after it do not run.
            KeyboardInterrupt: after Ctrl-C, with a message that says what is done and how to continue.
        """
        where = choose_launcher(jobs, retries, launcher, ray_address, cpus_per_run, gpus_per_run)
        experiments = []
        for variant in self.variants():
            name = self.variant_name(variant)
            function = variant.pop(thunk, None) if isinstance(thunk, str) else thunk
            if not callable(function):
                raise UserError(f"{thunk!r} is neither a function nor a parameter of this grid that holds functions.")
            experiments.append(experiment_in(name, function, variant, data_dir, datestamp, overwrite, num_cpu, track))
        launch(experiments, where, self._report, here=launcher == "local")
        return [experiment.output_dir for experiment in experiments]

    def _report(self) -> None:
        self.print()
        time.sleep(user_config.WAIT_BEFORE_LAUNCH)


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{'a:b': 1}`` becomes ``{'a': {'b': 1}}``."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *outer, last = key.split(":")
        place = nested
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


def _look_up(variant: Mapping[str, Any], key: str) -> Any:
    value: Any = variant
    for part in key.split(":"):
        value = value[part]
    return value
