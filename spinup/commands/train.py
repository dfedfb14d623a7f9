"""``spinup ALGORITHM --env ENV ...``: train, over a grid of hyperparameters."""

import inspect
import sys
from collections.abc import Callable, Collection
from typing import Any

from spinup import ALGORITHMS, user_config
from spinup.commands import COMMANDS
from spinup.commands.flags import NOT_FLAGS, SETTINGS, Flag, check_flags, parse_flags, read_setting
from spinup.errors import UserError, did_you_mean


def main(argv: list[str]) -> None:
    """Train the algorithm ``argv[0]`` over the grid of the flags that follow, or print its help."""
    command, *rest = argv
    function = find_algorithm(command)
    if {"--help", "-h"} & {*rest}:
        print(describe(command, function))
        return
    flags = parse_flags(rest)
    check_flags(command, function, flags)
    if "env_name" not in flags:
        raise UserError(f"{command} needs an environment: add one such as --env CartPole-v1.")
    launch_grid(function, flags, {"exp_name": f"cmd_{command}"})


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
        grid.add(key, flag.values, flag.shorthand, in_name=key in named)
    grid.run(function, **settings)


def find_algorithm(command: str) -> Callable:
    """The training function for ``ppo`` (in its default backend) or ``ppo_pytorch``."""
    import spinup

    names = {f"{algo}_{backend}" for backend, algos in ALGORITHMS.items() for algo in algos}
    first = {algo: backend for backend, algos in reversed(ALGORITHMS.items()) for algo in algos}
    short = {algo: f"{algo}_{backend}" for algo, backend in (first | user_config.DEFAULT_BACKEND).items()}
    name = short.get(command, command)
    if command in short and name not in names:
        backends = [backend for backend, algos in ALGORITHMS.items() if command in algos]
        chosen = user_config.DEFAULT_BACKEND[command]
        raise UserError(
            f"spinup/user_config.py: DEFAULT_BACKEND[{command!r}] is {chosen!r}, which has no {command}: "
            f"expected one of {', '.join(backends)}."
        )
    if name not in names:
        near = did_you_mean(command, [*short, *names, *COMMANDS])
        raise UserError(
            f"There is no algorithm or command {command!r}.{near} "
            f"Algorithms: {', '.join(short)} (or with a suffix: {', '.join('_' + b for b in ALGORITHMS)}); "
            f"commands: {', '.join(COMMANDS)}."
        )
    return getattr(spinup, name)


def describe(command: str, function: Callable) -> str:
    """The help of an algorithm: its flags, equations and docstring."""
    parameters = inspect.signature(function).parameters.values()
    arguments = "".join(f"    {_as_flag(p)}\n" for p in parameters if p.name not in NOT_FLAGS)
    return (
        f"python -m spinup.run {command} --env ENV, and optionally (defaults shown):\n{arguments}"
        f"    (and the flags that `python -m spinup.run --help` lists)\n\n"
        f"{inspect.getdoc(sys.modules[function.__module__])}\n\n{inspect.getdoc(function)}"
    )


def _as_flag(parameter: inspect.Parameter) -> str:
    return f"--{parameter.name} {getattr(parameter.default, '__qualname__', parameter.default)}"
