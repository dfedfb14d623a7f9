"""Exercise 2.1: TRPO on Hopper with and without steps of the value function, drawn from bench/results/ex2-1_*."""

from pathlib import Path

import numpy as np

from docs.figures.style import BLUE, ORANGE, new_figure
from spinup.analysis.curves import read_progress

RESULTS = Path(__file__).parents[2] / "bench" / "results"
SEEDS, EPOCHS_A_POINT = (0, 10, 20), 5
VARIANTS = {"no value steps": ("ex2-1_v0", ORANGE), "80 value steps": ("ex2-1_v80", BLUE)}


def read(variant, column):
    """A column of the logs of a variant, ``[seed, epoch]``."""
    name, _ = VARIANTS[variant]
    return np.stack([read_progress(RESULTS / name / f"{name}_s{s}" / "progress.txt")[column] for s in SEEDS])


def rms_error(variant):
    """The root mean square error of V before each update, ``[seed, epoch]``."""
    return np.sqrt(read(variant, "LossV"))


def summary(last=20):
    """A line for each variant, means over the seeds and the last epochs of some columns."""
    lines = [f"{'':16}{'return':>7}{'EpLen':>7}{'V':>6}{'error of V':>12}{'DeltaLossPi':>13}{'KL':>8}"]
    for variant in VARIANTS:
        means = [read(variant, c)[:, -last:].mean() for c in ("AverageEpRet", "EpLen", "AverageVVals")]
        rest = [rms_error(variant)[:, -last:].mean(), *(read(variant, c).mean() for c in ("DeltaLossPi", "KL"))]
        lines.append("{:16}{:7.0f}{:7.0f}{:6.1f}{:12.0f}{:13.3f}{:8.4f}".format(variant, *means, *rest))
    return "\n".join(lines)


def draw():
    """Returns above, the error of V below, a line for each seed."""
    figure = new_figure(5.6, 4.4)
    above, below = figure.subplots(2, sharex=True)
    for variant, (_, colour) in VARIANTS.items():
        for axes, values in ((above, read(variant, "AverageEpRet")), (below, rms_error(variant))):
            points = values.reshape(len(SEEDS), -1, EPOCHS_A_POINT).mean(-1)
            steps = (np.arange(points.shape[1]) + 0.5) * EPOCHS_A_POINT * 4000 / 1e6
            for i, seed in enumerate(points):
                axes.plot(steps, seed, color=colour, linewidth=1.5, label=None if i else variant)
    above.set_ylabel("return")
    above.legend(loc="upper left")
    below.set_yscale("log")
    below.set_ylabel("error of V (root mean square)")
    below.set_xlabel("environment steps, in millions")
    return figure
