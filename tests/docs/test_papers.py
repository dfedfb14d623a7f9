"""The list of key papers is whole: the original's 105 papers and the newer ones, each with what a reader needs."""

import re
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import spinup

DOCS = Path(spinup.__file__).parents[1] / "docs"
sys.path.append(str(DOCS / "_ext"))
papers = pytest.importorskip("papers", reason="the extra docs is not installed")
TEXT = papers.FILE.read_text(encoding="utf-8")
PAPERS = papers.papers_in(TEXT)
ORIGINAL = [paper for paper in PAPERS if paper.number != "new"]
IN_TOPIC = {1: 31, 2: 11, 3: 8, 4: 3, 5: 5, 6: 9, 7: 4, 8: 5, 9: 4, 10: 6, 11: 6, 12: 7, 13: 6}  # of the original
HOSTS = {
    "arxiv.org",
    "doi.org",
    "iclr-blog-track.github.io",
    "openreview.net",
    "people.eecs.berkeley.edu",
    "proceedings.mlr.press",
    "proceedings.neurips.cc",
    "sites.ualberta.ca",
    "web.mit.edu",
    "www.cs.cmu.edu",
}


def test_the_papers_of_the_original_are_all_there_in_their_topics():
    assert [int(paper.number) for paper in ORIGINAL] == list(range(1, 106))
    assert Counter(int(re.sub(r"\D", "", paper.topic)) for paper in ORIGINAL) == IN_TOPIC


def test_the_page_has_every_topic_once_and_counts_right():
    page = (DOCS / "spinningup" / "keypapers.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\{papers\} (\w+)$", page, flags=re.MULTILINE)
    assert shown == list(dict.fromkeys(paper.topic for paper in PAPERS))
    assert f"105 papers that the original course chose, up to 2019, and {len(PAPERS) - 105} newer" in page


def test_no_paper_is_listed_twice():
    for column in ("title", "link", "sentence"):
        counts = Counter(getattr(paper, column).lower() for paper in PAPERS)
        assert not [value for value, count in counts.items() if count > 1]


def test_every_paper_has_a_plausible_year_a_link_and_one_sentence():
    for paper in PAPERS:
        first, last = (2019, 2025) if paper.number == "new" else (1997, 2019)
        assert first <= int(paper.year) <= last, paper
        link = urlsplit(paper.link)
        assert link.scheme == "https" and link.hostname in HOSTS, paper
        if link.hostname == "arxiv.org":  # its numbers begin with the year of the first version
            assert re.fullmatch(rf"/abs/{paper.year[2:]}\d\d\.\d{{4,5}}", link.path), paper
        assert 12 <= len(paper.sentence.split()) <= 30 and paper.sentence.endswith("."), paper


def test_the_papers_to_start_with_are_in_an_order_and_have_reasons():
    first = papers.first_papers(PAPERS)
    assert [paper.rank for paper in first] == [str(rank) for rank in range(1, 11)]
    assert all(paper.reason and paper.pages for paper in first)


def test_what_is_wrong_is_named():
    with pytest.raises(LookupError, match=r"no topic '1z'; topics are 1a, 1b"):
        papers.papers_on("1z", PAPERS)
    with pytest.raises(LookupError, match=r"row 3, 'Deep Recurrent.* has no year"):
        papers.papers_in(TEXT.replace("Hausknecht and Stone,2015", "Hausknecht and Stone,", 1))
    with pytest.raises(LookupError, match="row 3 has 12 values for 11 columns; a value with a comma"):
        papers.papers_in(TEXT.replace("Hausknecht and Stone,", "Hausknecht, Stone,", 1))
    with pytest.raises(LookupError, match="the columns are number, topic, title, author, year"):
        papers.papers_in(TEXT.replace("authors,year", "author,year", 1))
