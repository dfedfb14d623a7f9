"""The pages of the site hold the chain of equation, function and test for every equation of every algorithm."""

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import spinup
from spinup.backends import import_backend
from spinup.exercises.exercise import all_numbers, find_exercise
from spinup.records.columns import MEANING

ROOT = Path(spinup.__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS / "_ext"))

chain = pytest.importorskip("chain", reason="the extra docs is not installed")
columns = pytest.importorskip("columns", reason="the extra docs is not installed")
file_map = pytest.importorskip("file_map", reason="the extra docs is not installed")
ALGORITHMS = sorted({algo for algos in spinup.ALGORITHMS.values() for algo in algos})
SECTIONS = """Background
Quick facts
Key equations
Exploration vs. exploitation
Pseudocode
A worked update
What it looks like in the code
Details that matter
What it looks like when it breaks
Benchmark
Documentation
Papers
Other implementations
Check yourself""".splitlines()


def marked_numbers(file):
    """The numbers ``# (n)`` behind the signatures of functions in ``file``."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return [int(n) for n in re.findall(r"^(?:def|    |\)).*:  # \((\d+)\)", text, flags=re.MULTILINE)]


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_equation_of_the_file_is_on_the_page_in_order(algo):
    page = (DOCS / "algorithms" / f"{algo}.md").read_text(encoding="utf-8")
    shown = [int(n) for n in re.findall(rf"^```{{chain}} {algo} (\d+)$", page, flags=re.MULTILINE)]
    assert shown == marked_numbers(f"spinup/algos/pytorch/{algo}.py")


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_who_knows_one_page_of_an_algorithm_finds_everything_on_the_next(algo):
    page = (DOCS / "algorithms" / f"{algo}.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", page, flags=re.MULTILINE)
    assert [section for section in sections if not section.startswith("What changed from ")] == SECTIONS
    assert page.splitlines()[2].startswith("*Previously: ")


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_link_of_every_chain_holds(algo):
    for number in marked_numbers(f"spinup/algos/pytorch/{algo}.py"):
        names = {chain.numbered(file, number).name for file in chain.sources_of(algo).values()}
        assert len(names) == 1
        assert chain.tests_of(*names, algo)


def test_an_equation_leads_to_the_exercise_that_leaves_it_blank():
    assert chain.exercises_of(chain.Function("spinup/algos/jax/td3.py", "td_target")) == ["1.3"]
    assert chain.exercises_of(chain.Function("spinup/algos/pytorch/ddpg.py", "td_target")) == []


def test_every_exercise_has_a_card_with_its_title_difficulty_and_time():
    page = (DOCS / "spinningup" / "exercises.md").read_text(encoding="utf-8")
    exercises = {number: find_exercise(number) for number in all_numbers()}
    cards = [(f"### Exercise {n}: {x.title}", f"`{'*' * x.difficulty}`, {x.minutes} min") for n, x in exercises.items()]
    assert [heading for heading, _ in cards] == re.findall(r"^### Exercise .+$", page, flags=re.MULTILINE)
    assert all(f"{heading}\n\n{facts}" in page for heading, facts in cards)
    mistakes = sum(len(blank.mistakes) for exercise in exercises.values() for blank in exercise.blanks)
    assert f"knows {mistakes} common\nmistakes" in page and f"hold {mistakes} wrong functions" in page


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('"""(1)"""\ndef f(x):  # (2)\n    return x\n', r"no equation \(2\)"),
        ('"""(1) (2)"""\ndef f(x):\n    return x\n', r"marks 0 functions # \(2\)"),
        ('"""(2)"""\ndef f(x):  # (2)\n    return x\ndef g(x):  # (2)\n    return x\n', "marks 2 functions"),
    ],
)
def test_a_broken_link_is_an_error(tmp_path, monkeypatch, source, said):
    monkeypatch.setattr(chain, "ROOT", tmp_path)
    (tmp_path / "td3.py").write_text(source)
    with pytest.raises(LookupError, match=said):
        chain.numbered("td3.py", 2)


def test_every_page_is_in_the_contents():
    listed = set(re.findall(r"^([a-z]\w*(?:/\w+)?)$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    pages = {str(file.relative_to(DOCS).with_suffix("")) for file in DOCS.rglob("*.md") if "_build" not in file.parts}
    assert pages - {"index"} == listed


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_every_file_of_an_algorithm_has_the_parts_of_the_map(algo):
    for file in (ROOT / "spinup" / "algos").glob(f"*/{algo}.py"):
        source = file.read_text(encoding="utf-8")
        parts = list(file_map.parts_of(source, algo).values())
        assert parts[0][0] == 1
        assert all(before[1] + 1 == after[0] <= after[1] for before, after in pairwise(parts))


def test_the_map_of_the_repository_has_every_room_and_files_that_exist():
    drawn = (DOCS / "images" / "repository_map.svg").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "spinup").glob("*/__init__.py")}
    named = re.findall(r">(\w+)/(?:&lt;backend&gt;/)?<", drawn)
    assert rooms | {"tests", "bench", "docs"} == set(named)
    first = re.findall(r">(\w+\.py)<", drawn)
    assert first and all(list((ROOT / "spinup").rglob(file)) for file in first)


def test_every_column_of_the_log_is_in_the_glossary_under_its_name():
    page = (DOCS / "user" / "metrics.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### (\w+)\n```{column} \1$", page, flags=re.MULTILINE)) == sorted(MEANING)


def test_every_column_but_the_counters_is_shown_healthy_and_in_trouble():
    page = (DOCS / "user" / "metrics.md").read_text(encoding="utf-8")
    parts = re.findall(r"^```{column} (\w+)\n(.*?)```$", page, flags=re.MULTILINE | re.DOTALL)
    assert {
        name
        for name, options in parts
        if not {"healthy", "trouble"} <= {*re.findall(r"^:([\w-]+):", options, re.MULTILINE)}
    } == {"Epoch", "TotalEnvInteracts", "Time"}


def test_a_column_is_described_by_the_package_and_drawn_from_its_runs():
    assert {*columns.loggers_of("KL")} == {"vpg", "trpo", "ppo"}
    assert "Four columns" in columns.facts_of("EpRet") and "Four columns" not in columns.facts_of("KL")
    pair = columns.figures({"healthy": "cartpole_ppo/cartpole_ppo_s0"}, "VVals")
    assert "120,000 steps" in pair and pair.count("<polyline") == 1
    with pytest.raises(LookupError, match="no column Alpha"):
        columns.curve("cartpole_ppo/cartpole_ppo_s0", "Alpha")
    with pytest.raises(LookupError, match="there is no bench/results/none"):
        columns.curve("none", "KL")


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_the_page_on_custom_agents_states_what_each_algorithm_asks_for(algo):
    page = (DOCS / "user" / "custom_actor_critics.md").read_text(encoding="utf-8")
    asked = import_backend("pytorch", algo).AGENT
    assert re.search(rf"^\|.*\b{algo.upper()}\b.*\| `{re.escape(asked)}` \|$", page, flags=re.MULTILINE)


def test_no_directive_is_lost_to_code_in_its_title():
    for page in DOCS.rglob("*.md"):  # Markdown knows no ``` fence with ` behind it, and says nothing
        assert not re.findall(r"^ *```+\{.*`", page.read_text(encoding="utf-8"), flags=re.MULTILINE), page
