"""How the three example programs of Part 3 learn CartPole: five seeds each, 40 epochs of at least 1000 steps.

``python -m docs.figures.pg_programs`` trains them again (about ten minutes on a busy machine) and writes the CSV, from
which ``draw`` and the numbers of the page come.
"""

import csv
import io
import re
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

import numpy as np

from docs.figures.style import BLUE, GREEN, ORANGE, new_figure

DATA = Path(__file__).with_suffix(".csv")
PROGRAMS = {"1_simple_pg": ORANGE, "2_rtg_pg": BLUE, "3_baseline_pg": GREEN}
SEEDS, EPOCHS, BATCH_SIZE = 5, 40, 1000


def returns(program, seed):
    """What a program prints as the return of each epoch."""
    with redirect_stdout(io.StringIO()) as printed:
        import_module(f"spinup.examples.pytorch.pg_math.{program}").train(
            epochs=EPOCHS, batch_size=BATCH_SIZE, seed=seed
        )
    return re.findall(r"return +([.\d]+)", printed.getvalue())


def write():
    """Train all, and keep the returns."""
    with DATA.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["program", "seed", "epoch", "return"])
        for program in PROGRAMS:
            for seed in range(SEEDS):
                rows.writerows([program, seed, epoch, ret] for epoch, ret in enumerate(returns(program, seed)))


def read():
    """Returns ``[seed, epoch]`` by program."""
    with DATA.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        program: np.array([float(row["return"]) for row in rows if row["program"] == program]).reshape(SEEDS, EPOCHS)
        for program in PROGRAMS
    }


def summary():
    """A line for each program: the mean return of the last five epochs, over all seeds and of each."""
    return "\n".join(
        f"{program:13}  {last.mean():3.0f}   " + "  ".join(f"{ret:3.0f}" for ret in last)
        for program, last in ((program, ret[:, -5:].mean(1)) for program, ret in read().items())
    )


def draw():
    """The mean over the seeds, and from the worst to the best of them."""
    figure = new_figure(5.6, 3.0)
    axes = figure.subplots()
    steps = (1 + np.arange(EPOCHS)) * BATCH_SIZE / 1000
    for program, ret in read().items():
        axes.fill_between(steps, ret.min(0), ret.max(0), color=PROGRAMS[program], alpha=0.15, linewidth=0)
        axes.plot(steps, ret.mean(0), color=PROGRAMS[program], label=program)
    axes.set_xlabel("environment steps, in thousands (at least)")
    axes.set_ylabel("return")
    axes.legend(loc="upper left")
    return figure


if __name__ == "__main__":
    write()
