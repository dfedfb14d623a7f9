"""Experiments: how they are named and started, alone (``call_experiment``) or as an ``ExperimentGrid``."""

import itertools
import json
import math
import os
import re
import shlex
import string
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spinup import user_config
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.experiments.launchers import in_parallel as parallel
from spinup.experiments.launchers.in_series import Experiment, readable, run_in_series
from spinup.experiments.launchers.on_ray import Cluster, run_on_ray
from spinup.experiments.preflight import check_devices, check_experiments, check_launcher, check_num_cpu, check_retries
from spinup.mpi.tools import only_first
from spinup.records.logger import colorize

# ---- names ----


def path_safe(value: Any) -> str:
    """Write ``value`` with letters, digits, ``-`` and ``_`` only, in lower case: ``0.1`` is ``0-1``.

    Callables go by their ``__name__``; the items of lists and tuples are joined with ``-``.
    """
    if isinstance(value, list | tuple):
        return "-".join(path_safe(item) for item in value)
    text = str(getattr(value, "__name__", value)).lower()
    return re.sub(r"[^a-z0-9_-]", "-", text)


def shorten(key: str) -> str:
    """The first three characters of each part of ``key``: ``ac_kwargs:act`` is ``ac-act``, ``pi_lr`` is ``pi``."""
    kept = string.ascii_letters + string.digits
    return "-".join("".join(c for c in part[:3] if c in kept) for part in key.split(":"))


def setup_logger_kwargs(
    exp_name: str, seed: int | None = None, data_dir: str | os.PathLike | None = None, datestamp: bool = False
) -> dict[str, str]:
    """Choose where an experiment saves: returns the ``output_dir`` and ``exp_name`` for a ``Logger``.

    The directory is ``data_dir/exp_name``, with a seed ``data_dir/exp_name/exp_name_s<seed>``, and with a datestamp
    ``data_dir/YY-MM-DD_exp_name/YY-MM-DD_HH-MM-SS-exp_name_s<seed>``.

    Args:
        exp_name: name of the experiment.
        seed: seed of this run of it.
        data_dir: where results are kept; ``user_config.DEFAULT_DATA_DIR`` if None.
        datestamp: put date and time into the names (``user_config.FORCE_DATESTAMP`` does so always).

    Raises:
        UserError: ``exp_name`` cannot be the name of a directory.
    """
    _check_name(exp_name)
    stamped = datestamp or user_config.FORCE_DATESTAMP
    now = time.localtime()
    output_dir = Path(data_dir or user_config.DEFAULT_DATA_DIR)
    output_dir /= (time.strftime("%y-%m-%d_", now) if stamped else "") + exp_name
    if seed is not None:
        output_dir /= (time.strftime("%y-%m-%d_%H-%M-%S-", now) if stamped else "") + f"{exp_name}_s{seed}"
    return {"output_dir": str(output_dir), "exp_name": exp_name}


def _check_name(exp_name: str) -> None:
    if not isinstance(exp_name, str) or not exp_name.strip(". ") or re.search(r'[<>:"/\\|?*\x00-\x1f]', exp_name):
        raise UserError(
            f"exp_name={exp_name!r} cannot name a directory: use letters, digits, '-', '_' and '.', "
            "and say where to save with data_dir."
        )
    if len(exp_name) > 200:
        raise UserError(
            f"The experiment name {exp_name[:40]}... has {len(exp_name)} characters, too long for a directory: "
            "give short values or vary fewer parameters."
        )


# ---- one experiment ----

Launcher = Callable[[Sequence[Experiment]], None]


