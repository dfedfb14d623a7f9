"""Valid values of every hyperparameter: one table, checked by every training function before it does anything."""

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial
from numbers import Integral, Real
from typing import Any, NamedTuple

from spinup.errors import UserError, did_you_mean, setting
from spinup.experience.envs import as_env_fn
from spinup.mpi.tools import num_procs, refuse_processes


class Rule(NamedTuple):
    """``holds(value)`` is true for valid values; ``expected`` describes them in error messages."""

    holds: Callable[[Any], bool]
    expected: str


def _integer(low: int) -> Rule:
    return Rule(lambda x: _is_a(Integral, x) and x >= low, f"an integer >= {low}")


def _real(holds: Callable[[Any], bool], expected: str) -> Rule:
    return Rule(lambda x: _is_a(Real, x) and bool(holds(x)), expected)


def _is_a(kind: type, x: Any) -> bool:
    return isinstance(x, kind) and not isinstance(x, bool)


def _is_infinite(x: Any) -> bool:
    return _is_a(Real, x) and x == float("inf")


def _optional(rule: Rule) -> Rule:
    return Rule(lambda x: x is None or rule.holds(x), f"{rule.expected}, or None")


def _is_sizes(x: Any) -> bool:
    return isinstance(x, list | tuple) and all(_COUNT.holds(n) for n in x)


_COUNT, _NATURAL = _integer(1), _integer(0)
_FRACTION = _real(lambda x: 0 <= x <= 1, "a number from 0 to 1")
_INSIDE = _real(lambda x: 0 < x < 1, "a number between 0 and 1")
_POSITIVE = _real(lambda x: 0 < x < float("inf"), "a finite number > 0")
_NON_NEGATIVE = _real(lambda x: 0 <= x < float("inf"), "a finite number >= 0")
_DICT = Rule(lambda x: isinstance(x, Mapping), "a dict")
_BOOL = Rule(lambda x: isinstance(x, bool), "True or False")
_BUILDER = Rule(
    lambda x: callable(x) and (isinstance(x, type) or not hasattr(x, "act")),
    "a class of agents or a function that builds one, not an agent itself",
)


def _is_device(x: Any) -> bool:
    """Whether ``x`` names a device, or is a ``torch.device`` or a device of JAX."""
    return isinstance(x, str) or hasattr(x, "platform") or (hasattr(x, "type") and hasattr(x, "index"))


def _name_of_device(x: Any) -> str:
    return getattr(x, "platform", None) or str(x)


