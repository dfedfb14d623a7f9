"""Files of learning curves: a CSV with one row per epoch and run, and a JSON that records what made it."""

import csv
import itertools
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spinup.analysis.curves import PERFORMANCE, LoggedRun
from spinup.errors import UserError
from spinup.experiments.names import path_safe
from spinup.records.files import write_atomically

BENCH = Path(__file__).resolve().parents[1]
RESULTS, PUBLISHED = BENCH / "results" / "curves", BENCH / "published" / "curves.csv"

ON_POLICY, OFF_POLICY = ("vpg", "trpo", "ppo"), ("dqn", "ddpg", "td3", "sac")
ALGOS = (*ON_POLICY, *OFF_POLICY)
PUBLISHED_RUNS = 10
# Steps between two points of the published curves, and of ours unless they were trained in other ways.
EPOCH_STEPS = {**dict.fromkeys(ON_POLICY, 4000), **dict.fromkeys(OFF_POLICY, 10_000)}

STEPS = "TotalEnvInteracts"
MEASURED = {
    STEPS: "steps",
    PERFORMANCE: "performance",
    "EpLen": "ep_len",
    "Time": "seconds",
}  # log and CSV columns
COLUMNS = ("env", "algo", "backend", "seed", "epoch", *MEASURED.values())


class CollectedRuns(NamedTuple):
    """The runs of one algorithm in one environment, by seed; ``about`` is the content of the JSON file."""

    env: str
    algo: str
    backend: str
    runs: dict[int, LoggedRun]
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return experiment_name(self.env, self.algo, self.backend)


class PublishedCurve(NamedTuple):
    """A learning curve of the original: mean and standard deviation over its runs, already smoothed."""

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


PublishedCurves = dict[tuple[str, str], PublishedCurve]  # by environment (without its version) and algorithm


def experiment_name(env: str, algo: str, backend: str) -> str:
    """``halfcheetah_ppo_jax``: the name of an experiment, of its folder and of its files."""
    return f"{path_safe(unversioned(env))}_{algo}_{backend}"


def unversioned(env: str) -> str:
    """``HalfCheetah`` for ``HalfCheetah-v5``."""
    return re.sub(r"-v\d+$", "", env)


def write_collected(folder: Path, collected: CollectedRuns) -> None:
    """Write the CSV and the JSON file of ``collected``, numbers rounded to five digits."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{collected.name}.csv"
    lines = [",".join(COLUMNS), *itertools.chain.from_iterable(csv_rows(collected).values()), ""]
    text = json.dumps(collected.about, indent=2) + "\n"
    write_atomically(file, lambda part: part.write_bytes("\n".join(lines).encode()))
    write_atomically(file.with_suffix(".json"), lambda part: part.write_bytes(text.encode()))


def csv_rows(collected: CollectedRuns) -> dict[int, list[str]]:
    """The lines of the CSV, by seed."""
    return {
        seed: [
            ",".join(map(str, [*collected[:3], seed, epoch, int(steps), *map(_cell, values)]))
            for epoch, (steps, *values) in enumerate(zip(*(run.columns[name] for name in MEASURED), strict=True))
        ]
        for seed, run in sorted(collected.runs.items())
    }


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"


def read_collected(file: Path) -> CollectedRuns:
    """Read a CSV that :func:`write_collected` wrote, and its JSON; raises UserError if rows or JSON are missing."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    about_file = file.with_suffix(".json")
    if not rows:
        raise UserError(f"{str(file)!r} has no rows: collect its runs again, or delete it.")
    if not about_file.is_file():
        raise UserError(f"{str(about_file)!r} is missing, which records what made {file.name}: collect its runs again.")
    env, algo, backend = (rows[0][column] for column in COLUMNS[:3])
    runs = {}
    for seed, of_seed in itertools.groupby(rows, key=lambda row: int(row["seed"])):
        runs[seed] = LoggedRun(file, file.stem, env, _columns(of_seed))
    return CollectedRuns(env, algo, backend, runs, json.loads(about_file.read_text(encoding="utf-8")))


def _columns(rows: Iterable[dict[str, str]]) -> dict[str, np.ndarray]:
    values = np.array([[float(row[column] or "nan") for column in MEASURED.values()] for row in rows])
    return dict(zip(MEASURED, values.T, strict=True))


def read_all_collected(folder: Path) -> list[CollectedRuns]:
    """Everything that was collected in ``folder``; raises UserError if it holds no CSV."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UserError(
            f"{str(folder)!r} holds no curves: collect some first, with python -m bench.curves collect DIR."
        )
    return [read_collected(file) for file in files]


def read_published() -> PublishedCurves:
    """All curves that the original published."""
    with PUBLISHED.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    curves: PublishedCurves = {}
    for key, points in itertools.groupby(rows, key=lambda row: (row["env"], row["algo"], row["backend"])):
        values = np.array([[float(row[column]) for column in ("steps", "mean", "std")] for row in points])
        curves[key[0], key[1]] = PublishedCurve(key[2], *values.T)
    return curves
