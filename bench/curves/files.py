"""Learning curves as files: for each experiment a CSV, one row an epoch and run, and a JSON that says what made it."""

import csv
import itertools
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spinup.analysis.curves import PERFORMANCE, Run
from spinup.errors import UserError
from spinup.experiments.names import path_safe
from spinup.records.files import write_atomically

BENCH = Path(__file__).resolve().parents[1]
RESULTS, PUBLISHED = BENCH / "results" / "curves", BENCH / "published" / "curves.csv"

ON_POLICY, OFF_POLICY = ("vpg", "trpo", "ppo"), ("dqn", "ddpg", "td3", "sac")
ALGOS = (*ON_POLICY, *OFF_POLICY)
PUBLISHED_RUNS = 10
# Steps between two points of the published curves; ours are as far apart, unless they come from elsewhere.
EPOCH_STEPS = {**dict.fromkeys(ON_POLICY, 4000), **dict.fromkeys(OFF_POLICY, 10_000)}

STEPS = "TotalEnvInteracts"
MEASURED = {STEPS: "steps", PERFORMANCE: "performance", "EpLen": "ep_len", "Time": "seconds"}  # how the CSVs name them
COLUMNS = ("env", "algo", "backend", "seed", "epoch", *MEASURED.values())


class Experiment(NamedTuple):
    """The runs of one algorithm in one environment, by their seeds; ``about`` is what the JSON says."""

    env: str
    algo: str
    backend: str
    runs: dict[int, Run]
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return name_of(self.env, self.algo, self.backend)


class Published(NamedTuple):
    """A curve of the original: mean and standard deviation over its runs, already smoothed."""

    backend: str
    steps: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    def over(self, steps: np.ndarray) -> tuple[float, float] | None:
        """Mean and standard deviation, averaged over ``steps``; None if any lies outside of the curve."""
        if steps.min() < self.steps[0] - 1 or steps.max() > self.steps[-1] + 1:  # it was tested at step 2,999,999
            return None
        mean, std = (np.interp(steps, self.steps, values).mean() for values in (self.mean, self.std))
        return float(mean), float(std)


Originals = dict[tuple[str, str], Published]  # by environment (without its version) and algorithm


def name_of(env: str, algo: str, backend: str) -> str:
    """``halfcheetah_ppo_jax``: how an experiment and its files are called."""
    return f"{path_safe(unversioned(env))}_{algo}_{backend}"


def unversioned(env: str) -> str:
    """``HalfCheetah`` for ``HalfCheetah-v5``."""
    return re.sub(r"-v\d+$", "", env)


def write_experiment(folder: Path, experiment: Experiment) -> None:
    """Write the CSV and the JSON of ``experiment``, numbers rounded to five digits."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{experiment.name}.csv"
    lines = [",".join(COLUMNS), *itertools.chain.from_iterable(rows_of(experiment).values()), ""]
    text = json.dumps(experiment.about, indent=2) + "\n"
    write_atomically(file, lambda part: part.write_bytes("\n".join(lines).encode()))
    write_atomically(file.with_suffix(".json"), lambda part: part.write_bytes(text.encode()))


def rows_of(experiment: Experiment) -> dict[int, list[str]]:
    """The rows of each seed, as they are written."""
    return {
        seed: [
            ",".join(map(str, [*experiment[:3], seed, epoch, int(steps), *map(_cell, values)]))
            for epoch, (steps, *values) in enumerate(zip(*(run.columns[name] for name in MEASURED), strict=True))
        ]
        for seed, run in sorted(experiment.runs.items())
    }


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"


def read_experiment(file: Path) -> Experiment:
    """Read a CSV that :func:`write_experiment` wrote, and its JSON; raises UserError without rows or JSON."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    about_file = file.with_suffix(".json")
    if not rows:
        raise UserError(f"{str(file)!r} has no rows: collect its runs again, or delete it.")
    if not about_file.is_file():
        raise UserError(f"{str(about_file)!r} is missing, which says what made {file.name}: collect its runs again.")
    env, algo, backend = (rows[0][column] for column in COLUMNS[:3])
    runs = {}
    for seed, of_seed in itertools.groupby(rows, key=lambda row: int(row["seed"])):
        runs[seed] = Run(file, file.stem, env, _columns(of_seed))
    return Experiment(env, algo, backend, runs, json.loads(about_file.read_text(encoding="utf-8")))


def _columns(rows: Iterable[dict[str, str]]) -> dict[str, np.ndarray]:
    values = np.array([[float(row[column] or "nan") for column in MEASURED.values()] for row in rows])
    return dict(zip(MEASURED, values.T, strict=True))


def read_experiments(folder: Path) -> list[Experiment]:
    """All experiments whose files are in ``folder``; raises UserError if there are none."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UserError(
            f"{str(folder)!r} holds no curves: collect some first, with python -m bench.curves collect DIR."
        )
    return [read_experiment(file) for file in files]


def read_published() -> Originals:
    """The original's curves."""
    with PUBLISHED.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    curves: Originals = {}
    for key, points in itertools.groupby(rows, key=lambda row: (row["env"], row["algo"], row["backend"])):
        values = np.array([[float(row[column]) for column in ("steps", "mean", "std")] for row in points])
        curves[key[0], key[1]] = Published(key[2], *values.T)
    return curves
