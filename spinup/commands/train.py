"""``spinup ALGORITHM --env ENV ...``: train, over a grid of hyperparameters."""

import inspect
import sys
import textwrap
from collections.abc import Callable, Collection
from typing import Any

from spinup import ALGORITHMS, user_config
from spinup.backends import backend_of, import_backend
from spinup.commands import COMMANDS
from spinup.commands.flags import NOT_FLAGS, SETTINGS, Flag, check_flags, parse_flags, read_setting
from spinup.errors import UserError, command, did_you_mean
from spinup.records.columns import describe_columns


def main(argv: list[str]) -> None:
    """Train the algorithm ``argv[0]`` over the grid of the flags that follow, or print its help."""
    algorithm, rest = argv[0].lower(), argv[1:]
    function = find_algorithm(algorithm)
    if {"--help", "-h"} & {*rest}:
        print(describe(algorithm, function))
        return
    flags = parse_flags(rest)
    check_flags(algorithm, function, flags)
    if "env_name" not in flags:
        raise UserError(f"{algorithm} needs an environment: add one such as --env CartPole-v1.")
    launch_grid(function, flags, {"exp_name": f"cmd_{algorithm}"})


def launch_grid(
    function: Callable, flags: dict[str, "Flag"], defaults: dict[str, Any], named: Collection[str] = ()
) -> None:
    """Run ``function`` over the grid of ``flags``; ``defaults`` are for those in ``SETTINGS``.

    The flags in ``named`` are part of experiment names even if they have only one value.
    """
    settings = defaults | {key: read_setting(key, flags.pop(key)) for key in SETTINGS if key in flags}

    from spinup.experiments.grid import ExperimentGrid

    grid = ExperimentGrid(name=settings.pop("exp_name"))
    for key, flag in flags.items():
        grid.add(key, [_complete(function, key, value) for value in flag.values], flag.shorthand, in_name=key in named)
    grid.run(function, **settings)


def _complete(function: Callable, key: str, value: Any) -> Any:
    """``value``; a single width as a list of one, and the activation that the algorithm's backend calls by a name."""
    if key == "ac_kwargs:hidden_sizes" and isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if key == "ac_kwargs:activation" and isinstance(value, str):
        named = import_backend(backend_of(f"{function.__module__}."), "backend").activation_named
        return named(value) or value
    return value


def find_algorithm(typed: str) -> Callable:
    """The training function for ``ppo`` (in its default backend) or ``ppo_pytorch``."""
    import spinup

    names = {f"{algo}_{backend}" for backend, algos in ALGORITHMS.items() for algo in algos}
    first = {algo: backend for backend, algos in reversed(ALGORITHMS.items()) for algo in algos}
    short = {algo: f"{algo}_{backend}" for algo, backend in (first | user_config.DEFAULT_BACKEND).items()}
    name = short.get(typed, typed)
    if typed in short and name not in names:
        backends = [backend for backend, algos in ALGORITHMS.items() if typed in algos]
        chosen = user_config.DEFAULT_BACKEND[typed]
        raise UserError(
            f"spinup/user_config.py: DEFAULT_BACKEND[{typed!r}] is {chosen!r}, which has no {typed}: "
            f"expected one of {', '.join(backends)}."
        )
    if name not in names:
        near = did_you_mean(typed, [*short, *names, *COMMANDS])
        raise UserError(
            f"There is no algorithm or command {typed!r}.{near} "
            f"Algorithms: {', '.join(short)} (or with a suffix: {', '.join('_' + b for b in ALGORITHMS)}); "
            f"commands: {', '.join(COMMANDS)}."
        )
    return getattr(spinup, name)


def describe(algorithm: str, function: Callable) -> str:
    """The help of an algorithm: its flags, equations and docstring, and the columns of its log."""
    module = sys.modules[function.__module__]
    parameters = inspect.signature(function).parameters.values()
    arguments = "".join(f"    {_as_flag(p)}\n" for p in parameters if p.name not in NOT_FLAGS)
    return (
        f"{command(algorithm)} --env ENV, and optionally (defaults shown):\n{arguments}"
        f"    (and the flags that `{command('--help')}` lists)\n\n"
        f"{inspect.getdoc(module)}\n\n{inspect.getdoc(function)}\n\n"
        f"Columns of the log, progress.txt:\n{textwrap.indent(describe_columns(module.COLUMNS), '    ')}"
    )


def _as_flag(parameter: inspect.Parameter) -> str:
    return f"--{parameter.name} {getattr(parameter.default, '__qualname__', parameter.default)}"
