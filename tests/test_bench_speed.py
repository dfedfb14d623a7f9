"""The measurement of speed: its arithmetic by hand, its tables and pictures from made-up numbers, one real line."""

import json
import os
import shutil
from argparse import Namespace
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import bounds
import matplotlib
import measuring
import numpy as np
import peers
import pytest
import speed
import speed_report
from gymnasium import spaces
from sweeps import SWEEPS, sweep_jobs
from tasks import CLEANRL, NOTE, OFF_POLICY, SB3, Job, Settings, Task, choose_libraries, table_jobs


@pytest.fixture(autouse=True)
def _measures_nothing(monkeypatch):
    monkeypatch.setattr(speed, "measure_rounds", lambda *_: pytest.fail("measured"))


BENCH = Path(speed.__file__).parent
RESULTS = BENCH / "results"
TINY = Settings(hidden_sizes=(3,), steps_per_epoch=7, batch_size=10)


# ---- FLOPs, by hand ----


def test_a_forward_pass_multiplies_and_adds_once_for_each_weight():
    assert bounds.forward([2, 3, 1]) == 2 * (2 * 3 + 3 * 1)
    assert bounds.forward([4, 5, 6, 7]) == 2 * (20 + 30 + 42)


def test_the_input_of_the_first_layer_needs_no_gradient_where_it_is_data():
    assert bounds.train([2, 3, 1]) == 3 * 18 - 12
    assert bounds.train([4, 5, 6, 7]) == 3 * 184 - 40
    assert bounds.under_policy([4, 5, 6, 7], 1) == 2 * 184 - 40 + 10  # of 4 columns that of the action alone
    assert bounds.under_policy([4, 5, 6, 7], 4) == 2 * 184


