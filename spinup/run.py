"""The command line: ``python -m spinup.run ppo --env CartPole-v1``, also installed as ``spinup``.

    spinup ALGORITHM [--key value ...] [--key[short] value ...] [--key:sub value ...]
    spinup plot | test_policy | convert | resume | rerun ...

Several values for a key make a grid, with one experiment for each combination.
"""

import importlib
import inspect
import os
import re
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from spinup import ALGORITHMS, __version__, user_config
from spinup.commands.arguments import exit_on_user_error
from spinup.errors import UserError, did_you_mean

TOOLS = {
    "plot": "draw learning curves from the results of experiments",
    "test_policy": "watch, measure or film a trained agent",
    "convert": "write a trained agent in the format of another backend",
    "resume": "go on with runs that were interrupted",
}
_MODULES = {
    "plot": "spinup.analysis.plot",
    "test_policy": "spinup.analysis.policy",
    "convert": "spinup.records.recipe",
    "resume": "spinup.commands.resume",
}
RERUN = "rerun"
COMMANDS = TOOLS | {RERUN: "run the experiment of a config.json again, with the flags that you give changed"}
RERUN_HELP = """python -m spinup.run rerun PATH/config.json [--key value ...]

Run an experiment again, with the settings of its config.json where no flag gives another. Several values of a flag run
one experiment for each combination. What is changed goes into its name, unless it is the seed or the number of epochs.

    --key value ...   as for the algorithm of the run, and what `python -m spinup.run --help` lists for every algorithm
    --trust           allow code from outside the package (environments, networks)"""
SYNONYMS = {
    "env": "env_name",
    "hid": "ac_kwargs:hidden_sizes",
    "act": "ac_kwargs:activation",
    "cpu": "num_cpu",
    "dt": "datestamp",
}
PLACE = ("jobs", "retries", "launcher", "ray_address", "cpus_per_run", "gpus_per_run")
SETTINGS = ("exp_name", "num_cpu", "data_dir", "datestamp", "overwrite", "track", *PLACE)  # not of the algorithm
SWITCHES = ("datestamp", "overwrite")
LISTS = ("track",)
AS_TYPED = ("exp_name", "data_dir", "env_name", "launcher", "ray_address", "track")  # never evaluated
MADE_HERE = ("env_fn", "logger_kwargs")  # parameters of an algorithm that come from other flags


