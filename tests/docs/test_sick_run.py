"""A run that was made to fail is shown with the words of the program, and only where they exist."""

import re
import sys
from pathlib import Path

import pytest

import spinup
from spinup.analysis.diagnosis import report

DOCS = Path(spinup.__file__).parents[1] / "docs"
sys.path.append(str(DOCS / "_ext"))
sick_run = pytest.importorskip("sick_run", reason="the extra docs is not installed")


def test_the_words_are_those_of_the_program():
    shown = sick_run.diagnosis(sick_run.find("sick_ppo_large_steps"), "sick_ppo_large_steps")
    assert shown.startswith("$ spinup diagnose bench/results/sick_ppo_large_steps\nbench/results/sick_ppo")
    assert "--pi_lr 0.1 is too high" in shown


def test_what_is_not_there_or_not_sick_is_an_error():
    for name in ("none", "cartpole_ppo"):
        with pytest.raises(LookupError, match="not one"):
            sick_run.find(name)
    with pytest.raises(LookupError, match="looks healthy"):
        sick_run.diagnosis("cartpole_ppo/cartpole_ppo_s0", "cartpole_ppo")


def test_the_page_lists_all_that_can_be_found():
    page = (DOCS / "user" / "diagnosing.md").read_text(encoding="utf-8")
    listed = re.findall(r"`(\w+)`", " ".join(re.findall(r"^(`.*)\n: ", page, flags=re.MULTILINE)))
    sources = "".join(file.read_text(encoding="utf-8") for file in Path(report.__file__).parent.glob("*.py"))
    named = re.findall(r'Finding\(\s*"(\w+)"(?: if \w+ else "(\w+)")?', sources)
    assert sorted(listed) == sorted(name for names in named for name in names if name)


def test_curves_with_gaps_or_without_change_are_drawn():
    shown = sick_run.figures(
        {"trouble": "sick_trpo_line_search_fails/sick_trpo_line_search_fails_s0"}, "BacktrackIters"
    )
    assert shown.count("<polyline") == 1 and "nan" not in shown
    assert "nan" not in sick_run.figures({"healthy": "cartpole_ppo/cartpole_ppo_s0"}, "StopIter")