def test_a_gradient_takes_what_pytorch_counts():
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    q = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 6), torch.nn.Linear(6, 7))
    with FlopCounterMode(display=False) as counter:
        q(torch.ones(10, 4)).sum().backward()
    assert counter.get_total_flops() == 10 * bounds.train([4, 5, 6, 7])
    with FlopCounterMode(display=False) as counter:
        q.requires_grad_(False)(torch.ones(10, 4, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == 10 * bounds.under_policy([4, 5, 6, 7], 4)


@pytest.mark.parametrize(
    ("algorithm", "policy_steps", "learning"),
    [
        # Both networks: forward 2 (2 * 3 + 3 * 1) = 18, 12 of it in the first layer; training 3 * 18 - 12 = 42.
        ("vpg", 1, 42 + 5 * 42 - 2 * 18),
        ("ppo", 2, 2 * 42 + 5 * 42 - 2 * 18),
        ("trpo", 1, 42 + 5 * 42 - 2 * 18 + 10 * (4 * 18 - 2 * 12) + 18),
    ],
)
def test_flops_on_policy(algorithm, policy_steps, learning):
    work = bounds.work_of(algorithm, 2, 1, TINY, policy_steps, value_steps=5)
    assert work == bounds.Work(acting=18 + 18, learning=learning, gradient_steps=(policy_steps + 5) / 7)


@pytest.mark.parametrize(
    ("algorithm", "act_dim", "acting", "sample"),
    [
        ("dqn", 4, 36, 36 + 42),  # q: 2 (2 * 3 + 3 * 4), trained with one output
        # pi as above; q: 2 (3 * 3 + 3 * 1) = 24, training 3 * 24 - 18 = 54, under pi 24 + 6 + 6 = 36
        ("ddpg", 1, 18, (18 + 24) + 54 + (42 + 36)),
        ("td3", 1, 18, (18 + 2 * 24) + 2 * 54 + (42 + 36) / 2),
        # pi with two outputs: 2 (2 * 3 + 3 * 2) = 24, training 3 * 24 - 12 = 60
        ("sac", 1, 24, (24 + 2 * 24) + 2 * 54 + (60 + 36 + 24)),
    ],
)
def test_flops_off_policy(algorithm, act_dim, acting, sample):
    work = bounds.work_of(algorithm, 2, act_dim, TINY, 0, 0)
    assert work == bounds.Work(acting=acting, learning=10 * sample, gradient_steps=1)


def test_flops_of_the_real_sizes_are_a_little_less_than_those_of_the_design():
    """It counts gradients of data, and both of SAC's critics when the policy improves."""
    sac = bounds.work_of("sac", 17, 6, OFF_POLICY, 0, 0)
    assert 0.8 * 230e6 < sac.learning < 230e6
    ppo = bounds.work_of("ppo", 17, 6, Settings(), 80, 80)
    assert 0.9 * 21e9 < 4000 * ppo.learning < 21e9


def test_the_bound_is_the_simulator_and_the_arithmetic():
    work = bounds.Work(acting=1e6, learning=9e6, gradient_steps=2)
    assert bounds.bounds(work, step_time=0.001, peak=1e10) == pytest.approx((1 / 0.002, 2e10 / 9e6))
    assert bounds.bounds(work, step_time=0.001, peak=1e10, simulators=2)[0] == pytest.approx(1 / 0.0015)


def test_the_yardsticks_measure_something():
    assert 0 < bounds.measure_step_time("CartPole-v1", steps=300) < 1
    assert bounds.measure_peak("torch", size=64, repeats=2) > 0


# ---- medians and ratios, from a made-up table ----

PPO = Task("PPO", "ppo")
JOBS = [Job("CartPole-v1", PPO, "spinup PyTorch"), Job("CartPole-v1", PPO, SB3)]


def made_up(job, *speeds):
    results = [dict(zip(measuring.SPEEDS, pair, strict=True)) for pair in speeds]
    return [result | {"policy_steps": 80, "value_steps": 80} for result in results]


def made_up_results():
    ours, theirs = (job.name for job in JOBS)
    return {
        ("step of CartPole-v1", 1): [1e-5, 3e-5, 2e-5],
        ("matrix product of torch", 1): [1e11] * 3,
        ("matrix product of torch", 2): [2e11] * 3,
        (ours, 1): made_up(ours, (1000, 100), (3000, 300), (2000, 200)),
        (ours, 2): made_up(ours, (100, 10), (300, 30), (200, 20)),
        (theirs, 1): made_up(theirs, (10, 1), (10, 1), (10, 1)),
        (theirs, 2): made_up(theirs, (1000, 50), (1000, 50), (500, 25)),
    }


def made_up_data(sweep="", rows=None):
    rows = rows or measuring.summarise(JOBS, [1, 2], made_up_results())
    machine = {"processor": "a made-up processor", "cores": 2}
    data = {
        "command": "make it up",
        "commit": "abc",
        "sweep": sweep,
        "axis": sweep and SWEEPS[sweep].axis,
        "note": NOTE,
    }
    return data | {"epochs": 5, "rounds": 3, "machine": machine, "rows": rows}


def test_a_line_counts_with_its_best_number_of_threads():
    ours, theirs = measuring.summarise(JOBS, [1, 2], made_up_results())
    assert (ours["threads"], theirs["threads"]) == (1, 2)
    assert ours["medians_by_threads"] == {"1": 2000, "2": 200}
    assert ours["steps_per_second"]["each"] == [1000, 3000, 2000]
    assert (ours["peak"], theirs["peak"]) == (1e11, 2e11)


def test_a_ratio_is_the_median_over_rounds():
    ours, theirs = measuring.summarise(JOBS, [1, 2], made_up_results())
    assert ours["steps_per_second"]["ratios"] == {SB3: 3}  # of 1, 3 and 4: not 2000 / 1000
    assert ours["gradient_steps_per_second"]["ratios"] == {SB3: 6}
    assert "ratios" not in theirs["steps_per_second"]


def test_every_line_has_its_bound():
    ours, _ = measuring.summarise(JOBS, [1, 2], made_up_results())
    work = bounds.work_of("ppo", 4, 2, Settings(), 80, 80)
    most = bounds.bounds(work, 2e-5, 1e11)
    assert [ours[name]["bound"] for name in measuring.SPEEDS] == pytest.approx(most)
    assert ours["steps_per_second"]["of_bound"] == pytest.approx(2000 / most[0])


def test_processes_side_by_side_have_a_core_each_and_no_time_of_learning():
    jobs = sweep_jobs("ranks", "CartPole-v1", 2)
    results = made_up_results() | {(job.name, 2): [{"steps_per_second": 100.0}] for job in jobs}
    for job in jobs:
        results[job.name, 2][0] |= {"policy_steps": 80, "value_steps": 80}
    rows = measuring.summarise(jobs, [2], results)
    work = bounds.work_of("ppo", 4, 2, Settings(), 80, 80)
    most = [bounds.bounds(work, 2e-5, 2e11, simulators)[0] for simulators in (1, 2)]
    assert [row["steps_per_second"]["bound"] for row in rows] == pytest.approx(most)
    assert "gradient_steps_per_second" not in rows[0]


def test_every_second_round_runs_backwards(monkeypatch):
    seen = []
    monkeypatch.setattr(measuring, "measure", lambda call, threads: seen.append((call, threads)) or 1.0)
    rounds = measuring.measure_rounds({("a", 1): "A", ("b", 2): "B"}, rounds=3)
    assert [dict(results) for results in rounds][-1] == {("a", 1): [1.0] * 3, ("b", 2): [1.0] * 3}
    assert seen == [("A", 1), ("B", 2), ("B", 2), ("A", 1), ("A", 1), ("B", 2)]


# ---- tables and pictures, from JSON alone ----


@pytest.mark.parametrize("sweep", ["", "envs", "seeds"])
def test_a_picture_and_a_table_are_made_of_the_file(tmp_path, sweep):
    rows = made_up_data()["rows"]
    if sweep:
        rows = [row | {"value": value} for row in rows for value in (1, 2, 4)]
    if sweep == "seeds":  # where learning cannot be timed from outside
        rows = [{key: value for key, value in row.items() if key != "gradient_steps_per_second"} for row in rows]
    file = tmp_path / "made_up.json"
    file.write_text(json.dumps(made_up_data(sweep, rows)))
    speed.main(["--draw", str(file)])
    assert (tmp_path / "made_up.png").read_bytes().startswith(b"\x89PNG")
    lines = (tmp_path / "made_up.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + len(rows)


@pytest.mark.parametrize("sweep", ["", "envs"])
def test_the_same_file_gives_the_same_bytes_whatever_the_settings_of_matplotlib(tmp_path, monkeypatch, sweep):
    rows = [row | {"value": value} for row in made_up_data()["rows"] for value in (1, 2)]
    drawn = []
    for size in (10, 20):
        file = tmp_path / str(size) / "made_up.json"
        file.parent.mkdir()
        file.write_text(json.dumps(made_up_data(sweep, rows)))
        monkeypatch.setitem(matplotlib.rcParams, "font.size", size)
        speed.main(["--draw", str(file)])
        drawn.append([file.with_suffix(suffix).read_bytes() for suffix in (".png", ".md")])
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("committed", sorted(RESULTS.glob("*.json")), ids=lambda file: file.stem)
def test_the_committed_tables_and_pictures_are_those_of_their_files(committed, tmp_path):
    shutil.copy(committed, tmp_path)
    speed.main(["--draw", str(tmp_path / committed.name)])
    pinned = (BENCH.parent / "constraints.txt").read_text(encoding="utf-8")
    for suffix in (".md", *([".png"] if f"matplotlib=={version('matplotlib')}\n" in pinned else [])):
        assert (tmp_path / committed.name).with_suffix(suffix).read_bytes() == committed.with_suffix(
            suffix
        ).read_bytes()


def test_what_is_measured_is_written_with_its_commit_and_note(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "measure_rounds", lambda *_: [made_up_results()])
    args = Namespace(out=tmp_path, commit="abc, changed", pairs=3)
    speed.run(args, JOBS, [1, 2], 5)
    data = json.loads((tmp_path / "speed.json").read_text())
    assert (data["commit"], data["note"], data["sweep"], data["rounds"]) == ("abc, changed", NOTE, "", 3)
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "\n- commit: abc, changed\n" in text and text.endswith(f"\n\n{NOTE}\n")
    assert text == speed_report.table(data)
    assert speed_report.table(data | {"note": "As found."}).endswith("\n\nAs found.\n")


def test_the_table_says_what_was_measured():
    text = speed_report.table(made_up_data())
    ours = next(line for line in text.splitlines() if line.startswith("| PPO | spinup PyTorch"))
    cells = [cell.strip() for cell in ours.split("|")[1:-1]]
    assert cells[:6] == ["PPO", "spinup PyTorch", "1 of 1, 2", "2000", "1000 3000 2000", f"**3.00** {SB3}"]
    assert "100 GFLOP/s (torch, threads 1), 200 GFLOP/s (torch, threads 2)" in text
    assert "20 µs a step" in text


def test_bars_are_as_long_as_the_speeds():
    figure = speed_report.draw_bars(made_up_data())
    lengths = [[bar.get_width() for bar in axes.patches] for axes in figure.axes]
    assert lengths == [[2000, 1000], [200, 50]]
    assert len({bar.get_facecolor() for bar in figure.axes[0].patches}) == 2


def test_lines_go_through_the_speeds_and_the_bounds():
    row = made_up_data()["rows"][0]
    figure = speed_report.draw_sweep(made_up_data("envs", [row | {"value": value} for value in (1, 2)]))
    line, bound, _ = figure.axes[0].lines
    assert (*line.get_xdata(), *line.get_ydata()) == (1, 2, 2000, 2000)
    assert set(bound.get_ydata()) == {row["steps_per_second"]["bound"]}


# ---- what is compared ----


def test_only_what_suits_the_environment_is_compared():
    labels = {job.task.label for job in table_jobs(["CartPole-v1"], speed.MAIN_LABELS, ["spinup PyTorch"])}
    assert labels == {"VPG", "TRPO", "PPO", "DQN"}
    labels = {job.task.label for job in table_jobs(["HalfCheetah-v5"], speed.MAIN_LABELS, ["spinup PyTorch"])}
    assert labels == {"VPG", "TRPO", "PPO", "DDPG", "TD3", "SAC"}


def test_settings_reach_our_algorithms():
    keywords = peers.off_policy_keywords("sac", replace(CLEANRL, alpha="auto"))
    assert (keywords["batch_size"], keywords["update_every"], keywords["alpha"]) == (256, 1, "auto")
    keywords = peers.on_policy_keywords("ppo", Settings(policy_steps=7, value_steps=9, target_kl=0.5))
    assert (keywords["train_pi_iters"], keywords["train_v_iters"], keywords["target_kl"]) == (7, 9, 0.5)


def test_sweeps_change_what_they_say():
    widths = [job.task.settings.hidden_sizes for job in sweep_jobs("width", "HalfCheetah-v5", 5)]
    assert set(widths) == {(n, n) for n in SWEEPS["width"].values}
    assert [job.task.settings.num_envs for job in sweep_jobs("envs", "CartPole-v1", 2)][:2] == [1, 2]
    call = measuring.call_of(sweep_jobs("ranks", "CartPole-v1", 2)[-1], epochs=3)
    assert (call["call"], call["launched"], call["processes"]) == ("launch", "cpu", 2)


def test_a_sweep_refuses_an_environment_that_its_tasks_do_not_suit():
    with pytest.raises(speed.UserError, match="CartPole-v1 does not suit SAC"):
        sweep_jobs("width", "CartPole-v1", 2)


def test_a_sweep_takes_the_tasks_and_libraries_that_are_named():
    jobs = sweep_jobs("width", "HalfCheetah-v5", 1, ["spinup JAX", SB3], ["SAC", "TD3"])
    assert [(job.library, job.task.label) for job in jobs] == [("spinup JAX", "SAC")]
    with pytest.raises(
        speed.UserError, match=r"Nothing is left of the sweep ranks, .* PPO with spinup PyTorch: choose"
    ):
        sweep_jobs("ranks", "CartPole-v1", 1, ["spinup JAX"])
    with pytest.raises(speed.UserError, match="Nothing is left of the sweep envs"):
        sweep_jobs("envs", "CartPole-v1", 1, labels=["DQN"])
    assert len(sweep_jobs("width", "CartPole-v1", 1, labels=["PPO"])) == 2  # it does not suit SAC, which is not named


def test_ranks_need_mpi(monkeypatch):
    monkeypatch.setattr("spinup.utils.mpi_tools.shutil.which", lambda *_, **__: None)
    with pytest.raises(speed.UserError, match="needs mpirun, not installed here: pip install"):
        speed.main(["--sweep", "ranks", "--env", "CartPole-v1"])


def lacking(monkeypatch, *modules):
    """Let ``modules`` not be installed, and all others be."""
    for place in ("tasks.find_spec", "spinup.utils.backends.importlib.util.find_spec"):
        monkeypatch.setattr(place, lambda name: None if name in modules else name)


def test_a_library_that_is_named_has_to_be_installed(monkeypatch):
    lacking(monkeypatch, "sbx", "optax")
    for library, command in {"SBX": "pip install sbx-rl", "spinup JAX": r'pip install "spinningup\[jax\]"'}.items():
        with pytest.raises(speed.UserError, match=f"{library} is not installed here: run {command}"):
            speed.main(["--libraries", "spinup PyTorch", library])


def test_what_is_not_installed_is_left_out_with_a_line(monkeypatch, capsys):
    lacking(monkeypatch, "sbx", "sb3_contrib")
    libraries = choose_libraries(None)
    jobs = table_jobs(["CartPole-v1", "HalfCheetah-v5"], ["TRPO", "PPO"], libraries)
    both = {"spinup PyTorch", "spinup JAX"}
    assert {job.library for job in jobs if job.task.label == "TRPO"} == both
    assert {job.library for job in jobs if job.task.label == "PPO"} == {*both, SB3}
    notes = capsys.readouterr().out.splitlines()
    assert [note.partition(" is left out, ")[0] for note in notes] == ["note: SBX", f"note: TRPO beside {SB3}"]
    lacking(monkeypatch)
    jobs = table_jobs(["CartPole-v1"], ["TRPO"], choose_libraries(None))
    assert {job.library for job in jobs} == {*both, SB3} and not capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--tasks", "VPG", "--libraries", "SBX"], ["--tasks", "DQN", "--env", "Pendulum-v1"]])
def test_nothing_left_to_measure_gets_a_sentence(monkeypatch, argv):
    lacking(monkeypatch)
    with pytest.raises(speed.UserError, match=f"Nothing is left to measure of {argv[1]} in .*: choose other --tasks"):
        speed.main(argv)


def test_a_full_replay_buffer_keeps_its_filling_out_of_checkpoints():
    box = spaces.Box(-1, 1, (2,), np.float32)
    buffer = peers.FullReplayBuffer(box, box, 5)
    assert len(buffer) == 5
    start, transitions = buffer.since(0)
    assert (start, len(transitions.o)) == (5, 0)


def logs_of(folder, **runs):
    """Logs of the ends of epochs, by a clock of each run's own; a run's last one is the end of the file, too."""
    for name, (times, end) in runs.items():
        log = folder / name / "progress.txt"
        log.parent.mkdir()
        log.write_text("Time\tEpLen\n" + "".join(f"{time}\t\n" for time in times))
        os.utime(log, (end, end))
    return [folder / name / "progress.txt" for name in runs]


def test_runs_side_by_side_count_while_all_of_them_train(tmp_path):
    # Epochs end at 980, 990, 1000, and at 985, 1015: together from 985 to 1000, 1.5 epochs of one, 0.5 of the other.
    logs = logs_of(tmp_path, a=((5, 15, 25), 1000), b=((4, 34), 1015))
    assert peers.speed_together(logs, 300) == 300 * (1.5 + 0.5) / 15
    assert peers.speed_together(logs[:1], 300) == 300 / 10


@pytest.mark.parametrize(("start", "enough"), [(970, True), (974, True), (976, False), (990, False)])
def test_runs_that_hardly_overlap_are_not_measured(tmp_path, start, enough):
    logs = logs_of(tmp_path, a=((1, 11), 980), b=((1, 41), start + 40))  # from 970 to 980, and from `start` on
    assert (peers.speed_together(logs, 300) is not None) == enough


def test_runs_that_hardly_overlap_train_longer(monkeypatch):
    commands, speeds = [], [None, None, 7.0]
    monkeypatch.setattr(peers.subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(peers, "speed_together", lambda *_: speeds.pop(0))
    result = peers.launch("CartPole-v1", "spinup PyTorch", "ppo", Settings(), 2, "jobs", 3)
    assert result["steps_per_second"] == 7
    assert [flag for command in commands for flag in command if "epochs" in flag] == [
        f"--epochs={n}" for n in (2, 4, 8)
    ]


def test_one_line_is_measured_in_a_process_of_its_own():
    settings = replace(PPO.settings, steps_per_epoch=80, policy_steps=2, value_steps=3, hidden_sizes=(8,))
    job = Job("CartPole-v1", replace(PPO, settings=settings), "spinup PyTorch")
    result = measuring.measure(measuring.call_of(job, epochs=2), threads=1)
    assert (result["policy_steps"], result["value_steps"]) == (2, 3)
    assert result["gradient_steps_per_second"] > 5 / 80 * result["steps_per_second"] > 0  # learning is a part of it


# ---- the command line ----


def test_results_are_not_replaced_unless_told(tmp_path, monkeypatch):
    (tmp_path / "speed.json").write_text("{}")
    monkeypatch.setattr(speed, "run", lambda *_: pytest.fail("measured"))
    with pytest.raises(speed.UserError, match="--overwrite"):
        speed.main(["--out", str(tmp_path)])


@pytest.mark.parametrize("text", [None, "{", '{"rows": []}'])
def test_what_cannot_be_drawn_gets_a_sentence(tmp_path, text):
    file = tmp_path / "old.json"
    if text:
        file.write_text(text)
    with pytest.raises(speed.UserError, match=r"old\.json"):
        speed.main(["--draw", str(file)])


def planned(monkeypatch, *argv):
    """What would be measured: for the table and each sweep its jobs, threads and epochs."""
    runs = {}
    monkeypatch.setattr(
        speed, "run", lambda args, jobs, threads, epochs, sweep: runs.update({sweep: (jobs, threads, epochs)})
    )
    speed.main([*argv, "--commit", "abc"])
    return runs


def test_a_quick_run_measures_a_little_of_everything(monkeypatch):
    runs = planned(monkeypatch, "--quick", "--libraries", "spinup PyTorch")
    assert list(runs) == ["", *SWEEPS]
    assert len(runs[""][0]) == 6 + 4


def test_a_quick_run_leaves_out_what_cannot_be_made(monkeypatch, capsys):
    quick = ["--quick", "--libraries", "spinup JAX", "--env", "CartPole-v1"]
    assert list(planned(monkeypatch, *quick)) == ["", "envs", "seeds"]
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: the sweep ")]
    assert [note.split()[3] for note in notes] == ["width", "replay", "ranks"]
    with pytest.raises(speed.UserError, match="the sweep ranks"):
        speed.main([*quick, "--sweep", "ranks"])
    runs = planned(monkeypatch, *quick, "--tasks", "PPO, early stop")
    assert [[job.task.label for job in jobs] for jobs, _, _ in runs.values()] == [["PPO, early stop"]]


@pytest.mark.parametrize(("cores", "threads"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_threads_are_powers_of_two_up_to_the_physical_cores(monkeypatch, cores, threads):
    monkeypatch.setattr(speed, "physical_cores", lambda: cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2 * cores), raising=False)
    runs = planned(monkeypatch, "--env", "CartPole-v1", "--libraries", "spinup PyTorch", "--quick")
    assert runs["envs"][1] == runs[""][1] == [threads[-1]]
    runs = planned(monkeypatch, "--env", "CartPole-v1", "--libraries", "spinup PyTorch")
    assert runs[""][1] == threads


@pytest.mark.parametrize("threads", ["0", "5"])
def test_no_more_threads_than_may_be_used(monkeypatch, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4, 5, 6}, raising=False)
    with pytest.raises(speed.UserError, match=f"--threads {threads} will not do: this process may use 1 to 4"):
        speed.main(["--threads", "1", threads])


@pytest.mark.parametrize("flags", [["--epochs", "1"], ["--pairs", "0"], ["--tasks", "A3C"], ["--sweep", "depth"]])
def test_bad_flags_get_a_sentence(flags, capsys):
    with pytest.raises(SystemExit):
        speed.main(flags)
    assert "error: " in capsys.readouterr().err
