"""Exercise 2.2: DDPG on HalfCheetah with and without the bug in its critic, drawn from bench/results/ex2-2_*."""

from pathlib import Path

import numpy as np

from docs.figures.style import BLUE, ORANGE, new_figure
from spinup.analysis.curves import read_progress

RESULTS = Path(__file__).parents[2] / "bench" / "results"
SEEDS = (0, 10, 20)
VARIANTS = {"without the bug": ("ex2-2_ddpgactorcritic", BLUE), "with the bug": ("ex2-2_buggedddpgactorcritic", ORANGE)}


def read(variant, column):
    """A column of the logs of a variant, ``[seed, epoch]``."""
    name, _ = VARIANTS[variant]
    return np.stack([read_progress(RESULTS / name / f"{name}_s{s}" / "progress.txt")[column] for s in SEEDS])


def predicted():
    """What theory says of Q in the runs with the bug, beside what was logged after 60,000 and 80,000 steps.

    The prediction is the mean reward of all steps so far / (1 - gamma).
    """
    per_step = np.cumsum(read("with the bug", "AverageEpRet"), 1) / np.arange(1, 26) / 1000
    lines = [f"{'steps':7}{'seed':>5}{'predicted':>11}{'logged':>8}"]
    for epochs in (15, 20):
        for i, seed in enumerate(SEEDS):
            logged = read("with the bug", "AverageQVals")[i, epochs - 1]
            lines.append(f"{epochs * 4000:<7}{seed:5}{per_step[i, epochs - 1] / (1 - 0.99):11.1f}{logged:8.1f}")
    return "\n".join(lines)


def draw():
    """Test returns above, how much Q varies below, a line for each seed."""
    figure = new_figure(5.6, 4.4)
    above, below = figure.subplots(2, sharex=True)
    for variant, (_, colour) in VARIANTS.items():
        for axes, column in ((above, "AverageTestEpRet"), (below, "StdQVals")):
            values = read(variant, column)
            for i, seed in enumerate(values):
                steps = 4 * (1 + np.arange(len(seed)))
                axes.plot(steps, seed, color=colour, linewidth=1.5, label=None if i else variant)
    above.set_ylabel("test return")
    above.legend(loc="upper left")
    below.set_yscale("log")
    below.set_ylabel("standard deviation of Q")
    below.set_xlabel("environment steps, in thousands")
    return figure
