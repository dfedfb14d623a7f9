"""The page of environments shows what was measured, with commands that would repeat it."""

import re
import sys
from pathlib import Path

import pytest

import spinup

DOCS = Path(spinup.__file__).parents[1] / "docs"
sys.path.append(str(DOCS / "_ext"))
results = pytest.importorskip("results", reason="the extra docs is not installed")
SHOWN = re.findall(
    r"^(\w+): (spinup .*)$", (DOCS / "user" / "environments.md").read_text(encoding="utf-8"), re.MULTILINE
)


@pytest.mark.parametrize(("name", "command"), SHOWN)
def test_every_command_is_what_made_the_runs(name, command):
    runs, settings = results.read_runs(name)
    results.check_command(command, settings)
    assert runs and all(run.seconds > 0 for run in runs)


@pytest.mark.parametrize(
    "command",
    [
        "spinup ppo --env CartPole-v1 --epochs 31",
        "spinup ppo --env Acrobot-v1 --epochs 30",
        "spinup ppo --env CartPole-v1 --gamma 0.9",
        "spinup ppo --env CartPole-v1 --hid 32",
    ],
)
def test_another_command_is_an_error(command):
    _, settings = results.read_runs("cartpole_ppo")
    with pytest.raises(LookupError, match="the runs"):
        results.check_command(command, settings)


def test_every_run_made_to_fail_is_listed_with_the_command_that_made_it():
    page = (results.ROOT / "README.md").read_text(encoding="utf-8")
    shorthand = re.search(r"`\$PENDULUM` stands for\s+`(.*?)`", page)[1]
    listed = dict(re.findall(r"^\| `(sick_\w+)` \| `(.*?)` \|", page, flags=re.MULTILINE))
    assert listed.keys() == {path.name for path in results.ROOT.glob("sick_*")}
    for name, command in listed.items():
        results.check_command(command.replace("$PENDULUM", shorthand), results.read_runs(name)[1])


def test_the_last_tenth_is_at_least_one_epoch():
    assert results.last_tenth(results.Run([1, 2], [1.0, 3.0], 1)) == 3
    assert results.last_tenth(results.Run(list(range(20)), [0.0] * 18 + [2.0, 4.0], 1)) == 3