RULES = {
    "env_fn": Rule(
        lambda x: callable(x) or isinstance(x, str),
        "a function that returns a new environment, or a name such as 'CartPole-v1'",
    ),
    "actor_critic": _BUILDER,
    "ac_kwargs": _optional(_DICT),
    "seed": Rule(lambda x: _NATURAL.holds(x) and x < 2**32, "an integer from 0 to 4294967295"),
    "steps_per_epoch": _COUNT,
    "epochs": _COUNT,
    "gamma": _FRACTION,
    "lam": _FRACTION,
    "clip_ratio": _INSIDE,
    "pi_lr": _POSITIVE,
    "vf_lr": _POSITIVE,
    "train_pi_iters": _NATURAL,
    "train_v_iters": _NATURAL,
    "max_ep_len": Rule(
        lambda x: x is None or _is_infinite(x) or _COUNT.holds(x), "an integer >= 1, or None for no limit"
    ),
    "target_kl": _optional(_POSITIVE),
    "replay_size": _COUNT,
    "polyak": _FRACTION,
    "q_lr": _POSITIVE,
    "lr": _POSITIVE,
    "batch_size": _COUNT,
    "start_steps": _NATURAL,
    "update_after": _NATURAL,
    "update_every": _COUNT,
    "act_noise": _NON_NEGATIVE,
    "target_noise": _NON_NEGATIVE,
    "noise_clip": _NON_NEGATIVE,
    "policy_delay": _COUNT,
    "alpha": Rule(lambda x: x == "auto" or _NON_NEGATIVE.holds(x), "a finite number >= 0, or 'auto'"),
    "target_entropy": _optional(_real(lambda x: abs(x) < float("inf"), "a finite number")),
    "epsilon": _FRACTION,
    "epsilon_start": _FRACTION,
    "epsilon_steps": _NATURAL,
    "double_q": _BOOL,
    "loss": Rule(lambda x: x in ("huber", "squared"), "'huber' or 'squared'"),
    "num_test_episodes": _COUNT,
    "delta": _POSITIVE,
    "damping_coeff": _NON_NEGATIVE,
    "cg_iters": _COUNT,
    "backtrack_iters": _COUNT,
    "backtrack_coeff": _INSIDE,
    "algo": Rule(lambda x: x in ("trpo", "npg"), "'trpo' or 'npg'"),
    "logger_kwargs": _optional(_DICT),
    "save_freq": _COUNT,
    "snapshots": _BOOL,
    "resume": _BOOL,
    "num_envs": _COUNT,
    "norm_obs": _BOOL,
    "norm_reward": _BOOL,
    "threads": _optional(_COUNT),
    "device": Rule(_is_device, "a device such as 'cpu', 'cuda' or 'auto'"),
}
LOGGER_RULES = {  # valid keys of logger_kwargs; resume is an argument of the algorithm itself
    "output_dir": _optional(Rule(lambda x: isinstance(x, str | os.PathLike), "the path of a directory")),
    "output_fname": Rule(lambda x: isinstance(x, str) and bool(x), "the name of a file"),
    "exp_name": _optional(Rule(lambda x: isinstance(x, str), "a name")),
    "overwrite": _BOOL,
    "track": Rule(lambda x: not isinstance(x, str) and isinstance(x, Sequence), "a list such as ['tensorboard']"),
}
AC_RULES = {
    "hidden_sizes": Rule(_is_sizes, "a list of layer widths such as [64,64]"),
    "activation": Rule(callable, "an activation such as torch.nn.Tanh"),
}


def check_keywords(function: Callable, keywords: Iterable[str], also: Iterable[str] = ()) -> None:
    """Refuse keywords that ``function`` does not take; ``also`` lists further names to allow.

    Raises:
        UserError: naming the keyword and similar valid ones.
    """
    name = getattr(function, "__name__", repr(function))
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # functions written in C may have no signature
        raise UserError(f"{name} is invalid: expected a Python function or class with a readable signature.") from None
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    _check_names(name, keywords, [*parameters, *also])


def _check_names(owner: str, keywords: Iterable[str], known: Collection[str]) -> None:
    for key in keywords:
        if key not in known:
            hint = did_you_mean(key, known) or f" It takes: {', '.join(known)}."
            raise UserError(f"{owner} has no parameter {key!r}.{hint}")


