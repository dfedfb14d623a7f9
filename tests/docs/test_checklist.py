"""Everything that the course promises has its place: each row of checklist.csv names a page and an anchor that exist.

The rows number what the original course had, and a note says what is different here or what a row waits for. This file
looks for anchors in the sources of the pages; tests/docs/test_site.py looks for them in the built site.
"""

import csv
import functools
import pydoc
import re
from itertools import groupby
from pathlib import Path

import pytest

import spinup

nodes = pytest.importorskip("docutils.nodes", reason="the extra docs is not installed")
DOCS = Path(spinup.__file__).parents[1] / "docs"
with Path(__file__).with_name("checklist.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


@functools.cache
def anchors_of(text):
    """The ids that the headings, targets and names of a page in Markdown are given in HTML."""
    block = re.compile(r"^(`{3,})(.*)\n(?:.*\n)*?\1$", flags=re.MULTILINE)
    text = block.sub(lambda found: found[0] if found[2].startswith("{") else "", text)  # code has no headings
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)|\{\w+\}(?=`)|[`*$]", r"\1", heading) for heading in headings]
    targets = re.findall(r"^\(([\w-]+)\)=$|^:name: ([\w-]+)$|^\{#([\w-]+)\}$", text, flags=re.MULTILINE)
    chains = [f"{module}-{number}" for module, number in re.findall(r"^`{3}\{chain\} (\w+) (\d+)$", text, re.MULTILINE)]
    return {nodes.make_id(name) for name in [*plain, *("".join(found) for found in targets), *chains]}


def is_documented(name, text):
    """Whether a page documents the function, class or method ``name`` of the package from its docstring."""
    home = re.escape(name.rpartition(".")[0])
    directive = rf"^\.\. auto\w+:: (?:{re.escape(name)}|{home}\n +:members:)$"
    return pydoc.locate(name) is not None and re.search(directive, text, flags=re.MULTILINE) is not None


def test_the_rows_are_numbered_without_gaps():
    numbers = [tuple(map(int, row["item"].split("."))) for row in ROWS]
    assert numbers == sorted(numbers)
    assert {section for section, _ in numbers} >= {*range(1, 23)}  # what the site owes so far
    for section, group in groupby(numbers, key=lambda number: number[0]):
        items = [item for _, item in group]
        assert items == list(range(1, len(items) + 1)), f"section {section}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["item"])
def test_every_item_has_its_place(row):
    text = (DOCS / f"{row['page']}.md").read_text(encoding="utf-8")
    place = f"{row['page']}#{row['anchor']} ({row['what']})"
    if row["anchor"].startswith("spinup."):
        assert is_documented(row["anchor"], text), place
    else:
        assert row["anchor"] in anchors_of(text), place
