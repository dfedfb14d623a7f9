"""What can be wrong with VPG, TRPO and PPO: each function looks for one thing, in the columns that they log."""

import math

import numpy as np

from spinup.analysis.diagnosis.evidence import Evidence, median
from spinup.analysis.diagnosis.finding import Finding, epochs_in, flag, gentler, number

LARGE_KL = 0.1  # nats: ten times the default of target_kl and delta; a step of VPG that works has about 0.01
NO_ENTROPY = 0.1  # nats: of two actions, the likelier one has 98 %
START_OF_A_DIMENSION = 0.92  # nats: entropy of a Gaussian with log_std -0.5, as policies start


# ---- the policy ----


def steps_too_large(run: Evidence) -> Finding | None:
    """KL far above the usual limits in many epochs, or most of the batch clipped."""
    kl, clipped = run["KL"], run["ClipFrac"]
    large = kl > LARGE_KL
    if large.mean() < 1 / 3 and not median(clipped) > 0.3:
        return None
    worst = int(np.nanargmax(kl))
    seen = (
        f"KL is above {LARGE_KL} nats in {epochs_in(large)} (median {number(median(kl))}, largest {number(kl[worst])} "
        f"in epoch {worst})"
    )
    if np.nanmax(clipped, initial=0.0) > 0.3:
        seen += f"; up to {100 * np.nanmax(clipped):.0f} % of the actions are clipped"
    if (worse := run["DeltaLossPi"] > 0).mean() > 0.1:
        seen += f"; the update made its own loss worse in {epochs_in(worse)}"
    return Finding(
        "steps_too_large",
        "The policy changes too much in one update",
        f"{seen}.",
        _why_large(run),
        smaller_steps(run),
        "KL",
        not run.is_thin,
    )


def _why_large(run: Evidence) -> str:
    if run.algo == "trpo":
        return f"{flag('delta', run.number('delta'))} allows it."
    rate = f"{flag('pi_lr', run.number('pi_lr'))} is too high"
    if run.algo == "ppo" and run.config.get("target_kl") is None:
        return f"{rate}, and nothing stops an update early ({flag('target_kl', 'None')})."
    if median(run["StopIter"]) <= 3:
        return (
            f"{rate}: most updates stop at once (median of StopIter: {median(run['StopIter']):.0f}), already too far."
        )
    return f"{rate}: the advantages hold only near the policy that they were measured with."


def smaller_steps(run: Evidence) -> str:
    """What makes the updates of the policy smaller, in flags."""
    more = f"If that is not enough, more data for each update: {flag('steps_per_epoch', 2 * run.steps_per_epoch)}."
    if run.algo == "trpo":
        return f"{flag('delta', min(0.01, run.number('delta', 0.01)))}. {more}"
    rate = gentler("pi_lr", run.number("pi_lr", 3e-4))
    unlimited = run.algo == "ppo" and not 0 < run.number("target_kl") < 0.03
    return f"{rate}{' and ' + flag('target_kl', 0.01) if unlimited else ''}. {more}"


def policy_collapsed(run: Evidence) -> Finding | None:
    """Entropy at its floor early on, while returns are not known to be as good as they can be."""
    entropy = run["Entropy"]
    if np.isnan(entropy).all() or run.is_solved:
        return None
    floor = _floor_of_entropy(entropy[0])
    low = entropy < floor
    first = int(np.argmax(low))
    if not low.any() or first > run.rows / 3 or low[first:].mean() < 0.6:
        return None
    return Finding(
        "policy_collapsed",
        "The policy stopped exploring early",
        f"Entropy is below {number(floor)} nats from epoch {first} on (its median: {number(median(entropy[first:]))}), "
        f"and {run.performance} ends at {number(run.last)}.",
        "large first updates made one action almost certain before the others had been tried. (If the returns are "
        "already the best possible, nothing is wrong.)",
        smaller_steps(run),
        "Entropy",
        not run.is_thin,
    )