def main(argv: list[str] | None = None) -> None:
    """Run the command in ``argv`` (the process's own arguments if None).

    Raises:
        SystemExit: status 2 after one line about a mistake of the user, 1 when an experiment crashed, 130 for Ctrl-C.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that experiments end with us
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # where `--env module:EnvId` looks for the module
    try:
        exit_on_user_error(dispatch, sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # our reader has gone, as `head` does; the interpreter must not flush into the pipe either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def dispatch(argv: list[str]) -> None:
    """Do what ``argv`` asks for; raises :class:`UserError` for what cannot be done."""
    command, *rest = argv or ["help"]
    if command in ("help", "--help", "-h"):
        print(help_text())
    elif command == "--version":
        print(f"spinup {__version__}")
    elif command in TOOLS:
        importlib.import_module(_MODULES[command]).main(rest)
    elif command == RERUN and {"--help", "-h"} & {*rest}:
        print(RERUN_HELP)
    elif command == RERUN:
        rerun(rest)
    else:
        function = find_algorithm(command)
        if "--help" in rest or "-h" in rest:
            print(describe(command, function))
        else:
            launch(command, function, rest)


def launch(command: str, function: Callable, argv: list[str]) -> None:
    """Run ``function`` over the grid that the flags in ``argv`` describe."""
    flags = parse_flags(argv)
    check_flags(command, function, flags)
    if "env_name" not in flags:
        raise UserError(f"{command} needs an environment: add one such as --env CartPole-v1.")
    launch_grid(function, flags, {"exp_name": f"cmd_{command}"})


def launch_grid(
    function: Callable, flags: dict[str, "Flag"], defaults: dict[str, Any], named: Collection[str] = ()
) -> None:
    """Run ``function`` over the grid of ``flags``; ``defaults`` are those of our own settings.

    The flags in ``named`` are told by the names of experiments even if they have one value only.
    """
    settings = defaults | {key: read_setting(key, flags.pop(key)) for key in SETTINGS if key in flags}

    from spinup.experiments.grid import ExperimentGrid

    grid = ExperimentGrid(name=settings.pop("exp_name"))
    for key, flag in flags.items():
        grid.add(key, flag.values, flag.shorthand, in_name=key in named)
    grid.run(function, **settings)


def rerun(argv: list[str]) -> None:
    """Launch the experiment of a ``config.json`` again, with the flags in ``argv`` instead of what it says.

    What makes it another experiment goes into its name.
    """
    if not argv or _is_flag(argv[0]):
        raise UserError("rerun needs a file first: python -m spinup.run rerun PATH/config.json [--key value ...].")
    trust = "--trust" in argv
    flags = parse_flags([token for token in argv[1:] if token != "--trust"])

    from spinup.experiments.grid import set_the_same
    from spinup.records.config import FREE, convert_json, read_call, read_config, settings_of

    run = Path(argv[0]).parent if argv[0].endswith(".json") else Path(argv[0])
    function, kwargs, env = read_call(run, trust, with_env="env_name" not in flags)
    check_flags(RERUN, function, flags)
    settings, config = settings_of(kwargs | env), read_config(run)
    old = {key: Flag(f"--{key}", None, [value]) for key, value in settings.items()}
    old = {key: flag for key, flag in old.items() if not any(set_the_same(key, other) for other in flags)}
    changed = {key for key, flag in flags.items() if convert_json(flag.values) != [convert_json(settings.get(key))]}
    named = set() if "exp_name" in flags else changed - {"seed", *FREE, *SETTINGS}
    place = run.resolve()
    defaults = {"num_cpu": config.get("num_cpu", 1), **_name_beside(place, config.get("exp_name") or place.name)}
    launch_grid(function, old | flags, defaults, named)


def _name_beside(run: Path, exp_name: str) -> dict[str, str]:
    """The name of another run of an experiment, and the folder that puts it beside ``run``: never into a run."""
    with_others = re.sub(r"^\d\d-\d\d-\d\d_", "", run.parent.name) == exp_name  # without its datestamp
    folder = run.parent.parent if with_others else run.parent
    again = "-rerun" if (folder / exp_name / "config.json").is_file() else ""
    return {"exp_name": exp_name + again, "data_dir": str(folder)}


def read_setting(key: str, flag: "Flag") -> Any:
    """The one value of a flag that sets up the experiment, or all of them where it is a list."""
    if key in LISTS:
        return flag.values
    if len(flag.values) != 1:
        raise UserError(f"{flag.typed} takes one value, but was given {len(flag.values)}: {flag.values}.")
    if key in SWITCHES and not isinstance(flag.values[0], bool):
        raise UserError(f"{flag.typed} is either there or not: leave out the value {flag.values[0]!r}.")
    return flag.values[0]


# ---- flags ----


class Flag(NamedTuple):
    """A flag as typed (``--hid[h]`` without the shorthand), its shorthand, and its values."""

    typed: str
    shorthand: str | None
    values: list[Any]


def parse_flags(argv: list[str]) -> dict[str, Flag]:
    """Read ``--key v1 v2``, ``--key[short] v``, ``--key:sub v`` and ``--key=v``: full names of keys -> flags.

    A flag without a value is True. Negative numbers are values.

    Raises:
        UserError: a value before the first flag, a misspelt flag, or a flag given twice.
    """
    flags: dict[str, Flag] = {}
    for typed, shorthand, texts in _group(argv):
        key = SYNONYMS.get(typed[2:], typed[2:])
        if key in flags:
            raise UserError(f"{typed} is given twice (first as {flags[key].typed}): put all its values after one flag.")
        if key in AS_TYPED and not texts:
            raise UserError(f"{typed} needs a value.")
        flags[key] = Flag(typed, shorthand, texts if key in AS_TYPED else _parse(texts))
    return flags


def _parse(texts: list[str]) -> list[Any]:
    from spinup.commands.values import parse_value

    return [parse_value(text) for text in texts] or [True]


def _group(argv: list[str]) -> list[tuple[str, str | None, list[str]]]:
    groups: list[tuple[str, str | None, list[str]]] = []
    for token in argv:
        if not _is_flag(token):
            if not groups:
                raise UserError(f"{token!r} comes before any flag: write --key {token}, such as --env {token}.")
            groups[-1][2].append(token)
            continue
        name, equals, value = token.partition("=")
        match = re.fullmatch(r"(--\w+(?::\w+)*)(?:\[([\w-]*)\])?", name)
        if not match:
            raise UserError(f"{token!r} is not a flag: write --key, --key:sub or --key[short].")
        groups.append((match[1], match[2], [value] if equals else []))
    return groups


def _is_flag(token: str) -> bool:
    return re.match(r"--|-[A-Za-z]", token) is not None


def check_flags(command: str, function: Callable, flags: dict[str, Flag]) -> None:
    """Refuse a flag that is neither a hyperparameter of ``function`` nor one of our own."""
    known = {*inspect.signature(function).parameters, *SETTINGS, *SYNONYMS, "env_name", "env_kwargs"} - {*MADE_HERE}
    for key, flag in flags.items():
        if key.split(":")[0] not in known:
            near = did_you_mean(flag.typed, [f"--{name}" for name in sorted(known)])
            raise UserError(f"{command} has no flag {flag.typed}.{near} See `python -m spinup.run {command} --help`.")


# ---- algorithms ----


def find_algorithm(command: str) -> Callable:
    """The training function for ``ppo`` (in its default backend) or ``ppo_pytorch``."""
    import spinup

    names = {f"{algo}_{backend}" for backend, algos in ALGORITHMS.items() for algo in algos}
    short = {algo: f"{algo}_{backend}" for algo, backend in user_config.DEFAULT_BACKEND.items()}
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
    """The flags of an algorithm, its equations and its docstring, as text."""
    parameters = inspect.signature(function).parameters.values()
    arguments = "".join(f"    {_as_flag(p)}\n" for p in parameters if p.name not in MADE_HERE)
    return (
        f"python -m spinup.run {command} --env ENV, and with their defaults:\n{arguments}"
        f"    (and the flags that `python -m spinup.run --help` lists)\n\n"
        f"{inspect.getdoc(sys.modules[function.__module__])}\n\n{inspect.getdoc(function)}"
    )


def _as_flag(parameter: inspect.Parameter) -> str:
    return f"--{parameter.name} {getattr(parameter.default, '__qualname__', parameter.default)}"


def help_text() -> str:
    """What the command line offers."""
    backends = "\n".join(f"  {backend:<12} {', '.join(algos)}" for backend, algos in ALGORITHMS.items())
    tools = "\n".join(f"  {name:<12} {what}" for name, what in COMMANDS.items())
    return f"""Spinning Up in Deep RL {__version__}

