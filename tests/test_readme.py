"""The README does what it says: its commands run as written, but briefly, and what it points to exists."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

import spinup
from spinup.commands import plot as plot_command

ROOT = Path(spinup.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = [algo for algos in spinup.ALGORITHMS.values() for algo in algos]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands():
    return [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]


def shorten(words):
    """The same command with less work: one epoch of short episodes, one seed."""
    program, *rest = words
    if program == "spinup":
        program, rest = "python", ["-m", "spinup.run", *rest]
    if program == "make":
        return ["make", "-C", str(ROOT), "--dry-run", *rest]
    assert program == "python"
    if rest[2] in TRAINING:
        rest = drop(drop(rest, "--epochs"), "--seed", keep=1)
        rest += ["--epochs", "1", "--steps_per_epoch", "400", "--max_ep_len", "50", "--data_dir", "data"]
    if rest[1].endswith("bench_ppo_cartpole"):
        rest += ["--epochs", "1", "--data_dir", "data"]
    return [sys.executable, *rest]


def drop(words, flag, keep=0):
    """``words`` without ``flag`` and its values, or with the first ``keep`` of those."""
    if flag not in words:
        return words
    start = words.index(flag)
    end = next((i for i in range(start + 1, len(words)) if words[i].startswith("--")), len(words))
    return words[:start] + (words[start : start + 1 + keep] if keep else []) + words[end:]


def run(command):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.slow
def test_every_command_runs(tmp_path):
    for words in commands():
        if words[0] != "make" or shutil.which("make"):
            run(shorten(words))
    assert (tmp_path / "first.mp4").stat().st_size > 0
    assert (tmp_path / "first.png").stat().st_size > 0
    assert (tmp_path / "docs" / "images" / "cartpole_ppo.png").stat().st_size > 0


def test_the_results_draw_the_pictures():
    if f"matplotlib=={version('matplotlib')}\n" not in (ROOT / "constraints.txt").read_text(encoding="utf-8"):
        pytest.skip("another matplotlib may draw other pixels")
    drawn = [words for words in commands() if words[1] == "plot" and words[-1].startswith("docs/images/")]
    for words in drawn:
        plot_command.main([word.replace("data/", f"{ROOT}/bench/results/") for word in words[2:-1]] + ["drawn.png"])
        assert np.array_equal(iio.imread("drawn.png"), iio.imread(ROOT / words[-1]))
    assert drawn


@pytest.mark.slow
def test_every_python_block_runs(tmp_path):
    for block in blocks("python"):
        script = tmp_path / "block.py"
        script.write_text(block.replace("epochs=30", "epochs=1"), encoding="utf-8")
        run([sys.executable, script])


@pytest.mark.slow
def test_the_demo_reaches_what_it_promises(tmp_path):
    run([sys.executable, "-m", "spinup.examples.demo"])
    for name in ("cartpole.gif", "learning_curve.png", "cartpole/cartpole_s0/progress.txt"):
        assert (tmp_path / "demo" / name).stat().st_size > 0


@pytest.mark.slow
def test_the_demo_admits_failure_and_runs_again(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    for _ in range(2):
        command = [sys.executable, "-m", "spinup.examples.demo", "--epochs", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert re.fullmatch(
            r"The agent reached \d+ of 475: CartPole-v1 is not solved after 1 epochs\.", done.stderr.strip()
        )
    assert (tmp_path / "demo" / "notes.txt").read_text() == "mine"


def test_without_make_the_same_is_installed_and_run():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    venv, install, demo = blocks("powershell")[0].splitlines()
    assert venv == "python -m venv .venv"
    assert "-c constraints.txt" in makefile and install.endswith("-m pip install -c constraints.txt -e .")
    assert demo.split("python ")[1] in makefile


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_within_the_project_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_every_algorithm_is_in_the_table():
    for algo in TRAINING:
        assert re.search(rf"^\| `{algo}` ", README, flags=re.MULTILINE), algo


def test_constraints_pin_every_dependency_and_name_no_host():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in pins
    pinned = set(re.findall(r"^([\w.-]+)==", pins, flags=re.MULTILINE))
    declared = re.findall(r'"([A-Za-z][\w-]*)(?:\[[^]]*\])?>=', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(declared) - {"setuptools"} <= pinned


# ---- numbers ----

TASKS = {
    "`sac`": "SAC",
    "`td3`": "TD3",
    "`ddpg`": "DDPG",
    "`dqn`": "DQN",
    "`ppo --target_kl None`": "PPO",
    "`ppo`, which stops early": "PPO, early stop",
    "`trpo`": "TRPO",
}


@pytest.mark.parametrize("name", TASKS)
def test_the_speeds_are_those_that_were_measured(name):
    measured = {}
    for row in json.loads((ROOT / "bench" / "results" / "speed.json").read_text(encoding="utf-8"))["rows"]:
        if row["task"] == TASKS[name] and (row["env"] == "CartPole-v1") == (name == "`dqn`"):
            measured[row["library"]] = row["steps_per_second"]
    (shown,) = [line for line in README.splitlines() if line.startswith(f"| {name} |")]
    torch, jax = measured["spinup PyTorch"], measured["spinup JAX"]
    cells = [_speed(torch), _ratio(torch, "Stable-Baselines3")]
    cells += [_speed(jax), _ratio(jax, "Stable-Baselines3"), _ratio(jax, "SBX" if "SBX" in measured else "")]
    cells += [f"{100 * jax['of_bound']:.0f} %"]
    assert shown == f"| {' | '.join([name, *cells])} |"


def _speed(found):
    return f"{float(format(found['median'], '.3g')):,.0f}"


def _ratio(found, library):
    ratio = found["ratios"].get(library)
    return f"{ratio:.1f}" if ratio else "(other work)" if library else "(has none)"
