"""What can be wrong with any run: what its returns, its episodes and its numbers say, whatever the algorithm."""

import numpy as np

from spinup.analysis.diagnosis.evidence import Evidence
from spinup.analysis.diagnosis.finding import Finding, epochs_in, flag, gentler, number

# Environments of Gymnasium in which nothing but the time limit ends an episode.
ENDLESS = ("Pendulum", "HalfCheetah", "Swimmer", "Reacher", "Pusher", "HumanoidStandup")
OF_EPISODES = ("EpRet", "EpLen")  # empty where no episode ended


# ---- what makes all else meaningless ----


def not_finite(run: Evidence) -> Finding | None:
    """Numbers that overflowed, in columns that are never empty once learning has begun."""
    began = int(np.argmax(run.learning)) if run.learning.any() else run.rows
    broken = {}
    for name, y in run.columns.items():
        bad = np.isinf(y)
        if not name.endswith(OF_EPISODES):
            bad |= np.isnan(y) & (np.arange(run.rows) >= began)
        if bad.any():
            broken[name] = int(np.argmax(bad))
    if not broken:
        return None
    name, epoch = min(broken.items(), key=lambda item: item[1])
    others = f", and so {'are' if len(broken) > 2 else 'is'} {len(broken) - 1} more" if len(broken) > 1 else ""
    return Finding(
        "not_finite",
        "Numbers overflowed",
        f"{name} is infinite or not a number from epoch {epoch} on{others}.",
        "a learning rate that is too high, huge rewards, or an environment that returns NaN.",
        "learning rates ten times smaller; then look at the rewards and observations of the environment.",
        name if name in ("LossV", "LossPi", "LossQ", "KL", "DeltaLossV", "DeltaLossPi") else "EpRet",
    )


def too_early(run: Evidence) -> Finding | None:
    """Too few epochs with learning in them to say anything."""
    if run.learning.sum() >= 3:
        return None
    warm_up = max(run.number("start_steps"), run.number("update_after"))
    on_purpose = f", and the first {warm_up:,.0f} steps are random or without updates on purpose" if warm_up else ""
    return Finding(
        "too_early",
        "Too early to say",
        f"{run.rows} epoch{'s' * (run.rows != 1)}, {run.steps[-1]:,.0f} steps{on_purpose}.",
        "training has only begun.",
        "wait for more epochs.",
        "TotalEnvInteracts",
    )


# ---- episodes ----


def no_episode_ended(run: Evidence) -> Finding | None:
    """There are no returns, as no episode has come to an end."""
    if len(run.returns) or "EpRet" not in run:
        return None
    return Finding(
        "no_episode_ended",
        "No episode has ended yet",
        f"{run.performance} is empty in all {run.rows} epochs.",
        "an episode takes more steps than an epoch has for each environment, or nothing ends it.",
        f"{flag('max_ep_len', 200)}, or more steps an epoch: {flag('steps_per_epoch', 5 * run.steps_per_epoch)}.",
        "EpRet",
    )