usage:  python -m spinup.run ALGORITHM --env ENV [--key value ...]
        python -m spinup.run COMMAND ...

Algorithms, by backend (add _BACKEND to choose one: ppo_pytorch; each has a default in spinup/user_config.py)
{backends}

Commands
{tools}

Flags of every algorithm
  --env ENV             a Gymnasium environment, or module:EnvId for one of your own; --env_kwargs:key value
  --hid [64,64]         sizes of the hidden layers            (--ac_kwargs:hidden_sizes)
  --act torch.nn.Tanh   activation function                   (--ac_kwargs:activation)
  --seed 0 10 20        random seeds; several values of any flag run one experiment for each combination
  --exp_name NAME       name of the experiment                (default: cmd_ALGORITHM)
  --data_dir DIR        where to save                         (default: {user_config.DEFAULT_DATA_DIR})
  --cpu N               train with N processes over MPI (VPG, TRPO and PPO in PyTorch), or auto: one for each core
  --dt                  date and time in directory names      (--datestamp)
  --overwrite           replace a run that is already there
  --resume              go on with it from its last checkpoint; experiments that are finished are skipped
  --jobs 4              experiments that run side by side, or auto: one on each core; no failure stops the others
  --retries 2           how often to try again what crashed, from its last checkpoint (default: 0; on Ray: 3)
  --launcher ray        run on a Ray cluster: --ray_address HOST:PORT, --cpus_per_run 1, --gpus_per_run 0
  --track tensorboard   send the rows there, or to wandb, or to both (then watch: tensorboard --logdir data)
  --key[k] v1 v2        what stands for the key in directory names (quote the brackets in zsh)

Examples
  python -m spinup.run ppo --env CartPole-v1 --exp_name first
  python -m spinup.run ppo --env LunarLander-v3 --hid "[32,32]" --gamma 0.999 --seed 0 10 20
  python -m spinup.run plot data/first
  python -m spinup.run test_policy data/first/first_s0
  python -m spinup.run resume data/first
  python -m spinup.run rerun data/first/first_s0/config.json --seed 1 2 --epochs 100
  python -m spinup.run ppo --help        all hyperparameters of an algorithm"""


if __name__ == "__main__":
    main()
