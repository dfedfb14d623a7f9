"""Train DDPG on Hopper for 40,000 steps, seed by seed, and record how far the policy's tanh is saturated.

    python -m bench.saturation run --backend jax --seeds 0 1 2 --out data/saturation.csv
    python -m bench.saturation run --independent --seeds 0 1 2 --out data/saturation.csv
    python -m bench.saturation table bench/results/saturation/*.csv

Each row of the file is one test of one seed: the steps so far, the mean return of its episodes, and, over observations
from the replay buffer, the median of |z|, where tanh(z) are the actions, and the share of observations whose every z is
beyond 7.9. There, XLA's float32 tanh is exactly 1; PyTorch's is from 9.01 on.
"""

import csv
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from bench.saturation.independent import train_independently
from spinup.analysis.curves import read_progress
from spinup.backends import import_backend
from spinup.commands.arguments import ArgumentParser, exit_on_user_error

STEPS, TEST_EVERY = 40_000, 5_000
SATURATED = 7.9  # where XLA's float32 tanh becomes 1
DEAD = 45.0  # a policy that stands still, saturated, has earned 38 at most


class Row(NamedTuple):
    """One test of one seed."""

    seed: int
    steps: int
    test_return: float
    median_z: float
    saturated: float


def main(argv: list[str] | None = None) -> None:
    """Run one of the two commands."""
    parser = ArgumentParser(prog="python -m bench.saturation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train, and add rows to a CSV file")
    run.add_argument("--backend", default="jax", help="pytorch or jax (default: %(default)s)")
    run.add_argument("--independent", action="store_true", help="the rule written again, without the package")
    run.add_argument("--env", default="Hopper-v5")
    run.add_argument("--seeds", type=int, nargs="+", required=True)
    run.add_argument("--out", type=Path, required=True)
    table = commands.add_parser("table", help="print what CSV files say as a table")
    table.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args(argv)
    if args.command == "table":
        print(markdown_table(args.files))
        return
    if args.independent:
        add_rows(args.out, map(Row._make, train_independently(args.env, args.seeds, STEPS, TEST_EVERY, SATURATED)))
        return
    for seed in args.seeds:
        add_rows(args.out, train(args.backend, args.env, seed))


def train(backend: str, env: str, seed: int) -> list[Row]:
    """Train one seed by our own DDPG."""
    module, measured = import_backend(backend, "ddpg"), []
    update = module.update

    def watched(learner: Any, batches: Any, **constants: Any) -> tuple:
        learner, log = update(learner, batches, **constants)
        measured.append(saturation(outputs_before_tanh(learner.ac, np.asarray(batches.o)[-1])))
        return learner, log

    module.update = watched
    try:
        with tempfile.TemporaryDirectory() as folder:
            where, epochs = dict(output_dir=folder), STEPS // TEST_EVERY
            settings: dict[str, Any] = dict(seed=seed, steps_per_epoch=TEST_EVERY, epochs=epochs, save_freq=epochs)
            module.ddpg(lambda: gym.make(env), logger_kwargs=where, **settings)
            returns = read_progress(Path(folder) / "progress.txt")["AverageTestEpRet"]
    finally:
        module.update = update
    last = [measured[(i + 1) * TEST_EVERY // 50 - 21] for i in range(epochs)]  # one of 50 steps, from step 1,000 on
    return [Row(seed, (i + 1) * TEST_EVERY, float(returns[i]), *last[i]) for i in range(epochs)]


def outputs_before_tanh(agent: Any, o: np.ndarray) -> np.ndarray:
    """``z [B, act_dim]`` for observations ``o``, computed in float64 from the actions' own network."""
    backend = import_backend("jax" if hasattr(agent.pi.net, "weights") else "pytorch", "backend")
    *hidden, (w, b) = backend.recipe_of(agent).nets[0]
    x = o.astype(float)
    for weights, biases in hidden:
        x = np.maximum(x @ weights + biases, 0)
    return x @ w + b


def saturation(z: np.ndarray) -> tuple[float, float]:
    """The median of ``|z|``, and the share of rows whose every ``|z|`` is beyond ``SATURATED``."""
    return float(np.median(np.abs(z))), float((np.abs(z) > SATURATED).all(-1).mean())


def add_rows(file: Path, rows: Sequence[Row] | Iterator[Row]) -> None:
    """Append ``rows`` to ``file``, each as soon as it is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        if is_new:
            writer.writerow(Row._fields)
        for row in rows:
            writer.writerow([f"{x:.4g}" if isinstance(x, float) else x for x in row])
            out.flush()


def read_rows(file: Path) -> list[Row]:
    """The rows of ``file``."""
    with file.open(newline="", encoding="utf-8") as rows:
        return [Row(int(r[0]), int(r[1]), *map(float, r[2:])) for r in list(csv.reader(rows))[1:]]


def markdown_table(files: Sequence[Path]) -> str:
    """A line for each file: how many seeds died, and where the policies stood."""
    head = "| runs | seeds | at rest to the end | return at 20 k | at 40 k | median z at 10 k | all saturated at 10 k |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *map(_line, files)])


def _line(file: Path) -> str:
    rows = read_rows(file)
    seeds = sorted({row.seed for row in rows})

    def at(steps: int, what: Callable[[Row], float]) -> list[float]:
        return [what(row) for row in rows if row.steps == steps]

    late = {seed: max(row.test_return for row in rows if row.seed == seed and row.steps > 25_000) for seed in seeds}
    dead = [seed for seed in seeds if late[seed] < DEAD]
    cells = [
        file.stem,
        str(len(seeds)),
        f"{len(dead)} (seeds {', '.join(map(str, dead))})" if dead else "0",
        f"{mean(at(20_000, lambda row: row.test_return)):.0f}",
        f"{mean(at(40_000, lambda row: row.test_return)):.0f}",
        f"{median(at(10_000, lambda row: row.median_z)):.1f}",
        "not measured" if np.isnan(saturated := mean(at(10_000, lambda row: row.saturated))) else f"{saturated:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    exit_on_user_error(main, sys.argv[1:])
