"""The console: what stands in for it, how numbers look, what a notebook shows, and bars that move."""

import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spinup
from spinup.errors import OutputClosed
from spinup.experiments.experiment import Experiment
from spinup.experiments.launch import call_experiment
from spinup.experiments.launchers.live_table import PlainLines, make_display, printable
from spinup.experiments.launchers.process import run_in_process
from spinup.records.console import LINE, NOTEBOOK, colorize, compact_table, in_a_notebook, on_a_terminal, readable, say
from spinup.records.logger import EpochLogger, Logger


class Tee:
    """Copies what is printed to a list, and can do nothing else."""

    def __init__(self):
        self.written = []

    def write(self, text):
        self.written.append(text)


class CellOutput(io.StringIO):
    """The output of a cell in a notebook."""

    __module__ = "ipykernel.iostream"


class Broken(Tee):
    """A terminal that was closed, or a pipe whose reader has exited."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


def test_a_closed_terminal_ends_no_training(monkeypatch, capsys):
    logger = Logger("run")
    monkeypatch.setattr(sys, "stdout", Broken(OSError(errno.EIO, "Input/output error")))
    logger.log_tabular("Epoch", 0)
    logger.dump_tabular()
    assert capsys.readouterr().err == "warning: the output cannot be written (Input/output error) and is left out.\n"
    assert Path("run/progress.txt").read_text() == "Epoch\n0\n"


def test_a_reader_who_has_left_is_told_from_other_broken_pipes(monkeypatch):
    """A simulator in a process of its own may break a pipe too, and its traceback is wanted."""
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    with pytest.raises(OutputClosed):
        say("x")


def test_what_is_discarded_reaches_nobody():
    code = "from spinup.records.console import discard_output as f; print(1, flush=True); f(); print(2)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "1\n"


@pytest.mark.parametrize("stdout", [None, Tee()], ids=["none", "a tee"])
def test_any_object_can_stand_in_for_stdout(stdout, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stdout)
    assert not on_a_terminal() and colorize("x", "red") == "x" and printable("ü\x1b[0m") == "ü"
    tiny = dict(steps_per_epoch=80, epochs=1, train_pi_iters=1, train_v_iters=1, ac_kwargs={"hidden_sizes": [4]})
    spinup.ppo_pytorch("CartPole-v1", max_ep_len=9, **tiny, logger_kwargs={"output_dir": "run"})
    spinup.plot("run", save="curve.svg")
    with make_display() as display:
        assert isinstance(display, PlainLines)
        display.say("hello")
    monkeypatch.setattr("subprocess.Popen.wait", lambda self: self.kill() or 0)
    call_experiment("c", spinup.ppo_pytorch, env_name="CartPole-v1", data_dir="d")
    assert stdout is None or {"hello", "Saved curve.svg"} <= {*stdout.written}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000.0, "1000"),
        (-1571.33, "-1571"),
        (4_000_000.0, "4000000"),
        (1.5e12, "1.5e+12"),
        (22.31416, "22.31"),
        (np.float32(0.1), "0.1"),
        (0.00031234567, "0.0003123"),
        (4.77e-10, "4.77e-10"),
        (float("nan"), "nan"),
        (-np.inf, "-inf"),
        (4_000_000, "4000000"),
        (None, ""),
        ("two\n lines", "two lines"),
    ],
)
def test_numbers_have_four_digits(value, text):
    assert readable(value) == text


# ---- notebooks ----

COLUMNS = ["Epoch", *(f"{prefix}EpRet" for prefix in ("Average", "Std", "Max", "Min")), "EpLen", "Std"]
ROW = [0, 22.314159, 1.0, 30.0, 9.0, 22.3, 5]


def test_a_compact_table_is_a_line_an_epoch_without_the_spread():
    assert compact_table(COLUMNS, ROW, with_header=True).splitlines() == [
        "3 more columns are in the log file.",
        "    Epoch  AverageEpRet      EpLen        Std",
        "        0         22.31       22.3          5",
    ]
    assert compact_table(COLUMNS, ROW, with_header=False) == "        0         22.31       22.3          5"
    wide = compact_table([f"Column{i}" for i in range(40)], range(40), with_header=True)
    assert max(map(len, wide.splitlines())) <= LINE and wide.startswith("31 more columns")


def test_in_a_notebook_there_are_a_bar_and_one_line_an_epoch(monkeypatch):
    monkeypatch.setattr(sys, "stdout", CellOutput())
    assert in_a_notebook() and not on_a_terminal()
    logger = EpochLogger("run")
    for epoch in range(2):
        for _ in logger.progress(epoch, 2, 10):
            logger.store(EpRet=epoch)
        logger.log_tabular("EpRet", with_min_and_max=True)
        logger.dump_tabular()
    shown = sys.stdout.getvalue()
    assert "Epoch 1/2 100%, run 50% |" in shown
    assert shown.count("AverageEpRet") == 1 and "---" not in shown
    assert re.findall(r" (\d)\n", shown) == ["0", "1"]


def test_an_experiment_knows_that_a_notebook_shows_its_output(monkeypatch):
    monkeypatch.setattr(sys, "stdout", CellOutput())
    started = []

    class Process:
        def __init__(self, command, env):
            started.append(env)

        def wait(self):
            return 0

        poll = wait

    monkeypatch.setattr("subprocess.Popen", Process)
    assert run_in_process(Experiment("x", print, {}, {})) == 0
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert run_in_process(Experiment("x", print, {}, {})) == 0
    assert [NOTEBOOK in env for env in started] == [True, False]
    monkeypatch.setenv(NOTEBOOK, started[0][NOTEBOOK])
    assert in_a_notebook()


# ---- bars ----


def test_a_bar_moves_however_much_slower_steps_become(monkeypatch):
    monkeypatch.setattr("spinup.records.console.on_a_terminal", lambda: True)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    for t in Logger("run").progress(0, 1, 10_000):
        now += 1e-4 if t < 9950 else 0.2
    speeds = [float(x) for x in re.findall(r"([\d.]+) steps/s", sys.stdout.getvalue())]
    percent = re.findall(r"run (\d+)%", sys.stdout.getvalue())
    assert len(percent) >= 9 + 50, "at each slow step it is drawn"
    assert max(speeds) > 5000 and speeds[-1] == pytest.approx(5, rel=0.1)


def test_characters_that_stdout_cannot_encode_are_shown_by_their_numbers(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    say("größe")
    Logger("größe").log("in größe")
    assert stdout.buffer.getvalue().decode().splitlines() == [
        "gr\\xf6\\xdfe",
        f"Logging to gr\\xf6\\xdfe{os.sep}progress.txt",
        "in gr\\xf6\\xdfe",
    ]
