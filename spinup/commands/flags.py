"""The grammar of training commands: ``--key v1 v2``, ``--key[short] v``, ``--key:sub v``."""

import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from spinup.errors import UserError, command, did_you_mean

SYNONYMS = {
    "env": "env_name",
    "hid": "ac_kwargs:hidden_sizes",
    "act": "ac_kwargs:activation",
    "cpu": "num_cpu",
    "dt": "datestamp",
}
LAUNCH_FLAGS = ("jobs", "retries", "launcher", "ray_address", "cpus_per_run", "gpus_per_run")
SETTINGS = ("exp_name", "num_cpu", "data_dir", "datestamp", "overwrite", "track", *LAUNCH_FLAGS)  # not of the algorithm
SWITCHES = ("datestamp", "overwrite")
LISTS = ("track",)
UNPARSED = ("exp_name", "data_dir", "env_name", "launcher", "ray_address", "track")  # values stay as typed
NAMES = ("actor_critic",)  # values are classes or functions, by their names
NOT_FLAGS = ("env_fn", "logger_kwargs")  # parameters of an algorithm that come from other flags


def read_setting(key: str, flag: "Flag") -> Any:
    """The value of a flag in :data:`SETTINGS`: a list for those in :data:`LISTS`, else a single value."""
    if key in LISTS:
        return flag.values
    if len(flag.values) != 1:
        raise UserError(f"{flag.typed} takes one value, but was given {len(flag.values)}: {flag.values}.")
    if key in SWITCHES and not isinstance(flag.values[0], bool):
        raise UserError(f"{flag.typed} takes no value: leave out {flag.values[0]!r}.")
    return flag.values[0]


class Flag(NamedTuple):
    """A flag as typed (``--hid`` for ``--hid[h]``), its shorthand, and its values."""

    typed: str
    shorthand: str | None
    values: list[Any]


def parse_flags(argv: list[str]) -> dict[str, Flag]:
    """Parse ``--key v1 v2``, ``--key[short] v``, ``--key:sub v`` and ``--key=v`` into flags by their full keys.

    A flag without a value is True. Negative numbers are values.

    Raises:
        UserError: for a value before the first flag, a malformed flag, a missing value, or a repeated flag.
    """
    flags: dict[str, Flag] = {}
    for typed, shorthand, texts in _group(argv):
        key = SYNONYMS.get(typed[2:], typed[2:])
        if key in flags:
            raise UserError(f"{typed} is given twice (first as {flags[key].typed}): put all its values after one flag.")
        if key in UNPARSED and not (texts and all(texts)):  # an empty one is of an unset variable of the shell
            raise UserError(f"{typed} needs a value.")
        flags[key] = Flag(typed, shorthand, texts if key in UNPARSED else _parse(key, typed, texts))
    return flags


def _parse(key: str, typed: str, texts: list[str]) -> list[Any]:
    from spinup.commands.values import parse_name, parse_value

    if key in NAMES:
        return [parse_name(typed, text) for text in texts] or [True]
    return [parse_value(text) for text in texts] or [True]


def _group(argv: list[str]) -> list[tuple[str, str | None, list[str]]]:
    groups: list[tuple[str, str | None, list[str]]] = []
    for token in argv:
        if not is_flag(token):
            if not groups:
                raise UserError(f"{token!r} comes before any flag: write --key {token}, such as --env {token}.")
            groups[-1][2].append(token)
            continue
        name, equals, value = token.partition("=")
        match = re.fullmatch(r"(--\w+(?::\w+)*)(?:\[([\w-]*)\])?", name)
        if not match:
            meant = "--" + name.lstrip("-").replace("-", "_")  # --num-envs, -env
            hint = f" Did you mean {meant!r}?" if re.fullmatch(r"--\w{2,}", meant) else ""
            raise UserError(f"{token!r} is not a flag: write --key, --key:sub or --key[short].{hint}")
        groups.append((match[1], match[2], [value] if equals else []))
    return groups


def refuse_other_dashes(argv: list[str]) -> None:
    """Raise UserError for a flag that begins with a dash other than the hyphen, as one copied from a page may."""
    for token in argv:
        if flag := re.match("[\u2010-\u2015\u2212]+-?([^\\W\\d].*)", token):
            raise UserError(f"{token!r} begins with a dash that is no hyphen: type --{flag[1]}.")


def is_flag(token: str) -> bool:
    """Whether ``token`` begins a flag; a negative number does not."""
    return re.match(r"--|-[A-Za-z]", token) is not None


def check_flags(name: str, function: Callable, flags: dict[str, Flag]) -> None:
    """Refuse flags of the command ``name`` that are neither hyperparameters of ``function`` nor in :data:`SETTINGS`."""
    known = {*inspect.signature(function).parameters, *SETTINGS, *SYNONYMS, "env_name", "env_kwargs"} - {*NOT_FLAGS}
    for key, flag in flags.items():
        if key.split(":")[0] not in known:
            near = did_you_mean(flag.typed, [f"--{other}" for other in sorted(known)])
            raise UserError(f"{name} has no flag {flag.typed}.{near} See `{command(f'{name} --help')}`.")
