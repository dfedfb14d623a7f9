"""Tables of collected curves, beside the published ones, and the page that holds them."""

from collections.abc import Iterator, Sequence

import numpy as np

from bench.curves.draw import BACKENDS, smoothing
from bench.curves.files import ALGOS, PUBLISHED_RUNS, STEPS, Experiment, Originals, Published, unversioned
from spinup.analysis.curves import ESTIMATORS, PERFORMANCE, series

AT = (250_000, 500_000, 1_000_000, 2_000_000, 3_000_000)  # steps to tell the performance at, as far as trained
LAST = 0.1  # share of a run that is its end
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


def page(experiments: Sequence[Experiment], originals: Originals, figures: dict[str, list[str]]) -> str:
    """Everything in Markdown: for each environment its figures and table, then what is below, and what made it all."""
    lines = [INTRODUCTION]
    for env, names in figures.items():
        lines += [f"## {env}", ""]
        lines += [f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in names]
        lines += ["", HEADER]
        for experiment in sorted(experiments, key=lambda e: (ALGOS.index(e.algo), e.backend)):
            if experiment.env == env:
                lines += rows(experiment, originals.get((unversioned(env), experiment.algo)))
        lines.append("")
    below = list(_below(experiments, originals)) or ["| none | | | |"]
    return "\n".join([*lines, BELOW, *below, "", *_made_by(experiments), ""])


def rows(experiment: Experiment, original: Published | None) -> Iterator[str]:
    """The rows of one experiment: at each of the steps ``AT`` that all its runs have reached, and over the end."""
    smoothed, raw = (_points(experiment, window) for window in (smoothing(experiment, original), 1))
    last = min((x[-1] for x, _ in raw), default=0)
    for step in AT:
        if step <= last:
            values = [np.interp(step, x, y) for x, y in smoothed]
            yield _row(experiment, f"{step / 1e6:g} M", values, original and original.over(np.array([step])))
    if raw:
        ends = [(x > (1 - LAST) * last) & (x <= last) for x, _ in raw]
        values = [y[end].mean() for end, (_, y) in zip(ends, raw)]
        steps = f"{(1 - LAST) * last / 1e6:.3g} to {last / 1e6:.3g} M"
        yield _row(experiment, steps, values, original and original.over(raw[0][0][ends[0]]))


def _points(experiment: Experiment, window: int) -> list[tuple[np.ndarray, np.ndarray]]:
    points = [series(run, STEPS, PERFORMANCE, window) for run in experiment.runs.values()]
    return [(x, y) for x, y in points if len(x)]


def _row(experiment: Experiment, steps: str, values: list, theirs: tuple[float, float] | None) -> str:
    runs, mean, std = len(values), np.mean(values), np.std(values)
    iqm, low, high = ESTIMATORS["iqm"](np.reshape(values, (-1, 1)), [experiment.name] * runs)
    cells = [experiment.algo.upper(), BACKENDS[experiment.backend], steps, str(runs)]
    cells += [f"{_text(mean)} ± {_text(std)}", _text(iqm[0])] if runs > 1 else [_text(mean), ""]
    if runs > 2 and low is not None and high is not None:
        cells[-1] += f" [{_text(low[0])}, {_text(high[0])}]"
    cells += [f"{_text(theirs[0])} ± {_text(theirs[1])}"] if theirs else [""]
    cells += [beside(mean, *theirs)] if theirs and runs > 1 else [""]
    return f"| {' | '.join(cells)} |"


def beside(ours: float, mean: float, std: float) -> str:
    """Where ``ours`` lies in relation to the band ``mean`` ± ``std``."""
    return "**below**" if ours < mean - std else "above" if ours > mean + std else "inside"


def _below(experiments: Sequence[Experiment], originals: Originals) -> Iterator[str]:
    """At which of all published points our mean is below the band, whether or not a table has them."""
    for experiment in experiments:
        original = originals.get((unversioned(experiment.env), experiment.algo))
        points = _points(experiment, smoothing(experiment, original))
        if original is None or len(points) < 2:
            continue
        first, last = max(x[0] for x, _ in points), min(x[-1] for x, _ in points)
        compared = (original.steps >= first) & (original.steps <= last)
        steps = original.steps[compared]
        ours = np.mean([np.interp(steps, x, y) for x, y in points], axis=0)
        below = steps[ours < (original.mean - original.std)[compared]]
        if len(below):
            yield f"| `{experiment.name}` | {len(steps)} | {len(below)} | {below[0]:,.0f} and {below[-1]:,.0f} |"


def _text(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _made_by(experiments: Sequence[Experiment]) -> Iterator[str]:
    yield from ("## What made them", "", "| | seeds | commit | command | machine |", "|---|---|---|---|---|")
    machines: list[str] = []
    for experiment in experiments:
        for entry in experiment.about["made_by"]:
            machine = "; ".join(f"{key}: {value}" for key, value in entry["machine"].items())
            if machine not in machines:
                machines.append(machine)
            cells = [f"`{experiment.name}`", " ".join(map(str, entry["seeds"])), entry["commit"]]
            cells += [f"`{entry['command']}`", str(machines.index(machine) + 1)]
            yield f"| {' | '.join(cells)} |"
    yield from ("", "Machines:", "", *(f"{number}. {machine}" for number, machine in enumerate(machines, start=1)))