def episodes_always_cut(run: Evidence) -> Finding | None:
    """Every episode ends by the time limit, where something else could end it."""
    own = float(run.env.get("max_episode_steps") or np.inf)
    limit = min(own, run.number("max_ep_len", np.inf))
    length = run["EpLen"][~np.isnan(run["EpLen"])]
    if str(run.env.get("id")).startswith(ENDLESS) or not np.isfinite(limit) or not len(length) or run.is_solved:
        return None
    cut, earlier = length >= limit, limit < own < np.inf
    if cut.mean() < 0.9 and not (earlier and cut[-max(1, len(cut) // 3) :].mean() >= 0.9):
        return None
    if earlier:
        causes = f"{flag('max_ep_len', limit)} hides the rest of the task: the environment allows {own:g} steps."
        advice = f"{flag('max_ep_len', own)}."
    else:
        causes = "the goal that would end an episode is never reached. (If nothing can end one here, that is natural.)"
        advice = "more exploration, or a reward that says how near the goal is."
    return Finding(
        "episodes_always_cut",
        "Every episode is cut by the time limit",
        f"EpLen is {limit:g}, the limit, in {epochs_in(cut)}, and {run.performance} ends at {number(run.last)}.",
        causes,
        advice,
        "EpLen",
        not run.is_thin,
    )


# ---- returns ----


def never_started(run: Evidence) -> Finding | None:
    """No epoch was clearly better than the first ones."""
    if len(run.score) < 5 or run.is_solved:
        return None
    best = float(run.score.max())
    scale = max(abs(run.first), np.nanmax(np.abs(run["EpRet"]), initial=0.0))
    if best - run.first > max(run.spread, 0.05 * scale):
        return None
    late = run.late(run.performance, 0.5)
    is_still = len(late) > 3 and np.ptp(late) < 0.05 * scale
    same = f", and changes by only {number(float(np.ptp(late)))} in its second half" if is_still else ""
    return Finding(
        "never_started",
        "Nothing has been learned",
        f"{run.performance} begins at {number(run.first)} and ends at {number(run.last)}; at its best it is "
        f"{number(best)}{same}.",
        *_why_nothing(run, is_still),
        "TestEpRet" if "Test" in run.performance else "EpRet",
        not run.is_thin,
    )


def _why_nothing(run: Evidence, is_still: bool) -> tuple[str, str]:
    """Why nothing has been learned, and what to try."""
    dead = "large first updates can push a policy to where tanh is flat, and no gradient brings it back (a dead policy)"
    other_seed = flag("seed", run.number("seed") + 10)
    for rate in ("pi_lr", "lr", "q_lr"):
        if run.number(rate) >= 0.01:
            causes = f"{flag(rate, run.number(rate))} is too high{f': {dead}' if 'LossQ' in run else ''}."
            return causes, f"{gentler(rate, run.number(rate))}. Then another seed: {other_seed}."
    if is_still and run.algo in ("ddpg", "td3"):
        causes = f"{dead}; or no reward was found that could teach anything."
    else:
        causes = "no reward was found that could teach anything, or the task needs more steps than this."
    return causes, f"another seed: {other_seed}. Then a smaller learning rate, more exploration, or many more steps."


def learning_lost(run: Evidence) -> Finding | None:
    """Most of what had been learned is gone at the end."""
    if len(run.score) < 5 or run.is_solved:
        return None
    best, at = float(run.score.max()), int(run.score.argmax())
    gain, loss = best - run.first, best - run.last
    if gain <= 2 * run.spread or loss <= max(0.5 * gain, run.spread):
        return None
    return Finding(
        "learning_lost",
        "It was learned, and lost again",
        f"{run.performance} rose from {number(run.first)} to {number(best)} (around epoch {at}) and ends at "
        f"{number(run.last)}.",
        *_why_lost(run),
        "TestEpRet" if "Test" in run.performance else "EpRet",
        not run.is_thin,
    )


def learning_unstable(run: Evidence) -> Finding | None:
    """Most of what had been learned was gone for a while, and came back in part."""
    if len(run.score) < 5 or run.is_solved or learning_lost(run):
        return None
    best = np.maximum.accumulate(run.score)
    gain, loss = best - run.first, best - run.score
    lost = (gain > 2 * run.spread) & (loss > np.maximum(0.5 * gain, run.spread))
    if lost.mean() < 0.1:
        return None
    low = int(np.argmax(np.where(lost, loss, -np.inf)))
    return Finding(
        "learning_unstable",
        "What is learned comes and goes",
        f"{run.performance} rose from {number(run.first)} to {number(best[low])}, fell to {number(run.score[low])} "
        f"(around epoch {low}), and ends at {number(run.last)}.",
        *_why_lost(run),
        "TestEpRet" if "Test" in run.performance else "EpRet",
        not run.is_thin,
    )


def _why_lost(run: Evidence) -> tuple[str, str]:
    """Why what was learned is lost, and what to try."""
    rate = next((name for name in ("pi_lr", "q_lr", "lr") if name in run.config), "pi_lr")
    off_policy = "a critic that became wrong (a learning rate that is too high, a replay buffer that holds too little)."
    return (
        off_policy if "LossQ" in run else "an update that was too large, from which the policy did not recover.",
        f"{gentler(rate, run.number(rate, 1e-3), 3)}. {flag('snapshots', 'True')} keeps the agent of every save, the "
        "best one too.",
    )
