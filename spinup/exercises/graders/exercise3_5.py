"""Grader of exercise 3.5: which of two variants has a bug, and how sure one can be. The runs: bench/silent_bug.py."""

import csv
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import trim_mean

from spinup.errors import UserError
from spinup.exercises.exercise import Exercise, Question

FILE = Path(__file__).with_name("curves3_5.csv")
BUGGED, NEAR = "B", 0.006  # the probability that is typed may differ by as much: resampling is random
DRAWS = 20000


def read_curves() -> dict[str, np.ndarray]:
    """The average returns of each variant, ``[seeds, epochs]``."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return {name: np.array([row[2:] for row in rows if row[0] == name], float) for name in "AB"}


def iqm(scores: np.ndarray, axis: int) -> np.ndarray:
    """The mean of the middle half."""
    return trim_mean(scores, 0.25, axis=axis)


def how_sure(fine: np.ndarray, bugged: np.ndarray, statistic: Callable = iqm) -> float:
    """The share of bootstrap samples of the runs in which the bugged variant has the lower ``statistic``."""
    rng = np.random.default_rng(0)
    some, others = (x[rng.integers(len(x), size=(DRAWS, len(x)))] for x in (fine, bugged))
    return float((statistic(some, axis=-1) > statistic(others, axis=-1)).mean())


@cache
def known_answers() -> dict[str, tuple[float, str]]:
    """What the right answer and the usual wrong ones come to, with a name each."""
    fine, bugged = (curves for _, curves in sorted(read_curves().items(), key=lambda item: item[0] == BUGGED))
    scores = fine.mean(1), bugged.mean(1)
    right = how_sure(*scores)
    pairs = float((scores[0][:, None] > scores[1]).mean())
    return {
        "right": (
            right,
            "both learn CartPole in the end, but over the whole curve the bugged variant has the lower returns in "
            f"{right:.1%} of the samples. Its bug: advantages are summed on across the ends of episodes.",
        ),
        "the end": (
            how_sure(fine[:, -5:].mean(1), bugged[:, -5:].mean(1)),
            "That is what the last epochs say, where nearly all runs have reached the maximum of 500: nothing can be "
            "told there any more. How fast they learn shows in the mean over all epochs.",
        ),
        "means": (
            how_sure(*scores, np.mean),
            "That is what the means of ten runs say. The question is about the IQM, which the few best and worst runs "
            "do not move.",
        ),
        "medians": (
            how_sure(*scores, np.median),
            "That is what the medians say. The IQM uses more of the runs, the middle half, and is surer for it.",
        ),
        "pairs": (
            pairs,
            f"{pairs:.0%} is how often one run of the fine variant beats one of the other. The question is about the "
            "variants: about the IQM of ten runs each, which varies less than a single run.",
        ),
        "the error": (
            1 - right,
            "That is the chance that it is the other way round. How sure you are is 1 minus that.",
        ),
        "certain": (
            1.0,
            "No ten seeds make that certain. Resample the runs, as wholes: the epochs of a run are not independent, so "
            "200 numbers are not 200 pieces of evidence.",
        ),
        "chance": (0.5, "That would mean that there is nothing to tell. Look at the mean over all epochs."),
    }


def judge(answer: str) -> tuple[bool, str]:
    """Whether ``answer``, such as ``A 0.9``, has the right variant and probability."""
    typed = re.fullmatch(r"([AB])\W+([\d.]+) ?(%?)", answer.strip(), re.IGNORECASE)
    try:
        p = float(typed[2]) / (100 if typed[3] or float(typed[2]) > 1 else 1) if typed else -1.0
    except ValueError:
        p = -1.0
    if not typed or not 0 <= p <= 1:
        raise UserError(f"--answer {answer!r} is invalid: give a variant and a probability, such as A 0.9.")
    if typed[1].upper() != BUGGED:
        return False, "its returns are the higher ones over the whole curve, and a bug seldom helps."
    near = {name: abs(p - value) for name, (value, _) in known_answers().items()}
    name = min(near, key=lambda name: near[name])
    if near[name] > NEAR:
        return (
            False,
            "the variant is right, but the probability is another one. For each variant, draw ten of its "
            "runs with replacement and take the IQM of their mean returns; do that some thousand times, and count.",
        )
    return name == "right", known_answers()[name][1]


TEXT = f"""\
Two variants of PPO learned CartPole, ten seeds each. One of them has a bug. Which one, and how sure can you be?

{FILE.name} has a row for each run: the variant, A or B, the seed, and the average return of each of 20 epochs.
With --start it is copied to where you work.

1. Draw the curves. Look at three seeds of each, then at all ten. At which part of the curve should one look?

2. Take as the score of a run its mean return over all epochs. Compare the interquartile means (IQM): the mean of
   the middle half of the ten scores, which one lucky run does not move (here: without the lowest two and the highest
   two).

3. How sure can you be? Bootstrap: from each variant draw ten runs, with replacement, and compare the IQMs of what was
   drawn. Do that 10,000 times. In which share is the IQM of the variant with the bug the lower one?

Answer with the variant and that share, for instance --answer A 0.9."""

EXERCISE = Exercise(
    title="Reading learning curves",
    minutes=40,
    difficulty=2,
    question=Question(TEXT, judge),
    data=FILE,
)
