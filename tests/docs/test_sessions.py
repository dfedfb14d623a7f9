"""The interpreter sessions on the pages print what they show: every ``pycon`` block, page by page in one namespace."""

import doctest
import re
from pathlib import Path

import pytest

import spinup

DOCS = Path(spinup.__file__).parents[1] / "docs"
BLOCK = re.compile(r"^( *)(`{3,})pycon\n(.*?)^\1\2$", flags=re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def sessions(text):
    """``text`` with every line outside its ``pycon`` blocks left empty: lines keep their numbers."""
    lines = [""] * (text.count("\n") + 1)
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(3))
        shown = block[3].splitlines()
        assert any(line.lstrip().startswith(">>> ") for line in shown), f"line {first}: a pycon block without >>>"
        lines[first : first + len(shown)] = shown
    return "\n".join(lines)


def failures(text, name):
    """What doctest reports about the sessions of ``text``; "" where every output is as shown."""
    test = doctest.DocTestParser().get_doctest(sessions(text), {"__name__": "__main__"}, name, name, 0)
    report = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    return "".join(report)


PAGES = {file.relative_to(DOCS.parent).as_posix(): file for file in sorted(DOCS.rglob("*.md"))}
TEXTS = {name: file.read_text(encoding="utf-8") for name, file in PAGES.items() if "_build" not in file.parts}


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if BLOCK.search(text)])
def test_every_session_of_a_page_prints_what_it_shows(name):
    report = failures(TEXTS[name], name)
    assert not report, report


def test_every_session_is_found():
    for name, text in TEXTS.items():
        assert len(BLOCK.findall(text)) == len(re.findall(r"`{3}pycon|code-block\} pycon", text)), name


def test_a_wrong_output_is_reported_with_its_page_and_line():
    page = "Text.\n\n- In a list:\n\n  ```pycon\n  >>> x = 2\n  ```\n\n```pycon\n>>> x + 1\n4\n```\n"
    assert failures(page.replace("\n4\n", "\n3\n"), "docs/page.md") == ""
    report = failures(page, "docs/page.md")
    assert 'File "docs/page.md", line 10' in report and "Expected:\n    4\nGot:\n    3" in report
