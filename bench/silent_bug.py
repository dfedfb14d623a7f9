"""The runs of exercise 3.5: PPO on CartPole with and without a bug, ten seeds each.

    python -m bench.silent_bug

writes ``spinup/exercises/graders/curves3_5.csv``: average return of each epoch, a row for each seed. Variant B has the
bug, by which advantages are summed on across the ends of episodes.
"""

import csv
import tempfile
from pathlib import Path

import numpy as np

import spinup
from spinup import ppo_jax
from spinup.analysis.curves import read_progress
from spinup.experience import buffers

FILE = Path(spinup.__file__).parent / "exercises" / "graders" / "curves3_5.csv"
SEEDS, EPOCHS = range(10), 20


def returns(seed: int) -> np.ndarray:
    """Average returns of a run, an epoch each."""
    with tempfile.TemporaryDirectory() as folder:
        ppo_jax("CartPole-v1", seed=seed, steps_per_epoch=2000, epochs=EPOCHS, logger_kwargs={"output_dir": folder})
        return read_progress(Path(folder) / "progress.txt")["AverageEpRet"]


def main() -> None:
    """Train, and write the file."""
    right, rows = buffers.gae, []
    for variant in "AB":
        if variant == "B":
            buffers.gae = lambda r, v, v2, d, ended, gamma, lam: right(r, v, v2, d, 0 * ended, gamma, lam)
        rows += [[variant, seed, *np.round(returns(seed), 1)] for seed in SEEDS]
    buffers.gae = right
    with FILE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["variant", "seed", *range(1, EPOCHS + 1)], *rows])


if __name__ == "__main__":
    main()
