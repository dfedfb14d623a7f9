"""From run directories to findings, and from findings to words."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spinup.analysis.diagnosis import off_policy, on_policy, returns
from spinup.analysis.diagnosis.evidence import Evidence
from spinup.analysis.diagnosis.finding import Finding, flag, number

WIDTH = 80  # characters in a line

# In this order they are reported: what makes all else meaningless, then causes, then what they led to.
CHECKS: tuple[Callable[[Evidence], Finding | None], ...] = (
    returns.no_episode_ended,
    returns.episodes_always_cut,
    on_policy.steps_too_large,
    on_policy.line_search_fails,
    on_policy.policy_collapsed,
    on_policy.value_not_learning,
    on_policy.value_gets_worse,
    off_policy.critic_is_constant,
    off_policy.q_too_large,
    off_policy.entropy_outweighs_reward,
    off_policy.no_exploration,
    returns.never_started,
    returns.learning_lost,
    returns.learning_unstable,
)
CONSEQUENCES = ("policy_collapsed", "never_started", "learning_lost", "learning_unstable")


def diagnose(run: Evidence) -> list[Finding]:
    """What looks wrong with ``run``, the most likely cause first; nothing if it looks healthy."""
    with np.errstate(all="ignore"):
        if broken := returns.not_finite(run):
            return [broken]
        if early := returns.too_early(run):
            return [early]
        return _traced([finding for check in CHECKS if (finding := check(run))])


def _traced(findings: list[Finding]) -> list[Finding]:
    """The findings; those that usually follow from another one say so in place of their own advice."""
    for i, finding in enumerate(findings[1:], 1):
        if finding.name in CONSEQUENCES:
            causes = f"this follows from 1 ({findings[0].title.lower()})."
            findings[i] = replace(finding, causes=causes, advice="fix 1 first.")
    return findings


def seeds_disagree(runs: Sequence[Evidence]) -> Finding | None:
    """Some seeds of an experiment have learned, and others have not."""
    ends = {run.number("seed", i): run.last for i, run in enumerate(runs) if np.isfinite(run.last)}
    if len(ends) < 2:
        return None
    start = float(np.median([run.first for run in runs]))
    best = max(ends.values())
    spread = float(np.median([run.spread for run in runs]))
    poor = {seed: end for seed, end in ends.items() if end < start + 0.4 * (best - start) and best - end > spread}
    if not poor or best - start <= spread:
        return None
    shown = ", ".join(f"seed {seed:g}: {number(end)}" for seed, end in ends.items())
    return Finding(
        "seeds_disagree",
        "Seeds disagree",
        f"{runs[0].performance} at the end: {shown}.",
        "chance decides whether these settings learn, which is common in hard tasks.",
        f"at least five seeds before you compare settings: {flag('seed', '0 10 20 30 40')}. Then gentler settings: a "
        "smaller learning rate, more data for each update.",
        "EpRet",
        sure=len(ends) >= 3,
    )


def by_experiment(runs: Sequence[Evidence]) -> dict[str, list[Evidence]]:
    """Runs of one experiment in one environment, which may differ in their seeds."""
    groups: dict[str, list[Evidence]] = {}
    for run in runs:
        name, env = run.config.get("exp_name") or run.path.resolve().name, run.env.get("id")
        groups.setdefault(f"{name} on {env}" if env else str(name), []).append(run)
    return groups


# ---- words ----


def describe(run: Evidence) -> str:
    """Which run this is, and how its returns went, in a line."""
    task = " on ".join(part for part in (run.algo.upper(), str(run.env.get("id") or "")) if part)
    size = f"{run.rows} epoch{'s' * (run.rows != 1)}, {run.steps[-1]:,.0f} steps"
    course = f"; {run.performance} from {number(run.first)} to {number(run.last)}" if len(run.returns) else ""
    return f"{task + ', ' if task else ''}{size}{course}"


def words(run: Evidence, findings: Sequence[Finding]) -> str:
    """The report on one run: a line if it looks healthy."""
    if not findings:
        thin = " as far as so few epochs tell" if run.is_thin else ""
        return f"{run.path}: looks healthy{thin} ({describe(run)})"
    return "\n".join([f"{run.path}\n  {describe(run)}", *(paragraph(one, i) for i, one in enumerate(findings, 1))])


def paragraph(finding: Finding, i: int) -> str:
    """A finding as numbered lines of text."""
    parts = {"Seen": finding.evidence, "Likely": finding.causes, "Try": finding.advice, "More": finding.glossary}
    lines = [f"\n  {i}. {finding.title}{'' if finding.sure else ', perhaps: there is little data'}"]
    wrapper = textwrap.TextWrapper(WIDTH, subsequent_indent=" " * 12, break_on_hyphens=False, break_long_words=False)
    for name, text in parts.items():
        wrapper.initial_indent = f"     {name:7}"
        lines += wrapper.wrap(text)
    return "\n".join(lines)


def as_data(finding: Finding) -> dict[str, Any]:
    """A finding for a program."""
    return {
        "name": finding.name,
        "title": finding.title,
        "evidence": finding.evidence,
        "causes": finding.causes,
        "advice": finding.advice,
        "glossary": finding.glossary,
        "sure": finding.sure,
    }


def run_as_data(run: Evidence, findings: Sequence[Finding]) -> dict[str, Any]:
    """A run and its findings for a program."""
    return {
        "path": str(run.path),
        "algorithm": run.algo,
        "env": run.env.get("id"),
        "epochs": run.rows,
        "steps": int(run.steps[-1]),
        "performance": {"column": run.performance, "first": _finite(run.first), "last": _finite(run.last)},
        "findings": [as_data(finding) for finding in findings],
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None  # JSON has no NaN
