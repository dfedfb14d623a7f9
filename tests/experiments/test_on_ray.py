"""Experiments on a Ray cluster, two nodes of it on this machine: gathering, losses, failures, Ctrl-C."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from toy_runs import epochs_of, start_grid, told, train, wait_for_checkpoints

from spinup.errors import UserError
from spinup.experiments.grid import ExperimentGrid
from spinup.experiments.launchers import on_ray as ray_launcher
from spinup.experiments.launchers.mirror import Changes, Mirror, read_all, write_all


def run_of(seed):
    return Path("d", "g", f"g_s{seed}")


# ---- what can be wrong before anything starts ----


@pytest.mark.parametrize(
    "how, message",
    [
        ({"launcher": "slurm"}, "launcher='slurm' is invalid: expected 'local' or 'ray'"),
        ({"launcher": "ray", "jobs": 2}, "jobs=2 is for this machine"),
        ({"launcher": "ray", "cpus_per_run": -1}, "cpus_per_run=-1 is invalid"),
        ({"launcher": "ray", "gpus_per_run": True}, "gpus_per_run=True is invalid"),
        ({"launcher": "ray", "retries": -1}, "retries=-1 is invalid"),
        ({"ray_address": "somewhere:6379"}, "ray_address='somewhere:6379' is for a Ray cluster: add launcher='ray'"),
        ({"cpus_per_run": 2}, "add launcher='ray'"),
        ({"gpus_per_run": 0}, "add launcher='ray'"),
    ],
)
def test_mistakes(how, message):
    grid = ExperimentGrid("g")
    grid.add("seed", [0, 1])
    with pytest.raises(UserError, match=message):
        grid.run(train, data_dir="d", **how)
    assert not Path("d").exists()


def test_without_ray(monkeypatch):
    monkeypatch.setattr(ray_launcher.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'run pip install "spinningup\[ray\]"'):
        ray_launcher.run_on_ray([], ray_launcher.Cluster())


# ---- copies of a directory ----


def test_a_mirror_tells_what_is_new():
    run, copy = Path("run"), Path("copy")
    run.mkdir()
    (run / "old").write_text("1")
    mirror = Mirror(run, leave_out="output.log")
    assert mirror.changes() == Changes({}, [])
    (run / "checkpoint").mkdir()
    for name in ("checkpoint/b", "checkpoint/a", "output.log", ".half.tmp", "checkpoint/.lock"):
        (run / name).write_text(name)
    os.utime(run / "checkpoint/b", (1, 1))
    changes = mirror.changes()
    assert list(changes.files.items()) == [("checkpoint/b", b"checkpoint/b"), ("checkpoint/a", b"checkpoint/a")]
    write_all(changes, copy)
    (run / "checkpoint/a").unlink()
    (run / "old").write_text("2")
    changes = mirror.changes()
    assert changes == Changes({"old": b"2"}, ["checkpoint/a"])
    write_all(changes, copy)
    assert read_all(copy, "output.log") == read_all(run, "output.log")
    assert not (copy / "checkpoint" / ".lock").exists()
    assert mirror.changes() == Changes({}, [])


def test_a_log_of_another_name_is_copied_during_a_save(monkeypatch):
    run = Path("run")
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"logger_kwargs": {"output_fname": "seed0.tsv"}}))
    mirror, read = Mirror(run, leave_out="output.log"), Path.read_bytes

    def read_while_saving(path):
        (run / "model.pt").write_text(path.name)  # a save begins
        return read(path)

    (run / "seed0.tsv").write_text("Epoch\n0\n")
    monkeypatch.setattr(Path, "read_bytes", read_while_saving)
    assert mirror.changes() == Changes({"seed0.tsv": b"Epoch\n0\n"}, [])


def test_a_file_that_was_replaced_is_new_whatever_its_time():
    Path("run").mkdir()
    Path("run/epoch").write_text("1")
    os.utime("run/epoch", ns=(5, 5))
    mirror = Mirror(Path("run"), leave_out="output.log")
    Path("run/new").write_text("2")
    os.utime("run/new", ns=(5, 5))
    os.replace("run/new", "run/epoch")
    assert mirror.changes().files == {"epoch": b"2"}


def test_a_save_under_way_is_not_copied_but_the_log_is(monkeypatch):
    run = Path("run")
    run.mkdir()
    mirror, read = Mirror(run, leave_out="output.log"), Path.read_bytes
    (run / "progress.txt").write_text("1")
    (run / "model").write_text("1")

    def read_while_saving(path):
        (run / "checkpoint").write_text("1")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read_while_saving)
        assert mirror.changes() == Changes({"progress.txt": b"1"}, [])
    assert sorted(mirror.changes().files) == ["checkpoint", "model"]


# ---- for real ----


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        made.second = made.add_node(num_cpus=1)
        yield made
        made.shutdown()


def start(cluster, parameters, **how):
    how = {"launcher": "ray", "ray_address": cluster.address, **how}
    return start_grid(parameters, how, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_failures_are_those_of_the_local_launcher(cluster):
    trouble = {0: "crash", 1: "mistake", 2: "kill"}
    process = start(cluster, {"seed": [0, 1, 2, 3], "trouble": trouble}, retries=1)
    out, err = process.communicate(timeout=110)
    assert process.returncode == 1 and err.endswith("ExperimentFailed: 2 of 4 experiments failed: g_s0, g_s1.\n"), err
    assert "RuntimeError: boom" in out and "error: you erred" in out and "g_s2 failed (killed by signal 9)" in out
    assert [[t["first"] for t in told(run_of(seed))] for seed in range(4)] == [[0, 1], [0], [1], [0]]
    assert [epochs_of(run_of(seed)) for seed in range(4)] == [[0], [0], [0, 1, 2], [0, 1, 2]]
    assert (run_of(2) / "output.log").read_text() == "seed 2 from epoch 0\nseed 2 from epoch 1\n"
    assert json.loads((run_of(3) / "config.json").read_text())["output_dir"] == str(run_of(3))


@pytest.mark.slow
def test_a_grid_outlives_a_node(cluster):
    process = start(cluster, {"seed": list(range(6)), "epochs": 8, "pause": 0.5})
    wait_for_checkpoints(process, [run_of(0), run_of(1)])  # one on each node, as each has one core
    cluster.remove_node(cluster.second, allow_graceful=False)
    out, err = process.communicate(timeout=110)
    assert process.returncode == 0 and "\n6 experiments: 6 done.\n" in out, out + err
    assert out.count("was lost") == 1
    assert [epochs_of(run_of(seed)) for seed in range(6)] == [list(range(8))] * 6
    firsts = [[t["first"] for t in told(run_of(seed))] for seed in range(6)]
    assert sorted(first[-1] > 0 for first in firsts) == [False] * 5 + [True]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
def test_ctrl_c_brings_everything_home(cluster):
    process = start(cluster, {"seed": [0, 1, 2], "epochs": 1000, "pause": 0.1, "late": True})
    wait_for_checkpoints(process, [run_of(0)])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and err.endswith("grid.add('resume', True).\n"), err
    assert (run_of(0) / "interrupted").exists()  # written in its own time, and gathered
    assert not psutil.pid_exists(told(run_of(0))[0]["pid"])


@pytest.mark.slow
def test_a_cluster_that_is_not_there():
    pytest.importorskip("ray")
    grid = ExperimentGrid("g")
    grid.add("seed", [0, 1])
    with pytest.raises(UserError, match="There is no Ray cluster at 'nowhere'"):
        grid.run(train, data_dir="d", launcher="ray", ray_address="nowhere")