def call_experiment(
    exp_name: str,
    thunk: Callable,
    seed: int = 0,
    num_cpu: int | str = 1,
    data_dir: str | os.PathLike | None = None,
    datestamp: bool = False,
    overwrite: bool = False,
    retries: int = 0,
    track: Sequence[str] = (),
    **kwargs: Any,
) -> None:
    """Run ``thunk(seed=seed, logger_kwargs=..., **kwargs)`` in a process of its own, or several.

    ``env_name`` (and ``env_kwargs``) among ``kwargs`` become ``env_fn``, a function that builds the environment.

    Args:
        exp_name: name of the experiment, and of its directory.
        thunk: a training function; one defined in the running script works too.
        seed: int >= 0.
        num_cpu: number of processes that train together over MPI, or 'auto' for the number of physical cores.
        data_dir, datestamp: see :func:`setup_logger_kwargs`.
        overwrite: write over a run that is already in the directory, instead of refusing.
        retries: how many times more to try after a crash (but not after a mistake of the user): from the last
            checkpoint if ``thunk`` takes ``resume``, else from the beginning. Not at all by default.
        track: services that show its rows too: ``['tensorboard', 'wandb']`` or one of them.
        **kwargs: hyperparameters for ``thunk``.

    Raises:
        UserError: before anything runs or is written, for a wrong argument or a directory that holds a run.
        SystemExit: when the experiment fails or is interrupted (see ``launchers.run_in_series``).
    """
    variant = {"seed": seed, **kwargs}
    experiment = _experiment(exp_name, thunk, variant, data_dir, datestamp, overwrite, num_cpu, track)
    launch([experiment], choose_launcher(retries=retries))


def launch(
    experiments: Sequence[Experiment],
    launcher: Launcher | None = None,
    report: Callable[[], None] | None = None,
    here: bool = True,
) -> None:
    """Check all ``experiments``, ``report``, then run them; see :func:`call_experiment` for what is raised.

    ``here`` says that they run on this machine, which has to have their devices then.
    """
    check_experiments(experiments)
    if here:
        check_devices(experiments)
    if report:
        report()
    (launcher or choose_launcher())(experiments)


def choose_launcher(
    jobs: int | str | None = None,
    retries: int | None = None,
    launcher: str = "local",
    ray_address: str | None = None,
    cpus_per_run: float | None = None,
    gpus_per_run: float | None = None,
) -> Launcher:
    """What runs experiments in the way that the arguments of :meth:`ExperimentGrid.run` say."""
    if retries is None:
        retries = 3 if launcher == "ray" else 0
    check_retries(retries)
    check_launcher(launcher, jobs=jobs, ray_address=ray_address, cpus_per_run=cpus_per_run, gpus_per_run=gpus_per_run)
    if launcher == "ray":
        cluster = Cluster(ray_address, 1 if cpus_per_run is None else cpus_per_run, gpus_per_run or 0)
        cluster.check()
        return lambda experiments: run_on_ray(experiments, cluster, retries)
    if jobs is not None:
        places = parallel.count_jobs(jobs)
        return lambda experiments: parallel.run_in_parallel(experiments, places, retries)
    return lambda experiments: run_in_series(experiments, _announce, _say_what_next, retries)


def _experiment(
    exp_name: str,
    thunk: Callable,
    variant: dict[str, Any],
    data_dir: str | os.PathLike | None,
    datestamp: bool,
    overwrite: bool,
    num_cpu: int | str,
    track: Sequence[str],
) -> Experiment:
    kwargs = {"seed": 0, **variant}
    if kwargs.get("resume") and (datestamp or user_config.FORCE_DATESTAMP):
        raise UserError(
            "A new date in its name leads to no run that could be resumed: leave out either --dt (datestamp, or "
            "FORCE_DATESTAMP in user_config.py) or --resume, or use `python -m spinup.run resume PATH`."
        )
    logger_kwargs: dict[str, Any] = setup_logger_kwargs(exp_name, kwargs["seed"], data_dir, datestamp)
    if overwrite:
        logger_kwargs["overwrite"] = True
    if track:
        logger_kwargs["track"] = track
    return experiment_of(exp_name, thunk, kwargs, logger_kwargs | kwargs.get("logger_kwargs", {}), num_cpu)


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


@only_first
def _announce(experiment: Experiment) -> None:
    print(colorize(f"\nRunning experiment {experiment.output_dir.name} with", "cyan", bold=True))
    for key, value in experiment.config.items():
        print(f"  {key}: {json.dumps(value, default=readable)}")
    if experiment.num_cpu > 1:
        print(f"in {experiment.num_cpu} processes")
    print(f"saving to {experiment.output_dir}\n", flush=True)


@only_first
def _say_what_next(experiment: Experiment) -> None:
    where = str(experiment.output_dir)
    where = subprocess.list2cmdline([where]) if os.name == "nt" else shlex.quote(where)
    print(colorize("\nThe experiment has ended. Plot its results with", "cyan", bold=True))
    print(f"  python -m spinup.run plot {where}")
    trust = " --trust" if ":" in str(experiment.config.get("env_name")) else ""  # it imports the user's own module
    print(colorize("and watch the trained agent with", "cyan", bold=True))
    print(f"  python -m spinup.run test_policy {where}{trust}", flush=True)


