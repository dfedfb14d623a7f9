"""Experiments side by side: order, failures, retries, Ctrl-C, and what is shown of them. Real processes."""

import io
import math
import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from rich.console import Console
from toy_runs import THREADS, epochs_of, start_grid, told, train, train_anew, wait_for_checkpoints

from spinup.errors import ExperimentFailed, UserError
from spinup.experiments import cores
from spinup.experiments.cores import count_jobs
from spinup.experiments.experiment import Experiment
from spinup.experiments.grid import ExperimentGrid
from spinup.experiments.launch import call_experiment
from spinup.experiments.launchers import in_parallel, live_table
from spinup.experiments.launchers.live_table import Line, Progress, printable, progress_of


def grid_of(seeds=4, **parameters):
    grid = ExperimentGrid("g")
    grid.add("seed", list(range(seeds)))
    for key, value in parameters.items():
        grid.add(key, value)
    return grid


def run_of(seed):
    return Path("d", "g", f"g_s{seed}")


def run(grid, function=train, **kwargs):
    grid.run(function, data_dir="d", **{"jobs": 2, **kwargs})


# ---- running ----


@pytest.mark.slow
def test_so_many_at_a_time_in_order(capfd):
    run(grid_of(5, pause=0.2), jobs=2)
    spans = [(t["began"], t["ended"]) for seed in range(5) for t in told(run_of(seed))]
    at_once = [sum(began <= when < ended for began, ended in spans) for when, _ in spans]
    assert max(at_once) == 2
    shown = capfd.readouterr()
    assert re.findall(r"^g_s(\d): running", shown.out, flags=re.MULTILINE) == list("01234")
    assert re.search(r"^g_s3: done \(epoch 3/3, performance 102.5, 500 steps/s\)$", shown.out, flags=re.MULTILINE)
    assert (
        shown.out.endswith("\n5 experiments: 5 done.\n\nPlot all of them with\n  spinup plot d/g\n") and not shown.err
    )
    assert "seed" not in shown.out.split("counting seeds:  1")[1]  # what they print is in their own files
    assert (run_of(2) / "output.log").read_text() == "seed 2 from epoch 0\n"


def test_without_jobs_they_run_in_series(capfd):
    run(grid_of(2), jobs=None)
    assert "seed 1 from epoch 0\n" in capfd.readouterr().out
    assert not (run_of(1) / "output.log").exists()


@pytest.mark.parametrize("jobs", [1, "auto"])
def test_on_one_core_too_a_crash_does_not_stop_the_others(jobs, monkeypatch):
    monkeypatch.setattr(cores, "physical_cores", lambda: 1)
    with pytest.raises(ExperimentFailed, match="1 of 2 experiments failed: g_s0"):
        run(grid_of(2, trouble={0: "crash"}), jobs=jobs)
    assert [epochs_of(run_of(seed)) for seed in range(2)] == [[0], [0, 1, 2]]
    assert (run_of(1) / "output.log").read_text() == "seed 1 from epoch 0\n"


def test_a_crash_is_shown_and_does_not_stop_the_others(capfd):
    with pytest.raises(ExperimentFailed, match=r"^1 of 4 experiments failed: g_s1\.$") as failed:
        run(grid_of(4, trouble={1: "crash"}), jobs=2)
    assert failed.value.status == 1
    shown = capfd.readouterr().out
    assert f"g_s1 failed (exit status 1); the end of {run_of(1) / 'output.log'}:\n    " in shown
    assert "    RuntimeError: boom\n" in shown and "\n4 experiments: 3 done, 1 failed.\n" in shown
    assert not re.search(r"[^\x20-\x7e\n]", shown)
    assert [epochs_of(run_of(seed)) for seed in range(4)] == [[0, 1, 2], [0], [0, 1, 2], [0, 1, 2]]


def test_what_was_killed_goes_on_from_its_checkpoint(capfd):
    run(grid_of(3, trouble={1: "kill"}, pause=0.3), jobs=3, retries=1)  # so long that it is seen to run
    shown = capfd.readouterr().out
    assert "g_s1 failed (killed by signal 9)" in shown and "g_s1: running (1 of 1)" in shown
    assert [t["first"] for t in told(run_of(1))] == [1] and epochs_of(run_of(1)) == [0, 1, 2]
    assert (run_of(1) / "output.log").read_text() == "seed 1 from epoch 0\nseed 1 from epoch 1\n"
    assert [t["first"] for t in told(run_of(0))] == [0]


def test_retries_end(capfd):
    with pytest.raises(ExperimentFailed, match="1 of 2"):
        run(grid_of(2, trouble={0: "crash"}), retries=2)
    assert [t["first"] for t in told(run_of(0))] == [0, 1, 1]
    assert capfd.readouterr().out.count("g_s0 failed") == 3


