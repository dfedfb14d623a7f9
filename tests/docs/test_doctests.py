"""The examples in docstrings print what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

import spinup

PACKAGE = Path(spinup.__file__).parent
WITH_EXAMPLES = [
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    for file in sorted(PACKAGE.rglob("*.py"))
    if "    >>> " in file.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_example_of_a_docstring_prints_what_it_shows(name):
    report, runner = [], doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        runner.run(test, out=report.append)
    assert runner.tries
    assert not report, "".join(report)


def test_the_reference_has_examples():
    for room in ("analysis.plot", "experience.buffers", "experiments.grid", "mpi.tools", "records.logger"):
        assert f"spinup.{room}" in WITH_EXAMPLES