# ---- grids ----


class _Parameter(NamedTuple):
    key: str
    values: list
    shorthand: str | None
    in_name: bool

    def is_named(self) -> bool:
        """Whether experiment names tell this parameter; seeds are told by the directory of each run."""
        return (len(self.values) > 1 or self.in_name) and self.key != "seed"

    @property
    def label(self) -> str:
        return path_safe(self.key if self.shorthand is None else self.shorthand)

    def name_of(self, value: Any) -> str:
        """What ``value`` adds to an experiment name; booleans show only when true, unless they have to."""
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
        >>> grid.add("seed", [0, 10, 20])
        >>> grid.add("ac_kwargs:hidden_sizes", [(32,), (64, 64)], "hid")
        >>> grid.run(ppo_pytorch)  # 6 runs in the directories ppo-bench_cartpole-v1_hid32 and ..._hid64-64

    Args:
        name: what the names of all its experiments begin with.
    """

    def __init__(self, name: str = ""):
        self.name = name
        self._parameters: dict[str, _Parameter] = {}

    def add(self, key: str, vals: Any, shorthand: str | None = None, in_name: bool = False) -> None:
        """Add a parameter.

        Args:
            key: name of the parameter; ``'a:b'`` sets entry ``b`` of the dict ``a``.
            vals: a list of values, or one value.
            shorthand: what stands for ``key`` in experiment names; made from ``key`` if None (the whole key if
                ``user_config.DEFAULT_SHORTHAND`` is off).
            in_name: put the parameter into experiment names even if it has one value only, or is false.

        Raises:
            UserError: an empty list or key, or a key that is there already (``'a'`` and ``'a:b'`` exclude each other).
        """
        if not isinstance(key, str) or not all(key.split(":")):
            raise UserError(f"{key!r} is not the name of a parameter; expected one such as 'gamma' or 'ac_kwargs:act'.")
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
        print(f"\nExperiment grid {self.name!r}\n")
        for key, shorthand, values in rows:
            print(f"  {key:{widths[0]}}  {shorthand:{widths[1]}}  {values}")
        print(f"\n  Variants, counting seeds:      {math.prod(counts.values())}")
        print(f"  Variants, not counting seeds:  {math.prod(counts.values()) // counts.get('seed', 1)}", flush=True)

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
    ) -> None:
        """Run every variant, as :func:`call_experiment` does, once all of them have been checked.

        With ``jobs``, even 1, or on a Ray cluster, what an experiment prints goes to ``output.log`` in its directory,
        and a failure does not keep the others from running. With ``resume=True`` among the parameters, those that have
        finished are skipped.

        Args:
            thunk: a training function, or the name of a parameter of this grid whose values are such functions.
            num_cpu, data_dir, datestamp, overwrite, retries, track: see :func:`call_experiment`; ``retries`` is 3 by
                default on a Ray cluster, where machines come and go.
            jobs: how many experiments run side by side, or 'auto' for one on each physical core. None: one after the
                other, until one fails, with all that they print.
            launcher: 'local', or 'ray' for a Ray cluster, which runs as many side by side as it has room for. The
                results come back to this machine.
            ray_address: of the cluster. None: the one that this machine belongs to, or else this machine alone.
            cpus_per_run, gpus_per_run: what of the cluster each experiment gets; 1 and 0 by default.

        Raises:
            UserError: before the first experiment starts; also when two would save to the same directory.
            SystemExit: when an experiment fails or is interrupted; without ``jobs``, those after it do not run.
        """
        where = choose_launcher(jobs, retries, launcher, ray_address, cpus_per_run, gpus_per_run)
        experiments = []
        for variant in self.variants():
            name = self.variant_name(variant)
            function = variant.pop(thunk, None) if isinstance(thunk, str) else thunk
            if not callable(function):
                raise UserError(f"{thunk!r} is neither a function nor a parameter of this grid that holds functions.")
            experiments.append(_experiment(name, function, variant, data_dir, datestamp, overwrite, num_cpu, track))
        launch(experiments, where, self._report, here=launcher == "local")

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