def test_a_mistake_is_not_tried_again():
    with pytest.raises(ExperimentFailed, match="g_s0"):
        run(grid_of(2, trouble={0: "mistake"}), retries=3)
    assert len(told(run_of(0))) == 1


def test_what_cannot_resume_begins_again():
    run(grid_of(2, trouble={0: "kill"}), train_anew, retries=1)
    assert [t.get("overwrite") for t in told(run_of(0))] == [True] and epochs_of(run_of(0)) == [0, 1, 2]
    assert [t.get("overwrite") for t in told(run_of(1))] == [None]


@pytest.mark.parametrize("function", [train, train_anew])
def test_in_series_too(function, capfd):
    call_experiment("g", function, data_dir="d", trouble={0: "kill"}, retries=2)
    assert epochs_of(run_of(0)) == [0, 1, 2]
    assert capfd.readouterr().out.count("Experiment g_s0 failed (killed by signal 9): retry 1 of 2.\n") == 1


def test_a_log_alone_is_no_run():
    run_of(0).mkdir(parents=True)
    (run_of(0) / "output.log").write_text("of a crash before the first epoch\n")
    run(grid_of(2))
    assert (run_of(0) / "output.log").read_text() == "seed 0 from epoch 0\n"


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [None, 2])
def test_what_has_finished_is_skipped(jobs, capfd):
    with pytest.raises(ExperimentFailed):
        run(grid_of(3, trouble={0: "crash", 2: "crash"}))
    run(grid_of(3, resume=True), jobs=jobs)
    assert [[t["first"] for t in told(run_of(seed))] for seed in range(3)] == [[0, 1], [0], [0, 1]]
    run(grid_of(3, resume=True, epochs=4), jobs=jobs)
    assert [epochs_of(run_of(seed)) for seed in range(3)] == [[0, 1, 2, 3]] * 3
    assert ("3 experiments: 2 done, 1 skipped." if jobs == 2 else "g_s1 has finished already") in capfd.readouterr().out


def test_a_run_is_not_written_over():
    run(grid_of(2))
    with pytest.raises(UserError, match="overwrite=True"):
        run(grid_of(2))
    run(grid_of(2), overwrite=True)
    assert told(run_of(0))[-1]["overwrite"] is True


# ---- what a retry runs ----


def experiment(function=train, **kwargs):
    logger_kwargs = {"output_dir": "r", **kwargs.pop("logger_kwargs", {})}
    return Experiment("x", function, {"logger_kwargs": logger_kwargs, **kwargs}, {})


def test_a_retry_never_goes_on_with_the_run_that_was_to_be_replaced():
    first = experiment(logger_kwargs={"overwrite": True})
    Path("r").mkdir()
    Path("r", "config.json").write_text("the old run")
    stamp = first.stamp()
    assert first.again(stamp) is first  # the crash came before it began to write
    os.utime("r/config.json", ns=(0, stamp + 10**9))
    assert first.again(stamp).kwargs == {"resume": True, "logger_kwargs": {"output_dir": "r"}}


def test_a_retry_after_a_crash_between_the_first_row_and_the_first_checkpoint():
    Path("r").mkdir()
    Path("r", "progress.txt").touch()
    for first in (experiment(), experiment(resume=True)):
        assert first.again(None).kwargs == {"logger_kwargs": {"output_dir": "r", "overwrite": True}}


def test_a_retry_where_nothing_was():
    assert experiment().stamp() is None
    assert experiment().again(None).kwargs == {"resume": True, "logger_kwargs": {"output_dir": "r"}}
    again = experiment(train_anew, seed=3).again(None)
    assert again.kwargs == {"seed": 3, "logger_kwargs": {"output_dir": "r", "overwrite": True}}


# ---- threads ----


