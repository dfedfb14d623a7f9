"""The README and the pages of docs/ do what they say: their commands run as written, but briefly, and their links lead
somewhere."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import imageio.v3 as iio
import pytest

import spinup
from spinup.commands import COMMANDS
from spinup.commands import plot as plot_command
from spinup.commands.flags import check_flags, parse_flags
from spinup.commands.train import find_algorithm
from spinup.run import dispatch

ROOT = Path(spinup.__file__).parent.parent
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
README = TEXTS["README.md"]
TRAINING = [algo for algos in spinup.ALGORITHMS.values() for algo in algos]


def blocks(language, page="README.md"):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[page], flags=re.MULTILINE | re.DOTALL)


def commands_in(block):
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def commands(page="README.md"):
    return [words for block in blocks("sh", page) for words in commands_in(block)]


def shorten(words):
    """The same command with less work: one epoch of short episodes, one seed."""
    program, *rest = words
    if program == "spinup":
        program, rest = "python", ["-m", "spinup.run", *rest]
    if program == "make":
        return ["make", "-C", str(ROOT), "--dry-run", *rest]
    assert program == "python"
    if rest[1].startswith("spinup.algos.") or rest[2].partition("_")[0] in TRAINING:  # also ppo_jax
        for flag in ("--epochs", "--steps_per_epoch", "--max_ep_len", "--data_dir"):
            rest = drop(rest, flag)
        rest = drop(rest, "--seed", keep=1)
        rest += ["--epochs", "1", "--steps_per_epoch", "400", "--max_ep_len", "50", "--data_dir", "data"]
    if rest[1].endswith("bench_ppo_cartpole"):
        rest += ["--epochs", "1", "--data_dir", "data"]
    if rest[2] in ("resume", "rerun") and "--epochs" in rest:
        rest = [*drop(drop(rest, "--epochs"), "--seed", keep=1), "--epochs", "2"]
    if "-i" in rest:
        rest[rest.index("-i") + 1] = "0"  # the snapshot that one epoch leaves
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


def run_here(command):
    """As :func:`run`, without the seconds in which a new process imports everything."""
    if command[1:3] == ["-m", "spinup.run"]:
        with mock.patch.dict(os.environ):  # what a command sets is for its own process
            dispatch([*command[3:]])
    elif isinstance(command[1], Path):
        runpy.run_path(str(command[1]), run_name="__main__")
    else:
        run(command)


def run_all(page, languages, run=run):
    """Run the blocks of ``page`` in ``languages``, in order; one of Python whose first line is ``# name.py`` is a file
    of this name, which later blocks use."""
    for language, block in re.findall(rf"^```({languages})\n(.*?)^```", TEXTS[page], flags=re.MULTILINE | re.DOTALL):
        if language == "python":
            named = re.match(r"# (\w+\.py)\n", block)
            script = Path(named[1] if named else "block.py")
            script.write_text(block.replace("epochs=30", "epochs=1"), encoding="utf-8")
            run([sys.executable, script])
            continue
        for words in commands_in(block):
            if words[0] != "make" or shutil.which("make"):
                run(shorten(words))


@pytest.mark.slow
def test_every_command_runs(tmp_path):
    run_all("README.md", "sh")
    assert (tmp_path / "first.mp4").stat().st_size > 0
    assert (tmp_path / "first.png").stat().st_size > 0
    assert (tmp_path / "cartpole_ppo.png").stat().st_size > 0
    assert (tmp_path / "data" / "kept" / "kept_s0" / "pyt_save" / "model0.pt").stat().st_size > 0


@pytest.mark.slow
def test_every_python_block_runs():
    run_all("README.md", "python")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks("(?:sh|python)", page)])
def test_every_block_of_the_other_pages_runs(page, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)  # where the files are that a page tells to write
    run_all(page, "sh|python", run_here)


@pytest.mark.parametrize("page", PAGES)
def test_every_training_command_that_is_only_shown_is_understood(page):
    lines = "\n".join(blocks("(?:bash|console)", page)).splitlines()
    for line in lines:
        words = shlex.split(line.removeprefix("$ "), comments=True) if re.match(r"(\$ )?spinup ", line) else [""]
        if words[0] and words[1] not in COMMANDS:
            check_flags(words[1], find_algorithm(words[1]), parse_flags(words[2:]))


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_command_names_is_there(page):
    for name in re.findall(r"python -m ((?:spinup|bench)[\w.]*\w)(?![\w.<])", TEXTS[page]):
        path = ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def content(picture):
    """What ``picture`` shows, however its pixels are compressed."""
    return iio.imread(picture).tobytes() if picture.suffix == ".png" else picture.read_bytes()


def test_the_results_draw_the_pictures():
    if f"matplotlib=={version('matplotlib')}\n" not in (ROOT / "constraints.txt").read_text(encoding="utf-8"):
        pytest.skip("another matplotlib may draw other pixels")
    images = ROOT / "docs" / "images"
    plots = [words for page in PAGES for words in commands(page) if words[1] == "plot"]
    drawn = [words for words in plots if (images / words[-1]).is_file()]
    for words in drawn:
        plot_command.main([word.replace("data/", f"{ROOT}/bench/results/") for word in words[2:]])
        assert content(Path(words[-1])) == content(images / words[-1]), words
    assert drawn


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


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_project_lead_somewhere(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXTS[page]) if "://" not in link]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing


def test_every_top_level_page_is_linked_from_the_readme():
    pages = [page for page in PAGES[1:] if page.count("/") < 2]
    assert not [page for page in pages if f"]({page})" not in README]


def test_every_room_is_listed():
    rooms = {path.name for path in (ROOT / "spinup").iterdir() if (path / "__init__.py").is_file()}
    for page in ("README.md", "CONTRIBUTING.md"):
        assert rooms <= set(re.findall(r"`spinup/(\w+)/", TEXTS[page])), page


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


def measured_speeds(name):
    """By library, what was measured in the task ``name``."""
    rows = json.loads((ROOT / "bench" / "results" / "speed.json").read_text(encoding="utf-8"))["rows"]
    environment = "CartPole-v1" if name == "`dqn`" else "HalfCheetah-v5"
    found = [row for row in rows if row["task"] == TASKS[name] and row["env"] == environment]
    return {row["library"]: row["steps_per_second"] for row in found}


def range_of_ratios(library, peer, names=tuple(TASKS)):
    """The lowest and the highest ratio of ``library`` to ``peer``, over the tasks in which they are compared."""
    found = [measured_speeds(name)[library]["ratios"].get(peer) for name in names]
    ratios = [ratio for ratio in found if ratio]
    return f"{min(ratios):.1f} to {max(ratios):.1f} times"


def test_the_ranges_of_speeds_are_those_that_were_measured():
    readme, page = (" ".join(TEXTS[name].split()) for name in ("README.md", "docs/speed.md"))
    assert f"in PyTorch is {range_of_ratios('spinup PyTorch', 'Stable-Baselines3')} as fast as" in readme
    assert f"in JAX is {range_of_ratios('spinup JAX', 'Stable-Baselines3')} as fast as" in readme
    assert f"and {range_of_ratios('spinup JAX', 'SBX')} as fast as with SBX" in readme
    off_policy = ("`sac`", "`td3`", "`ddpg`", "`dqn`")
    assert f"in PyTorch run at {range_of_ratios('spinup PyTorch', 'SBX', off_policy)} the speed of SBX" in page


@pytest.mark.parametrize("name", TASKS)
def test_the_speeds_are_those_that_were_measured(name):
    measured = measured_speeds(name)
    (shown,) = [line for line in TEXTS["docs/speed.md"].splitlines() if line.startswith(f"| {name} |")]
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
