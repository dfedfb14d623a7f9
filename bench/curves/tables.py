"""Tables of collected curves, beside the published ones, and the page that holds them."""

from collections.abc import Iterator, Sequence

import numpy as np

from bench.curves.draw import BACKENDS, smoothing_window
from bench.curves.files import ALGOS, PUBLISHED_RUNS, STEPS, CollectedRuns, PublishedCurve, PublishedCurves, unversioned
from spinup.analysis.curves import ESTIMATORS, PERFORMANCE, series

REPORTED_STEPS = (
    250_000,
    500_000,
    1_000_000,
    2_000_000,
    3_000_000,
)  # a row for each that was reached
LAST = 0.1  # the share of a run that counts as its end
HEADER = (
    f"| | | steps | runs | mean ± std | IQM, 95 % interval | the original, {PUBLISHED_RUNS} runs | our mean is |\n"
    "|---|---|---|---|---|---|---|---|"
)
INTRODUCTION = """\
# Learning curves

Drawn by `python -m bench.curves draw` from the CSV files here alone; the JSON files say what made them. The original's
curves are those it published (`bench/published/README.md` says where they are from).

- **Performance** is the average return of the episodes of an epoch on-policy, while the agent learns and explores, and
  of ten test episodes without exploration off-policy.
- **Curves** are smoothed as the original's: by a centred average over 11 of its epochs, which are 4000 steps on-policy
  and 10,000 off-policy; those of environments that it did not publish are not. At the end of a run half of that is
  missing. Each table ends with the last 10 %: the average of
  a run's rows over those steps, not smoothed, beside that of the published curve.
- **± std** is one standard deviation over runs (ddof 0), and so is the band about a curve.
- **IQM** is the interquartile mean over runs, which for fewer than four of them is the mean. Its 95 % interval is by
  2000 bootstrap resamples of the runs of a row (each row is a stratum of its own). Of so few runs it is too narrow:
  with three it reaches from the lowest to the highest, which holds the median of all runs that could be made in 75 % of
  cases. Fewer than three have none.
- **Inside, above, below** compares our mean with the original's mean ± std at the same step; one run is not compared.
- **The environments are not quite the same**: the original's are v3, ours v5. HalfCheetah and Swimmer have the same
  model and reward. Walker2d's right foot has more friction now. Hopper, Walker2d and Ant no longer reward the step they
  fall in. Ant sees other numbers, and always pays for contact.
- **TRPO** of the original was published for TensorFlow alone; the others are its PyTorch versions.
"""
BELOW = """\
## Below the original's band

The tables show a few steps; the published curves have a point every 20,000. Of those within our runs, our mean is below
the original's mean - std at these and no others. (Of the committed curves, `bench/results/README.md` says why.)

| | published points | below at | between steps |
|---|---|---|---|"""


def markdown_page(
    all_collected: Sequence[CollectedRuns], originals: PublishedCurves, figures: dict[str, list[str]]
) -> str:
    """The whole page in Markdown: figures and table of each environment, points below the band, and what made them."""
    lines = [INTRODUCTION]
    for env, names in figures.items():
        lines += [f"## {env}", ""]
        lines += [f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in names]
        lines += ["", HEADER]
        for collected in sorted(all_collected, key=lambda e: (ALGOS.index(e.algo), e.backend)):
            if collected.env == env:
                lines += table_rows(collected, originals.get((unversioned(env), collected.algo)))
        lines.append("")
    below = list(_rows_below_band(all_collected, originals)) or ["| none | | | |"]
    return "\n".join([*lines, BELOW, *below, "", *_made_by_rows(all_collected), ""])


def table_rows(collected: CollectedRuns, original: PublishedCurve | None) -> Iterator[str]:
    """Table rows of one experiment: one for each of ``REPORTED_STEPS`` that all runs reached, and one for the end."""
    smoothed, raw = (_points(collected, window) for window in (smoothing_window(collected, original), 1))
    last = min((x[-1] for x, _ in raw), default=0)
    for step in REPORTED_STEPS:
        if step <= last:
            values = [np.interp(step, x, y) for x, y in smoothed]
            yield _row(collected, f"{step / 1e6:g} M", values, original and original.over(np.array([step])))
    if raw:
        ends = [(x > (1 - LAST) * last) & (x <= last) for x, _ in raw]
        values = [y[end].mean() for end, (_, y) in zip(ends, raw)]
        steps = f"{(1 - LAST) * last / 1e6:.3g} to {last / 1e6:.3g} M"
        yield _row(collected, steps, values, original and original.over(raw[0][0][ends[0]]))


def _points(collected: CollectedRuns, window: int) -> list[tuple[np.ndarray, np.ndarray]]:
    points = [series(run, STEPS, PERFORMANCE, window) for run in collected.runs.values()]
    return [(x, y) for x, y in points if len(x)]


def _row(collected: CollectedRuns, steps: str, values: list, theirs: tuple[float, float] | None) -> str:
    runs, mean, std = len(values), np.mean(values), np.std(values)
    iqm, low, high = ESTIMATORS["iqm"](np.reshape(values, (-1, 1)), [collected.name] * runs)
    cells = [collected.algo.upper(), BACKENDS[collected.backend], steps, str(runs)]
    cells += [f"{_text(mean)} ± {_text(std)}", _text(iqm[0])] if runs > 1 else [_text(mean), ""]
    if runs > 2 and low is not None and high is not None:
        cells[-1] += f" [{_text(low[0])}, {_text(high[0])}]"
    cells += [f"{_text(theirs[0])} ± {_text(theirs[1])}"] if theirs else [""]
    cells += [compare_to_band(mean, *theirs)] if theirs and runs > 1 else [""]
    return f"| {' | '.join(cells)} |"


def compare_to_band(ours: float, mean: float, std: float) -> str:
    """Whether ``ours`` lies below, inside or above the band ``mean`` ± ``std``."""
    return "**below**" if ours < mean - std else "above" if ours > mean + std else "inside"


def _rows_below_band(all_collected: Sequence[CollectedRuns], originals: PublishedCurves) -> Iterator[str]:
    """For each experiment, how many of all published points our mean is below the band at, and between which steps."""
    for collected in all_collected:
        original = originals.get((unversioned(collected.env), collected.algo))
        points = _points(collected, smoothing_window(collected, original))
        if original is None or len(points) < 2:
            continue
        first, last = max(x[0] for x, _ in points), min(x[-1] for x, _ in points)
        compared = (original.steps >= first) & (original.steps <= last)
        steps = original.steps[compared]
        ours = np.mean([np.interp(steps, x, y) for x, y in points], axis=0)
        below = steps[ours < (original.mean - original.std)[compared]]
        if len(below):
            yield f"| `{collected.name}` | {len(steps)} | {len(below)} | {below[0]:,.0f} and {below[-1]:,.0f} |"


def _text(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _made_by_rows(all_collected: Sequence[CollectedRuns]) -> Iterator[str]:
    yield from ("## What made them", "", "| | seeds | commit | command | machine |", "|---|---|---|---|---|")
    machines: list[str] = []
    for collected in all_collected:
        for entry in collected.about["made_by"]:
            machine = "; ".join(f"{key}: {value}" for key, value in entry["machine"].items())
            if machine not in machines:
                machines.append(machine)
            cells = [f"`{collected.name}`", " ".join(map(str, entry["seeds"])), entry["commit"]]
            cells += [f"`{entry['command']}`", str(machines.index(machine) + 1)]
            yield f"| {' | '.join(cells)} |"
    yield from ("", "Machines:", "", *(f"{number}. {machine}" for number, machine in enumerate(machines, start=1)))