def check_hyperparameters(
    config: Mapping[str, Any], algorithm: Callable | None = None, processes: int | None = None
) -> dict[str, Any]:
    """Refuse values of the wrong type or range; keys without a rule are not checked.

    Args:
        config: the arguments of a training function.
        algorithm: that function.
        processes: number of processes that train together; None: as many as are running now.

    Returns:
        A copy of ``config``, in which ``env_fn`` is a function, ``device`` a name and ``~`` the home directory; with
        ``algorithm`` and the number of processes (``num_cpu``) if ``algorithm`` is given.

    Raises:
        UserError: naming the parameter, its value and what was expected.
    """
    _check_rules(RULES, config)
    _check_builder(config.get("actor_critic"), config.get("ac_kwargs") or {})
    logger_kwargs = config.get("logger_kwargs") or {}
    if "resume" in logger_kwargs:
        raise UserError("logger_kwargs:resume is invalid: pass resume=True to the algorithm itself.")
    _check_names("Logger", logger_kwargs, LOGGER_RULES)
    _check_rules(LOGGER_RULES, logger_kwargs, prefix="logger_kwargs:")
    processes = num_procs() if processes is None else processes
    if "replay_size" in config:
        refuse_processes("Algorithms that learn from a replay buffer are not data-parallel", processes)
    for key in ("norm_obs", "norm_reward"):
        if config.get(key):
            refuse_processes(f"{setting(f'--{key}')} has other statistics in each process", processes)
    for key in ("steps_per_epoch", "update_every"):
        if key in config and "num_envs" in config:
            _check_shares(key, config[key], config["num_envs"], processes)
    config = dict(config)
    if "env_fn" in config:
        config["env_fn"] = as_env_fn(config["env_fn"])
    if _is_infinite(config.get("max_ep_len")):
        config["max_ep_len"] = None  # which means the same, and JSON has a word for it
    if logger_kwargs.get("output_dir"):
        config["logger_kwargs"] = {**logger_kwargs, "output_dir": os.path.expanduser(logger_kwargs["output_dir"])}
    if "device" in config:
        config["device"] = _name_of_device(config["device"])
    return config | {"algorithm": algorithm, "num_cpu": processes} if algorithm else config


def _check_builder(actor_critic: Any, ac_kwargs: Mapping[str, Any]) -> None:
    """Refuse settings that an agent's class does not take; what a partial function sets is one of them."""
    while isinstance(actor_critic, partial):
        actor_critic, ac_kwargs = actor_critic.func, {**actor_critic.keywords, **ac_kwargs}
    _check_rules(AC_RULES, ac_kwargs, prefix="ac_kwargs:")
    if actor_critic is None:
        return
    if isinstance(actor_critic, type) and is_dataclass(actor_critic) and hasattr(actor_critic, "create"):  # of JAX
        name = actor_critic.__name__
        raise UserError(f"actor_critic={name} is a class of JAX: give what builds its agents, {name}.create.")
    check_keywords(actor_critic, ac_kwargs)
    for key in {"observation_space", "action_space"} & set(ac_kwargs):
        raise UserError(f"ac_kwargs:{key} is taken from the environment: leave it out.")


def _check_shares(key: str, steps: int, num_envs: int, processes: int) -> None:
    """Refuse ``steps`` that cannot be shared equally among all environments of all processes."""
    shares = num_envs * processes
    if steps % shares:
        each = f" in each of {processes} processes" if processes > 1 else ""
        raise UserError(
            f"{key}={steps} cannot be divided among num_envs={num_envs} environments{each}: "
            f"choose a multiple of {shares} such as {steps + shares - steps % shares}, or another num_envs."
        )


def _check_rules(rules: Mapping[str, Rule], config: Mapping[str, Any], prefix: str = "") -> None:
    for key, rule in rules.items():
        if key in config and not rule.holds(config[key]):
            hint = _several(f"{prefix}{key}", rule, config[key])
            raise UserError(f"{prefix}{key}={_in_a_line(config[key])} is invalid: expected {rule.expected}.{hint}")


def _several(key: str, rule: Rule, values: Any) -> str:
    """How to give ``values``, if they are valid ones joined to a list (``--seed 0,1,2``); else empty."""
    if not isinstance(values, list | tuple | range) or len(values) < 2 or not all(map(rule.holds, values)):
        return ""
    return (
        f" For several values, use {setting(f'--{key} ' + ' '.join(map(str, values)), 'a list in an ExperimentGrid')}."
    )


def _in_a_line(value: Any) -> str:
    """``repr(value)``, or only its type where that takes more than a line."""
    text = repr(value)
    return text if "\n" not in text and len(text) <= 200 else f"{type(value).__name__}(...)"


def with_defaults(function: Callable, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that ``function`` would run with: its defaults, updated with ``kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty} | dict(kwargs)
