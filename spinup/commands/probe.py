"""``spinup probe ALGORITHM``: train on tiny environments whose right answers are known, and say what is broken."""

import contextlib
import inspect
import io
import tempfile
import textwrap
from collections.abc import Callable
from typing import Any

from gymnasium import spaces

from spinup.commands.arguments import ArgumentParser
from spinup.commands.train import find_algorithm
from spinup.errors import UserError, command
from spinup.exercises.probes import KINDS, PROBES, Number, Probe, ProbeEnv, judge
from spinup.experience.envs import EnvFn
from spinup.records.config import import_by_name
from spinup.records.console import colorize, say

BROKEN = 1  # exit status
GAMMA = 0.5  # so that its powers are far apart

# Enough to learn in seconds. A training function gets those that it has parameters for.
SHARED: dict[str, Any] = dict(gamma=GAMMA, ac_kwargs=dict(hidden_sizes=[32]), save_freq=1000, num_test_episodes=1)
ON_POLICY: dict[str, Any] = dict(
    steps_per_epoch=200,
    epochs=25,
    pi_lr=0.03,
    vf_lr=0.03,
    delta=0.05,
    target_kl=0.1,
    train_pi_iters=20,
    train_v_iters=20,
)
OFF_POLICY: dict[str, Any] = dict(
    steps_per_epoch=1500,
    epochs=1,
    pi_lr=3e-3,
    q_lr=3e-3,
    lr=3e-3,
    alpha=0.01,
    polyak=0.95,
    batch_size=64,
    replay_size=10000,
    start_steps=500,
    update_after=200,
    epsilon_steps=1000,
)


def main(argv: list[str]) -> None:
    """The command line ``probe``: see ``probe --help``; raises SystemExit(1) if a probe fails."""
    parser = ArgumentParser(
        prog=command("probe"),
        description="Train on tiny environments whose right answers are known, and say what is broken.",
        epilog="A custom function is called as train(env_fn, gamma=..., ...), with those settings of\n"
        "spinup/commands/probe.py that it has parameters for, and returns an agent with act(obs) and v(obs) or\n"
        "q(obs, act).\n\nExit status: 0 all is right, 1 something is broken, 2 a mistake in the command.",
    )
    parser.add_argument("algorithm", help="ppo, ppo_jax, ..., or module:function for a custom training function")
    parser.add_names("--actions", KINDS, nargs="+", help="discrete, continuous (default: all that its agent can take)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    args = parser.parse_args(argv)
    train = find_training_function(args.algorithm)
    results = [passes(train, kind, args.seed) for kind in args.actions or kinds_of(train)]
    if not all(results):
        raise SystemExit(BROKEN)


def passes(train: Callable, kind: str, seed: int) -> bool:
    """Whether ``train`` passes all probes with actions of this kind; prints one line each, up to the first failure."""
    say(colorize(f"\n{kind.capitalize()} actions", "cyan", bold=True))
    for i, probe in enumerate(PROBES, 1):
        numbers, fault = try_probe(train, probe, kind, seed)
        verdict = colorize("wrong", "red") if fault else colorize("right", "green")
        say(f"  {verdict}  {i}  {probe.name}: {probe.title}")
        if fault:
            found = ", ".join(f"{x.name} is {x.found:.2f} (right: {x.right:.2f})" for x in numbers)
            for text in (found, fault):
                say("\n" + textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  "))
            return False
    return True


def try_probe(train: Callable, probe: Probe, kind: str, seed: int) -> tuple[list[Number], str]:
    """Train on one probe without showing it; returns what :func:`~spinup.exercises.probes.judge` finds."""
    env_fn = EnvFn(f"spinup.exercises.probes:{probe.env_name(kind)}")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        agent = train(env_fn, **settings_for(train, seed=seed, logger_kwargs=dict(output_dir=folder)))
    return judge(agent, probe, env_fn().action_space, GAMMA)


def settings_for(train: Callable, **others: Any) -> dict[str, Any]:
    """The settings, and ``others``, that ``train`` has parameters for.

    Raises:
        UserError: if it cannot be called with them.
    """
    signature = inspect.signature(train)
    is_off_policy = {"replay_size", "update_after", "polyak"} & {*signature.parameters}
    settings = SHARED | (OFF_POLICY if is_off_policy else ON_POLICY) | others
    settings = {name: value for name, value in settings.items() if name in signature.parameters}
    try:
        signature.bind("env_fn", gamma=GAMMA, **{name: x for name, x in settings.items() if name != "gamma"})
    except TypeError as error:
        raise UserError(f"The training function cannot be called as train(env_fn, gamma={GAMMA}): {error}.") from None
    return settings


def find_training_function(name: str) -> Callable:
    """An algorithm by its name, or a function as ``module:function``."""
    if ":" not in name:
        return find_algorithm(name)
    is_name = all(part.isidentifier() for part in name.replace(":", ".").split("."))
    function = import_by_name(name) if is_name else None
    if not callable(function):
        raise UserError(f"{name!r} is invalid: expected an algorithm, or a training function as module:function.")
    return function


def kinds_of(train: Callable) -> list[str]:
    """The kinds of actions that the agent of ``train`` can take, as its class says; all, if it says nothing."""
    parameter = inspect.signature(train).parameters.get("actor_critic")
    agent = parameter and getattr(parameter.default, "__self__", parameter.default)
    check = getattr(agent, "check_action_space", lambda space: None)
    return [kind for kind in KINDS if _accepts(check, ProbeEnv(PROBES[0].name, kind).action_space)]


def _accepts(check: Callable, space: spaces.Space) -> bool:
    try:
        check(space)
    except UserError:
        return False
    return True
