"""A new algorithm is one new file: in a copy of the package, it is found, trained, saved, loaded and resumed."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import spinup

NEW = "reinforce"
TINY = ["--env", "CartPole-v1", "--steps_per_epoch", "40", "--num_envs", "2", "--hid", "[4]", "--data_dir", "data"]
every_backend = pytest.mark.parametrize("backend", spinup.ALGORITHMS)


@pytest.fixture
def python(tmp_path, backend):
    """Runs Python with a copy of the package to which nothing but the file of one algorithm was added; the output."""
    package = Path(spinup.__file__).parent
    copy = tmp_path / "copy" / "spinup"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    vpg = (package / "algos" / backend / "vpg.py").read_text(encoding="utf-8")
    (copy / "algos" / backend / f"{NEW}.py").write_text(re.sub(r"\bvpg\b", NEW, vpg), encoding="utf-8")

    def run(*arguments):
        env = {**os.environ, "PYTHONPATH": str(copy.parent)}
        done = subprocess.run([sys.executable, *arguments], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert Path(run("-c", "import spinup; print(spinup.__file__)").strip()) == copy / "__init__.py"
    return run


def rows(run):
    """The rows of ``progress.txt``, without the column that tells wall-clock time."""
    with Path(run, "progress.txt").open(newline="") as file:
        return [{k: cell for k, cell in row.items() if k != "Time"} for row in csv.DictReader(file, delimiter="\t")]


@every_backend
def test_it_is_found(python, backend):
    names = [*spinup.ALGORITHMS[backend], NEW]
    assert python("-c", f"import spinup; print(*spinup.ALGORITHMS[{backend!r}])").split() == names
    assert python("-c", f"import spinup; print('{NEW}_{backend}' in spinup.__all__)") == "True\n"
    lines = python("-m", "spinup.run", "--help").splitlines()
    assert any(re.search(rf"\b{NEW}\b", line) for line in lines)


@pytest.mark.slow  # every call is a process that imports its framework
@every_backend
def test_it_trains_saves_and_resumes_as_the_others_do(python, backend):
    name = f"{NEW}_{backend}"
    python("-m", "spinup.run", name, *TINY, "--epochs", "3", "--exp_name", "whole")
    assert [row["TotalEnvInteracts"] for row in rows("data/whole/whole_s0")] == ["40", "80", "120"]

    # by its short name, in a grid
    python("-m", "spinup.run", NEW, *TINY, "--epochs", "2", "--seed", "0", "1", "--exp_name", "grid")
    assert sorted(path.name for path in Path("data/grid").iterdir()) == ["grid_s0", "grid_s1"]
    assert rows("data/grid/grid_s0") == rows("data/whole/whole_s0")[:2] != rows("data/grid/grid_s1")

    # in both ways of resuming
    python("-m", "spinup.run", NEW, *TINY, "--epochs", "3", "--seed", "0", "1", "--exp_name", "grid", "--resume")
    assert rows("data/grid/grid_s0") == rows("data/whole/whole_s0")
    python("-m", "spinup.run", "resume", "data/grid/grid_s1", "--epochs", "4")
    assert len(rows("data/grid/grid_s1")) == 4

    # as a script, and as its config.json says
    python("-m", f"spinup.algos.{backend}.{NEW}", *TINY, "--epochs", "3", "--exp_name", "script")
    assert rows("data/script/script_s0") == rows("data/whole/whole_s0")
    python("-m", "spinup.run", "rerun", "data/whole/whole_s0/config.json", "--data_dir", "again")
    (again,) = Path("again").rglob("progress.txt")
    assert rows(again.parent) == rows("data/whole/whole_s0")

    # its agent
    agent = "import spinup, numpy; agent = spinup.load('data/grid/grid_s1'); print(type(agent).__name__)"
    assert python("-c", f"{agent}; print(agent.act(numpy.zeros((3, 4))).shape)") == "MLPActorCritic\n(3,)\n"
    tested = python("-m", "spinup.run", "test_policy", "data/grid/grid_s1", "--norender", "--episodes", "2")
    assert "AverageEpRet" in tested
    assert NEW in python("-m", "spinup.run", NEW, "--help")
