"""What can be wrong with DQN, DDPG, TD3 and SAC: each function looks for one thing, in the columns that they log."""

import numpy as np

from spinup.analysis.diagnosis.evidence import Evidence, median
from spinup.analysis.diagnosis.finding import Finding, flag, gentler, number
from spinup.analysis.diagnosis.returns import learning_lost, never_started
from spinup.errors import command

EXPLORATION: dict[str, float | str] = {
    "act_noise": 0.1,
    "epsilon": 0.05,
    "alpha": "auto",
}  # what switches it off if 0, and what switches it on


# ---- the critic ----


def _q(run: Evidence) -> str:
    return "Q1Vals" if "Q1Vals" in run else "QVals"


def largest_q(run: Evidence) -> float:
    """The largest |Q| that the rewards so far allow: the largest mean reward of a step, for ever.

    SAC counts its entropy as a reward too.
    """
    bonus = np.nanmax(np.abs(run["Alpha"] * run["LogPi"]), initial=0.0)
    return float((np.nanmax(np.abs(run.reward), initial=0.0) + bonus) * run.horizon)


def q_too_large(run: Evidence) -> Finding | None:
    """Q beyond what returns allow, at the end: overestimated, or diverged."""
    late = run.late(_q(run))
    if not len(late) or not run.has_units_of_rewards:
        return None
    q, most = median(late), largest_q(run)
    impossible = q > 0.1 * most and np.nanmax(run["EpRet"], initial=-np.inf) < 0 and "LogPi" not in run
    if abs(q) <= 1.5 * most and not impossible:
        return None
    diverged = abs(q) > 3 * most
    peak = np.nanmax(np.abs(run[_q(run)]))
    growing = ", and still growing" if abs(late[-1]) > max(1.1 * abs(late[0]), 0.9 * peak) else ""
    allowed = "all returns are negative" if impossible else f"the rewards allow about {number(np.copysign(most, q))}"
    return Finding(
        "q_diverged" if diverged else "q_too_large",
        "Q has diverged" if diverged else "Q is larger than the rewards allow",
        f"Average{_q(run)} is {number(late[-1])} at the end{growing}; {allowed}. LossQ ends at "
        f"{number(run['LossQ'][-1])}.",
        _why_q(run),
        _smaller_q(run),
        _q(run),
        not run.is_thin,
    )


def _suspects(run: Evidence) -> dict[str, float]:
    """Settings that make a critic unstable, and values that usually do not."""
    rate = "lr" if "lr" in run.config else "q_lr"
    usual = {"polyak": 0.995, "gamma": 0.99, rate: 1e-3}
    suspect = {
        "polyak": run.number("polyak", 0.995) < 0.9,
        "gamma": run.number("gamma", 0.99) > 0.995,
        rate: run.number(rate) >= 3e-3,
    }
    return {name: usual[name] for name in usual if suspect[name]}


def _why_q(run: Evidence) -> str:
    found = ", ".join(flag(name, run.number(name)) for name in _suspects(run))
    return f"{f'{found}. ' if found else ''}A critic learns from its own estimates, so errors can feed on themselves."


def _smaller_q(run: Evidence) -> str:
    rate = "lr" if "lr" in run.config else "q_lr"
    usual = [flag(name, value) for name, value in _suspects(run).items()] or [gentler(rate, run.number(rate, 1e-3))]
    other = " Or td3 in place of ddpg." if run.algo == "ddpg" else ""
    if run.algo == "dqn" and run.config.get("double_q") is False:
        other = f" Or {flag('double_q', 'True')}."
    return f"{', '.join(usual)}.{other}"


def critic_is_constant(run: Evidence) -> Finding | None:
    """A critic whose error is as large as the differences between its own values."""
    std, loss = run.columns.get(f"Std{_q(run)}"), run["LossQ"] / (2 if "Q2Vals" in run else 1)
    if std is None:
        return None
    late = run.rows - max(1, run.rows * 2 // 3)
    if not median(loss[late:] / np.maximum(std[late:] ** 2, 1e-12)) > 0.5:
        return None
    return Finding(
        "critic_is_constant",
        "The critic tells states and actions hardly apart",
        f"Its mean squared error ({number(median(loss[late:]))}) is as large as the variance of its values "
        f"({number(median(std[late:] ** 2))}): a constant would do as well.",
        "a bug in a custom critic or loss, such as shapes [B] and [B, 1] that become [B, B]; or a reward that hardly "
        "varies.",
        f"check that Q, rewards and targets all have the shape [B]. `{command('probe module:function')}` finds such a "
        "bug.",
        _q(run),
        not run.is_thin,
    )


# ---- exploration ----


def entropy_outweighs_reward(run: Evidence) -> Finding | None:
    """SAC is paid more for being random than for its task."""
    bonus = median(np.abs(run["Alpha"] * run["LogPi"])[run.learning])
    reward = np.nanmax(np.abs(run.reward), initial=0.0)
    if not bonus > 2 * reward or run.is_solved or not run.has_units_of_rewards:
        return None
    return Finding(
        "entropy_outweighs_reward",
        "The policy is paid for being random, not for the task",
        f"the entropy is worth {number(bonus)} a step (Alpha times LogPi), the reward at most {number(reward)}; LogPi "
        f"ends at {number(run['LogPi'][-1])}.",
        *_why_entropy(run, reward),
        "Alpha",
        not run.is_thin,
    )


def _why_entropy(run: Evidence, reward: float) -> tuple[str, str]:
    """Why entropy weighs so much, and what to try."""
    if run.config.get("alpha") == "auto":
        target = flag("target_entropy", run.number("target_entropy"))
        causes = f"alpha grows as long as the policy is less random than {target} asks; a uniform one has log 2 = 0.69."
        return causes, f"the default: {flag('target_entropy', 'None')}, which is minus the number of action dimensions."
    lower = flag("alpha", float(f"{max(reward / 20, 1e-3):.1g}"))
    return (
        f"{flag('alpha', run.number('alpha'))} is too large for these rewards.",
        f"{flag('alpha', 'auto')}, or {lower}.",
    )


def no_exploration(run: Evidence) -> Finding | None:
    """Settings that switch exploration off, in a run that did not solve its task, or learned nothing."""
    off = [name for name in EXPLORATION if name in run.config and run.number(name, 1.0) == 0]
    if run.number("epsilon_start") > 0.1:
        off = [name for name in off if name != "epsilon"]
    is_known = isinstance(run.env.get("reward_threshold"), int | float)
    if not off or run.is_solved or not (is_known or never_started(run) or learning_lost(run)):
        return None
    on = [flag(name, EXPLORATION[name]) for name in off]
    on += [flag("epsilon_start", 1)] if "epsilon" in off else []
    return Finding(
        "no_exploration",
        "The agent does not explore",
        f"{', '.join(flag(name, '0') for name in off)}, and {run.performance} ends at {number(run.last)}.",
        "it only takes the action that looks best, so that one which looks bad at first is never tried again.",
        f"{', '.join(on)}.",
        "TestEpRet",
        not run.is_thin,
    )
