import csv
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from toy_envs import Counter

from spinup.algos.pytorch.ppo import ppo
from spinup.algos.pytorch.trpo import trpo
from spinup.algos.pytorch.vpg import vpg
from spinup.experience.envs import EnvFn

ALGORITHMS = {"vpg": vpg, "trpo": trpo, "ppo": ppo}
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
_runs = itertools.count()


def train(algorithm, env_fn, **kwargs):
    """Train for a moment; returns the rows of progress.txt without the column that tells wall-clock time."""
    run = f"run{next(_runs)}"
    settings = dict(ac_kwargs=dict(hidden_sizes=[8]), epochs=3, train_v_iters=5, logger_kwargs=dict(output_dir=run))
    ALGORITHMS[algorithm](env_fn, **settings | kwargs)
    return rows(run)


def rows(run):
    with open(f"{run}/progress.txt", newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    for row in table:
        assert float(row.pop("Time")) >= 0
    return table


# ---- the same seed gives the same run ----

ENVS = ["CartPole-v1", "Pendulum-v1"]  # discrete and continuous actions


def train_gym(algorithm, env, **kwargs):
    return train(algorithm, EnvFn(env), **dict(steps_per_epoch=400, seed=3) | kwargs)


@every_algorithm
@pytest.mark.parametrize("env", ENVS)
def test_same_seed_gives_the_same_run_and_another_seed_another(algorithm, env):
    first = train_gym(algorithm, env)
    assert train_gym(algorithm, env) == first
    assert train_gym(algorithm, env, seed=4) != first


@every_algorithm
def test_same_seed_gives_the_same_agent(algorithm):
    agents = [
        ALGORITHMS[algorithm](
            EnvFn("CartPole-v1"),
            seed=3,
            steps_per_epoch=100,
            epochs=2,
            logger_kwargs=dict(output_dir=f"run{next(_runs)}"),
        )
        for _ in range(2)
    ]
    for a, b in zip(*(agent.parameters() for agent in agents), strict=True):
        assert torch.equal(a, b)


def test_numbers_of_numpy_give_the_same_run_as_those_of_python():
    """``for seed in np.arange(3)`` makes its seeds NumPy's integers, and so may other settings be."""
    numbers = dict(seed=np.uint32(3), num_envs=np.int64(2), steps_per_epoch=np.int64(80), gamma=np.float64(0.9))
    plain = {key: number.item() for key, number in numbers.items()}
    assert train_gym("ppo", "CartPole-v1", **numbers) == train_gym("ppo", "CartPole-v1", **plain)


def train_every_algorithm():
    return [train_gym(algorithm, env) for algorithm, env in zip(ALGORITHMS, ["Pendulum-v1", *ENVS], strict=True)]


@pytest.mark.slow
def test_same_seed_gives_the_same_run_in_a_fresh_process_that_may_use_more_threads(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", "import test_reproducible as t; print(t.train_every_algorithm())"],
        cwd=tmp_path / "elsewhere",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-1] == str(train_every_algorithm())


@pytest.mark.slow
@every_algorithm
def test_number_of_threads_set_before_does_not_matter(algorithm):
    tables = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        tables.append(train_gym(algorithm, "Pendulum-v1", steps_per_epoch=1000, epochs=2, ac_kwargs={}))
    assert tables[0] == tables[1]


# ---- steps, epochs and episodes ----


class Counted(Counter):
    """Counts the steps of all its copies."""

    steps = 0

    def step(self, action):
        Counted.steps += 1
        return super().step(action)


@every_algorithm
@pytest.mark.parametrize(("num_envs", "end"), [(1, "terminate"), (4, "truncate"), (4, "both")])
def test_steps_per_epoch_are_counted_over_all_environments(algorithm, num_envs, end):
    Counted.steps = 0
    table = train(algorithm, lambda: Counted(end, length=3), steps_per_epoch=24, num_envs=num_envs)
    assert Counted.steps == 3 * 24
    assert [row["TotalEnvInteracts"] for row in table] == ["24", "48", "72"]
    assert [row["EpLen"] for row in table] == ["3.0"] * 3
    assert [row["AverageEpRet"] for row in table] == ["6.0"] * 3  # 1 + 2 + 3


def test_environments_of_one_run_differ():
    table = train_gym("vpg", "Pendulum-v1", steps_per_epoch=800, num_envs=4)
    assert float(table[0]["StdEpRet"]) > 0


@every_algorithm
def test_episodes_survive_the_ends_of_epochs(algorithm):
    # episodes end at steps 10, 20 and 30: in the epochs of steps 9-12, 17-20 and 29-32
    table = train(algorithm, lambda: Counter(length=10), steps_per_epoch=4, num_envs=1, epochs=8)
    assert [row["EpLen"] for row in table] == ["", "", "10.0", "", "10.0", "", "", "10.0"]
    for column in ("AverageEpRet", "MaxEpRet", "MinEpRet"):
        assert [row[column] for row in table if row["EpLen"]] == ["55.0"] * 3  # 1 + 2 + ... + 10
        assert not any(row[column] for row in table if not row["EpLen"])
    assert all(row["KL"] for row in table)


COLUMNS = (
    "Epoch AverageEpRet StdEpRet MaxEpRet MinEpRet EpLen AverageVVals StdVVals MaxVVals MinVVals TotalEnvInteracts "
    "LossPi LossV DeltaLossPi DeltaLossV Entropy KL"
)


@pytest.mark.parametrize(
    ("algorithm", "more"), [("vpg", ""), ("trpo", " BacktrackIters"), ("ppo", " ClipFrac StopIter")]
)
def test_columns_have_the_names_people_know(algorithm, more):
    (row,) = train(algorithm, Counter, steps_per_epoch=8, epochs=1)
    assert " ".join(row) == COLUMNS + more