def _floor_of_entropy(start: float) -> float:
    """Below which entropy a policy that began with ``start`` hardly explores.

    One that began like a Gaussian: a tenth of its first standard deviation. Else it has discrete actions.
    """
    if start < 0 or start > START_OF_A_DIMENSION - 0.15:
        dimensions = max(1, round(start / START_OF_A_DIMENSION))
        return min(NO_ENTROPY, start - dimensions * math.log(10))
    return NO_ENTROPY


def line_search_fails(run: Evidence) -> Finding | None:
    """TRPO often found no step that it may take."""
    most = run.number("backtrack_iters", 10)
    failed = run["BacktrackIters"] >= most
    if most == 0 or failed.mean() < 0.25:
        return None
    return Finding(
        "line_search_fails",
        "The policy does not move: the line search finds no step",
        f"BacktrackIters is {most:.0f}, its limit, in {epochs_in(failed)}; in these the policy stayed as it was.",
        "the direction is a poor estimate (few iterations of conjugate gradient, little damping, little data), or the "
        "step may hardly be shortened.",
        f"the defaults: {flag('cg_iters', 10)}, {flag('damping_coeff', 0.1)}, {flag('backtrack_iters', 10)}. Then more "
        f"data for each update: {flag('steps_per_epoch', 2 * run.steps_per_epoch)}.",
        "BacktrackIters",
        not run.is_thin,
    )


# ---- the value function ----


def value_not_learning(run: Evidence) -> Finding | None:
    """V near 0 while returns are not, a loss as large as without it, and updates that do not reduce it."""
    late = run.rows - max(1, run.rows * 2 // 3)
    v, loss, expected = run["VVals"][late:], run["LossV"][late:], value_of(run)[late:]
    gained = median(-run["DeltaLossV"][late:] / loss)
    small = median(np.abs(v)) < 0.2 * median(np.abs(expected))
    if not (small and gained < 0.02 and median(loss / expected**2) > 0.5) or not run.has_units_of_rewards:
        return None
    reduced = f"reduces it by {100 * gained:.2g} %" if gained > 1e-5 else "does not reduce it"
    return Finding(
        "value_not_learning",
        "The value function does not learn",
        f"AverageVVals stays near {number(median(v))}; with returns of {number(run.last)} it should be about "
        f"{number(median(expected))}. LossV ends at {number(run['LossV'][-1])}, as if V were always 0, and an update "
        f"{reduced}.",
        _why_no_value(run),
        _more_value(run),
        "LossV",
        not run.is_thin,
    )


def _why_no_value(run: Evidence) -> str:
    if run.number("train_v_iters", 80) == 0:
        why = f"it is not trained ({flag('train_v_iters', '0')})"
    else:
        why = f"{flag('vf_lr', run.number('vf_lr'))} is too low for rewards of this size"
    return f"{why}. Without V, advantages are noisy and short-sighted, so that learning is slow, or stops early."


def _more_value(run: Evidence) -> str:
    if run.number("train_v_iters", 80) < 20:
        return f"{flag('train_v_iters', 80)}."
    if run.number("vf_lr", 1e-3) < 1e-3:
        return f"{flag('vf_lr', 1e-3)}."
    return f"{flag('norm_reward', 'True')}, or {flag('vf_lr', 10 * run.number('vf_lr', 1e-3))}."


def value_of(run: Evidence) -> np.ndarray:
    """About the mean of V in each epoch, if every step had the same reward: [rows]."""
    length, gamma = run["EpLen"], run.number("gamma", 0.99)
    if gamma >= 1:
        return run["EpRet"] / 2
    return run.reward * run.horizon * (1 - (1 - gamma**length) / (length * (1 - gamma)))


def value_gets_worse(run: Evidence) -> Finding | None:
    """Updates of V that increase its own loss."""
    worse = run["DeltaLossV"] / run["LossV"] > 0.05
    if worse.mean() < 0.1:
        return None
    return Finding(
        "value_gets_worse",
        "Updates make the value function worse",
        f"DeltaLossV is positive, by more than 5 % of LossV, in {epochs_in(worse)}. LossV ends at "
        f"{number(run['LossV'][-1])}.",
        f"{flag('vf_lr', run.number('vf_lr'))} is too high.",
        f"{gentler('vf_lr', run.number('vf_lr', 1e-3))}.",
        "DeltaLossV",
        not run.is_thin,
    )
