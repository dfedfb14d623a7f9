"""The directives ``papers``, ``first-papers`` and ``paper-filter``: the list of papers in spinningup/keypapers.csv.

    ```{papers} 1a
    ```

lists the papers of a topic, those of the original with anchors such as ``#paper-10``; ``first-papers`` lists those with
a rank, with the reason to read them; and ``paper-filter`` is a field that hides papers without a word
(``_static/paper_filter.js``). Without scripts the whole list is shown.

A row has the paper's number in the original course, or "new"; the topic, as the original counts them; title, authors,
year of the first version, link, algorithm or contribution; a sentence and pages of ours on it, in Markdown; and for the
papers to start with a rank and a reason.
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FILE = Path(__file__).parents[1] / "spinningup" / "keypapers.csv"


class Paper(NamedTuple):
    """A row of the file; pages, rank and reason may be empty."""

    number: str
    topic: str
    title: str
    authors: str
    year: str
    link: str
    algorithm: str
    sentence: str
    pages: str
    rank: str
    reason: str


def papers_in(text: str) -> list[Paper]:
    """The papers of a file.

    Raises:
        LookupError: if a column or a value is missing.
    """
    header, *rows = csv.reader(io.StringIO(text))
    if tuple(header) != Paper._fields:
        raise LookupError(f"the columns are {', '.join(header)}; they should be {', '.join(Paper._fields)}")
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            quotes = "a value with a comma needs quotation marks"
            raise LookupError(f"row {line} has {len(row)} values for {len(header)} columns; {quotes}")
        if missing := [name for name, value in zip(header[:8], row) if not value]:
            raise LookupError(f"row {line}, {row[2]!r}, has no {' and no '.join(missing)}")
    return [Paper(*row) for row in rows]


def papers_on(topic: str, papers: list[Paper]) -> list[Paper]:
    """The papers of a topic, in the order of the file; LookupError if there are none."""
    found = [paper for paper in papers if paper.topic == topic]
    if not found:
        topics = ", ".join(dict.fromkeys(paper.topic for paper in papers))
        raise LookupError(f"there is no topic {topic!r}; topics are {topics}")
    return found


def first_papers(papers: list[Paper]) -> list[Paper]:
    """The papers to start with, in the order to read them."""
    return sorted((paper for paper in papers if paper.rank), key=lambda paper: int(paper.rank))


class PaperDirective(SphinxDirective):
    """What the directives share: the papers, and how one becomes an item of a list."""

    def papers(self) -> list[Paper]:
        """All papers; the page is made anew when their file changes."""
        for file in (FILE, __file__):
            self.env.note_dependency(str(file))
        try:
            return papers_in(FILE.read_text(encoding="utf-8"))
        except LookupError as error:
            raise self.error(f"{FILE.name}: {error}.") from error

    def item(self, paper: Paper, mark: str, why: str, note: str = "") -> nodes.list_item:
        """The mark in the margin, then title, source with a note, ``why`` and the pages of ours."""
        parts = {
            "mark": mark,
            "title": f"[{paper.title}]({paper.link})",
            "source": f"{paper.authors}, {paper.year} · **{paper.algorithm}**{note}",
            "why": why + (f" *Here:* {paper.pages}." if paper.pages else ""),
        }
        item = nodes.list_item()
        for name, text in parts.items():
            (paragraph,) = self.parse_text_to_nodes(text)
            paragraph["classes"].append(name)
            item += paragraph
        return item


class Papers(PaperDirective):
    """The papers of a topic."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        try:
            found = papers_on(self.arguments[0], self.papers())
        except LookupError as error:
            raise self.error(f"papers: {error}.") from error
        box = nodes.bullet_list(classes=["papers"])
        for paper in found:
            newer = paper.number == "new"
            note = " · *read first*" if paper.rank else ""
            item = self.item(paper, "newer" if newer else paper.number, paper.sentence, note)
            item["classes"] += ["newer"] if newer else []
            if not newer:
                item["names"].append(f"paper-{paper.number}")
                self.state.document.note_explicit_target(item)
            box += item
        return [box]


class FirstPapers(PaperDirective):
    """The papers to start with, and why."""

    def run(self) -> list[nodes.Node]:
        box = nodes.enumerated_list(classes=["papers", "first"])
        for paper in first_papers(self.papers()):
            box += self.item(paper, paper.rank, paper.reason)
        return [box]


class PaperFilter(PaperDirective):
    """The field, hidden until its script runs."""

    def run(self) -> list[nodes.Node]:
        up = "../" * self.env.docname.count("/")
        text = f"""<form class="paper-filter" id="paper-filter" role="search" hidden>
<label for="paper-words">Show only papers with these words</label>
<input id="paper-words" type="search" autocomplete="off" placeholder="replay 2017, newer, Levine">
<output for="paper-words">{len(self.papers())} papers</output></form>
<script defer src="{up}_static/paper_filter.js"></script>"""
        return [nodes.raw("", text, format="html")]


def setup(app):
    """Register the directives."""
    app.add_directive("papers", Papers)
    app.add_directive("first-papers", FirstPapers)
    app.add_directive("paper-filter", PaperFilter)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
