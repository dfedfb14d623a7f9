"""The table of what columns mean is complete, and ends every algorithm's help."""

from importlib import import_module

import pytest

import spinup
from spinup.records.columns import MEANING, describe_columns

COLUMNS = {
    f"{algo}_{backend}": import_module(f"spinup.algos.{backend}.{algo}").COLUMNS
    for backend, algos in spinup.ALGORITHMS.items()
    for algo in algos
}


def test_every_column_has_a_meaning_and_every_meaning_a_column():
    used = {name.rstrip("*") for columns in COLUMNS.values() for name in columns.split()}
    assert {"Epoch", *used, "Time"} == set(MEANING)


@pytest.mark.parametrize("name", COLUMNS)
def test_each_has_one_line(name):
    lines = describe_columns(COLUMNS[name]).splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["Epoch", *COLUMNS[name].split(), "Time"]
    assert lines[-1].startswith("*: four columns") and max(map(len, lines)) < 120