@pytest.mark.slow
@pytest.mark.parametrize("jobs, cores", [(2, "4"), (3, "2"), (8, "2"), (64, "2")])
def test_the_cores_are_divided(monkeypatch, jobs, cores):
    monkeypatch.setattr(in_parallel, "physical_cores", lambda: 8)
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    run(grid_of(4 if jobs == 8 else 3, epochs=1), jobs=jobs)
    found = told(run_of(0))[0]
    assert found["NPROC"] == cores
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "1", "several lose much where a core is taken"


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setattr(in_parallel, "physical_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run(grid_of(2, epochs=1))
    assert told(run_of(0))[0]["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True, "many"])
def test_jobs_are_a_count_or_auto(jobs):
    with pytest.raises(UserError, match="expected an integer >= 1, or 'auto'"):
        run(grid_of(2), jobs=jobs)
    assert not Path("d").exists()


def test_auto_is_the_number_of_cores():
    assert 1 <= count_jobs("auto") <= psutil.cpu_count()


@pytest.mark.parametrize("retries", [-1, 0.5, True, "many"])
def test_retries_are_a_count(retries):
    with pytest.raises(UserError, match=f"retries={retries!r} is invalid"):
        run(grid_of(2), retries=retries)
    with pytest.raises(UserError, match=f"retries={retries!r} is invalid"):
        call_experiment("x", train, data_dir="d", retries=retries)


# ---- the end of the launcher ----

ENDLESS = {"seed": [0, 1, 2], "epochs": 1000, "pause": 0.1, "late": True}
INTERRUPTED = "KeyboardInterrupt: Interrupted: 2 stopped, 1 waiting. Resume with the same grid"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
@pytest.mark.parametrize(
    "number, resume, status, hint",
    [
        (signal.SIGINT, False, -signal.SIGINT, INTERRUPTED + " and grid.add('resume', True).\n"),
        (signal.SIGINT, True, -signal.SIGINT, INTERRUPTED + ".\n"),
        (signal.SIGTERM, False, 143, ""),
    ],
)
def test_all_end_with_the_launcher_in_their_own_time(number, resume, status, hint):
    parameters = ENDLESS | {"resume": resume}
    process = start_grid(parameters, {"jobs": 2}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_checkpoints(process, [run_of(0), run_of(1)])
    children = psutil.Process(process.pid).children()
    assert len(children) == 2
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert err.endswith(hint) and bool(err) == bool(hint)
    assert all((run_of(seed) / "interrupted").exists() for seed in (0, 1)) and not run_of(2).exists()
    assert not any(child.is_running() for child in children)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_no_experiment_outlives_a_launcher_that_was_killed():
    process = start_grid(ENDLESS, {"jobs": 2}, stdout=subprocess.DEVNULL)
    wait_for_checkpoints(process, [run_of(0), run_of(1)])
    children = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert len(gone) == 2 and not alive
    assert all((run_of(seed) / "interrupted").exists() for seed in (0, 1))


# ---- what is shown ----


@pytest.mark.slow
def test_a_table_on_a_terminal():
    pty = pytest.importorskip("pty")
    mine, theirs = pty.openpty()
    process = start_grid({"seed": [0, 1, 2], "pause": 0.6}, {"jobs": 2}, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(mine, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    assert process.wait() == 0
    assert b"\x1b[" in shown  # drawn in place
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", shown.decode())
    frames = text.split("experiment ")[1:]
    assert len(frames) > 3
    assert re.search(r"g_s2 +│ waiting +│ +0/3", frames[0])
    assert any(re.search(r"g_s0 +│ running +│ +1/3 │ +100.5 │ +500 │ +0:00:04", frame) for frame in frames)
    assert re.search(r"g_s2 +│ done +│ +3/3 │ +102.5 │ +500 │ +│", frames[-1]) and "3 done" in frames[-1]


def line(number, state):
    return Line(f"x{number}", state, "", 10, Progress(2, 3.25, 100.4, 60.0))


def test_a_table_that_is_too_high_shows_what_matters():
    lines = [line(i, "done") for i in range(30)] + [line(30, "running"), line(31, "failed"), line(32, "waiting")]
    console = Console(file=io.StringIO(), width=100)
    console.print(live_table._draw_table(lines, height=5))
    text = console.file.getvalue()
    assert re.findall(r"x\d+", text) == ["x0", "x30", "x31", "x32"] and "and 29 more" in text
    assert "1 running, 1 failed, 1 waiting, 30 done" in text
    assert re.search(r"x30 +│ running +│ +2/10 │ +3.2 │ +100 │ +0:08:00", text)


@pytest.mark.parametrize(
    "text, progress",
    [
        ("", Progress()),
        ("Epoch\tAverageEpRet", Progress()),
        ("AverageEpRet\tTotalEnvInteracts\tTime\n7\t100\t4", Progress()),  # half a row
        ("AverageEpRet\tTotalEnvInteracts\tTime\n7\t100\t4\n", Progress(1, 7, 25, 4)),
        ("AverageEpRet\tTotalEnvInteracts\tTime\n7\t100\t4\n8\t200\t6\n", Progress(2, 8, 50, 2)),
        ("AverageEpRet\tTotalEnvInteracts\tTime\n7\t100\t4\n8\t200\t6\n9\t3", Progress(2, 8, 50, 2)),
        ("AverageEpRet\tAverageTestEpRet\tTotalEnvInteracts\tTime\n7\t9\t100\t4\n", Progress(1, 9, 25, 4)),
        ("AverageEpRet\tTotalEnvInteracts\tTime\n\t100\t4\n", Progress(1, math.nan, 25, 4)),
        ("Loss\n3\n", Progress(1)),
    ],
)
def test_where_a_run_stands(tmp_path, text, progress):
    (tmp_path / "progress.txt").write_text(text)
    assert progress_of(tmp_path) == pytest.approx(progress, nan_ok=True)


def test_logs_are_shown_without_their_control_characters():
    assert printable("\x1b[31mred\x1b[0m\a\r 5%\tdone\nnext") == "red 5%    done\nnext"
