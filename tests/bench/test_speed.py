"""The measurement of speed: its arithmetic by hand, its tables and pictures from made-up numbers, and for real."""

import json
import math
import os
import shutil
import sys
from argparse import Namespace
from dataclasses import replace
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from gymnasium import spaces

import spinup
from bench import machine
from bench.speed import __main__ as speed
from bench.speed import bounds, measuring, peers, report
from bench.speed.sweeps import SWEEPS, sweep_cases
from bench.speed.tasks import CLEANRL, NOTE, OFF_POLICY, SB3, TASKS, Case, Settings, Task, choose_libraries, table_cases


@pytest.fixture(autouse=True)
def _measures_nothing(monkeypatch):
    monkeypatch.setattr(speed, "measure_rounds", lambda *_: pytest.fail("measured"))


BENCH = Path(speed.__file__).parents[1]
RESULTS = BENCH / "results"
TINY = Settings(hidden_sizes=(3,), steps_per_epoch=7, batch_size=10)


# ---- FLOPs, by hand ----


def test_a_forward_pass_multiplies_and_adds_once_for_each_weight():
    assert bounds.forward_flops([2, 3, 1]) == 2 * (2 * 3 + 3 * 1)
    assert bounds.forward_flops([4, 5, 6, 7]) == 2 * (20 + 30 + 42)


def test_the_input_of_the_first_layer_needs_no_gradient_where_it_is_data():
    assert bounds.training_flops([2, 3, 1]) == 3 * 18 - 12
    assert bounds.training_flops([4, 5, 6, 7]) == 3 * 184 - 40
    assert bounds.flops_under_policy([4, 5, 6, 7], 1) == 2 * 184 - 40 + 10  # of 4 columns that of the action alone
    assert bounds.flops_under_policy([4, 5, 6, 7], 4) == 2 * 184


def test_a_gradient_takes_what_pytorch_counts():
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    q = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 6), torch.nn.Linear(6, 7))
    with FlopCounterMode(display=False) as counter:
        q(torch.ones(10, 4)).sum().backward()
    assert counter.get_total_flops() == 10 * bounds.training_flops([4, 5, 6, 7])
    with FlopCounterMode(display=False) as counter:
        q.requires_grad_(False)(torch.ones(10, 4, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == 10 * bounds.flops_under_policy([4, 5, 6, 7], 4)


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
    assert bounds.speed_bounds(work, step_time=0.001, peak=1e10) == pytest.approx((1 / 0.002, 2e10 / 9e6))
    assert bounds.speed_bounds(work, step_time=0.001, peak=1e10, simulators=2)[0] == pytest.approx(1 / 0.0015)


def test_the_yardsticks_measure_something():
    assert 0 < bounds.measure_step_time("CartPole-v1", steps=300) < 1
    assert bounds.measure_peak("torch", size=64, repeats=2) > 0


# ---- medians and ratios, from a made-up table ----

PPO = Task("PPO", "ppo")
CASES = [Case("CartPole-v1", PPO, "spinup PyTorch"), Case("CartPole-v1", PPO, SB3)]


def made_up(case, *speeds):
    results = [dict(zip(measuring.SPEEDS, pair, strict=True)) for pair in speeds]
    return [result | {"policy_steps": 80, "value_steps": 80, "seconds": 9} for result in results]


def made_up_results():
    ours, theirs = (case.name for case in CASES)
    return {
        ("step of CartPole-v1", 1): [1e-5, 3e-5, 2e-5],
        ("matrix product of torch", 1): [1e11] * 3,
        ("matrix product of torch", 2): [2e11] * 3,
        (ours, 1): made_up(ours, (1000, 100), (3000, 300), (2000, 200)),
        (ours, 2): made_up(ours, (200, 20)),
        (theirs, 1): made_up(theirs, (10, 1)),
        (theirs, 2): made_up(theirs, (1000, 50), (1000, 50), (500, 25)),
    }


def made_up_data(sweep="", rows=None):
    rows = rows or measuring.summarise(CASES, made_up_results())
    machine = {"processor": "a made-up processor", "cores": 2}
    data = {
        "command": "make it up",
        "commit": "abc",
        "sweep": sweep,
        "axis": sweep and SWEEPS[sweep].axis,
        "note": NOTE,
    }
    return data | {"length": "at least 5 s each", "rounds": 3, "machine": machine, "rows": rows}


def test_a_case_counts_with_its_best_number_of_threads():
    ours, theirs = measuring.summarise(CASES, made_up_results())
    assert (ours["threads"], theirs["threads"]) == (1, 2)
    assert ours["medians_by_threads"] == {"1": 2000, "2": 200}
    assert ours["steps_per_second"]["each"] == [1000, 3000, 2000]
    assert (ours["peak"], theirs["peak"]) == (1e11, 2e11)


def test_the_number_of_threads_is_that_of_most_rounds_even_if_others_were_luckier_once():
    name = CASES[0].name
    results = {(name, 1): made_up(CASES[0], (10, 1), (10, 1)), (name, 2): made_up(CASES[0], (20, 1))}
    assert measuring.best_threads(name, results) == 1


def test_a_ratio_is_the_median_over_rounds():
    ours, theirs = measuring.summarise(CASES, made_up_results())
    assert ours["steps_per_second"]["ratios"] == {SB3: 3}  # of 1, 3 and 4: not 2000 / 1000
    assert ours["gradient_steps_per_second"]["ratios"] == {SB3: 6}
    assert "ratios" not in theirs["steps_per_second"]


@pytest.mark.parametrize(("their_steps", "compared"), [(80, True), (76, True), (50, False)])
def test_environment_steps_are_compared_where_the_work_is_alike(their_steps, compared):
    results = made_up_results()
    for result in results[CASES[1].name, 2]:
        result["policy_steps"] = result["value_steps"] = their_steps
    ours, _ = measuring.summarise(CASES, results)
    assert (SB3 in ours["steps_per_second"]["ratios"]) == compared
    assert SB3 in ours["gradient_steps_per_second"]["ratios"]


def test_every_case_has_its_bound():
    ours, _ = measuring.summarise(CASES, made_up_results())
    work = bounds.work_of("ppo", 4, 2, Settings(), 80, 80)
    most = bounds.speed_bounds(work, 2e-5, 1e11)  # one thread: one simulator at a time
    assert [ours[name]["bound"] for name in measuring.SPEEDS] == pytest.approx(most)
    assert ours["steps_per_second"]["of_bound"] == pytest.approx(2000 / most[0])


@pytest.mark.parametrize(("sweep", "simulators"), [("envs", (1, 2, 2)), ("ranks", (2, 2)), ("seeds", (2, 2))])
def test_simulators_have_a_core_each_as_far_as_there_are_environments_and_threads(sweep, simulators):
    cases = sweep_cases(sweep, "CartPole-v1", 3, ["spinup PyTorch"])[: len(simulators)]
    results = made_up_results() | {(case.name, 2): made_up(case, (100, 10)) for case in cases}
    bound = [row["steps_per_second"]["bound"] for row in measuring.summarise(cases, results)]
    work = bounds.work_of("ppo", 4, 2, Settings(), 80, 80)
    assert bound == pytest.approx([bounds.speed_bounds(work, 2e-5, 2e11, number)[0] for number in simulators])


def test_runs_side_by_side_have_no_time_of_learning():
    [case] = sweep_cases("ranks", "CartPole-v1", 1)
    result = {"steps_per_second": 100.0, "policy_steps": 80, "value_steps": 80, "seconds": 9}
    [row] = measuring.summarise([case], made_up_results() | {(case.name, 2): [result]})
    assert "gradient_steps_per_second" not in row


# ---- rounds, with a made-up clock ----


def measured_rounds(monkeypatch, calls, speeds, rounds=3, seconds=5):
    """The results, and what was measured in which order: ``speeds`` by name and threads, a number or an error."""
    seen = []

    def measure(call, threads):
        seen.append((call["name"], threads))
        speed = speeds[call["name"], threads]
        if isinstance(speed, Exception):
            raise speed
        if "library" not in call:
            return speed
        return made_up(None, (speed, 1))[0] | {"seconds": (call["epochs"] - 1) * 1.0}

    monkeypatch.setattr(measuring, "measure", measure)
    *_, results = measuring.measure_rounds(calls, rounds, seconds)
    return results, seen


def a_case(name):
    return {"name": name, "library": "spinup JAX", "epochs": 11}


def test_every_second_round_runs_backwards(monkeypatch):
    calls = {("a", 1): {"name": "a"}, ("b", 2): a_case("b")}
    results, seen = measured_rounds(monkeypatch, calls, {("a", 1): 1.0, ("b", 2): 7})
    assert {key: len(measured) for key, measured in results.items()} == {("a", 1): 3, ("b", 2): 3}
    assert seen == [("a", 1), ("b", 2), ("b", 2), ("a", 1), ("a", 1), ("b", 2)]


def test_the_first_round_chooses_the_number_of_threads_of_each_case_but_not_of_yardsticks(monkeypatch):
    calls = {(name, n): call for name, call in (("step", {"name": "step"}), ("b", a_case("b"))) for n in (1, 2)}
    speeds = {("step", 1): 1.0, ("step", 2): 2.0, ("b", 1): 8, ("b", 2): 7}
    results, _ = measured_rounds(monkeypatch, calls, speeds)
    assert {key: len(found) for key, found in results.items()} == {
        ("step", 1): 3,
        ("step", 2): 3,
        ("b", 1): 3,
        ("b", 2): 1,
    }


def test_what_ends_too_soon_is_measured_again_with_more_epochs_which_later_rounds_keep(monkeypatch):
    calls = {("b", 1): a_case("b") | {"epochs": 2}}
    results, seen = measured_rounds(monkeypatch, calls, {("b", 1): 7}, rounds=2, seconds=5)
    assert [result["seconds"] for result in results["b", 1]] == [7, 7]  # 5 * 1.25, of epochs that take a second
    assert len(seen) == 3


def test_runs_that_hardly_overlap_train_twice_as_long(monkeypatch):
    seconds, epochs = iter([0.0, 0.0, 9.0]), []
    monkeypatch.setattr(
        measuring, "measure", lambda call, _: epochs.append(call["epochs"]) or {"seconds": next(seconds)}
    )
    assert measuring.measure_for(5, {"epochs": 3}, 1) == {"seconds": 9}
    assert epochs == [3, 5, 9]


def test_a_case_that_fails_is_reported_and_left_out(monkeypatch, capsys, tmp_path):
    ours, theirs = CASES
    results = {key: found for key, found in made_up_results().items() if key[0] != theirs.name}
    calls = {("step", 1): {"name": "step"}} | {(case.name, n): a_case(case.name) for case in CASES for n in (1, 2)}
    speeds = dict.fromkeys(calls, 1.0) | {(theirs.name, 2): speed.UserError("It broke.")}
    left, _ = measured_rounds(monkeypatch, calls, speeds, rounds=2)
    assert {name for name, _ in left} == {"step", ours.name}
    assert "error: It broke. It is left out." in capsys.readouterr().err
    monkeypatch.setattr(speed, "measure_rounds", lambda *_: [results])
    with pytest.raises(speed.UserError, match=f"{theirs.name} could not be measured; the rest is in "):
        speed.measure_and_report(Namespace(out=tmp_path, commit="abc", rounds=1, seconds=5), CASES, [1, 2])
    assert [row["library"] for row in json.loads((tmp_path / "speed.json").read_text())["rows"]] == [ours.library]


def test_without_a_yardstick_nothing_is_measured(monkeypatch):
    with pytest.raises(speed.UserError, match="It broke"):
        measured_rounds(monkeypatch, {("step", 1): {"name": "step"}}, {("step", 1): speed.UserError("It broke.")})


@pytest.mark.slow
def test_a_failing_measurement_shows_its_traceback(capsys):
    with pytest.raises(speed.UserError, match=r"'NoSuch-v0'.* could not be measured: its traceback is above"):
        measuring.measure({"call": "measure_step_time", "env": "NoSuch-v0"}, 1)
    assert "NoSuch" in capsys.readouterr().err


def test_threads_get_cores_that_are_not_siblings(tmp_path, monkeypatch):
    """Processors 0 and 1 are one core, 2 and 3 another; 4 is known to nobody."""
    for cpu, siblings in enumerate(["0-1", "0-1", "2-3", "2-3"]):
        (tmp_path / str(cpu)).write_text(siblings)
    monkeypatch.setattr(machine, "TOPOLOGY", str(tmp_path / "{}"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 0, 1, 2, 3}, raising=False)
    assert [machine.choose_cores(n) for n in (1, 3, 4)] == [[0], [0, 2, 4], [0, 2, 4, 1]]


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


@pytest.mark.slow
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
    monkeypatch.setattr(speed, "measure_rounds", lambda *_: [made_up_results()] * 3)
    speed.measure_and_report(Namespace(out=tmp_path, commit="abc, changed", rounds=3, seconds=5), CASES, [1, 2])
    data = json.loads((tmp_path / "speed.json").read_text())
    assert (data["commit"], data["note"], data["sweep"], data["rounds"]) == ("abc, changed", NOTE, "", 3)
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "\n- commit: abc, changed\n" in text and text.endswith(f"\n\n{NOTE}\n")
    assert text == report.markdown_table(data)
    assert report.markdown_table(data | {"note": "As found."}).endswith("\n\nAs found.\n")


def test_the_table_says_what_was_measured():
    text = report.markdown_table(made_up_data())
    ours = next(line for line in text.splitlines() if line.startswith("| PPO | spinup PyTorch"))
    cells = [cell.strip() for cell in ours.split("|")[1:-1]]
    assert cells[:4] == ["PPO", "spinup PyTorch", "1 of 1, 2", "80 + 80"]
    assert cells[4:7] == ["2000", "1000 3000 2000", f"**3.00** {SB3}"]
    assert "100 GFLOP/s (torch, threads 1), 200 GFLOP/s (torch, threads 2)" in text
    assert "20 µs a step" in text


def test_bars_are_as_long_as_the_speeds():
    figure = report.draw_bars(made_up_data())
    lengths = [[bar.get_width() for bar in axes.patches] for axes in figure.axes]
    assert lengths == [[2000, 1000], [200, 50]]
    assert len({bar.get_facecolor() for bar in figure.axes[0].patches}) == 2


def test_lines_go_through_the_speeds_and_the_bounds():
    row = made_up_data()["rows"][0]
    figure = report.draw_sweep(made_up_data("envs", [row | {"value": value} for value in (1, 2)]))
    line, bound, _ = figure.axes[0].lines
    assert (*line.get_xdata(), *line.get_ydata()) == (1, 2, 2000, 2000)
    assert set(bound.get_ydata()) == {row["steps_per_second"]["bound"]}


# ---- what is compared ----


def test_only_what_suits_the_environment_is_compared():
    labels = {case.task.label for case in table_cases(["CartPole-v1"], speed.MAIN_LABELS, ["spinup PyTorch"])}
    assert labels == {"VPG", "TRPO", "PPO", "DQN"}
    labels = {case.task.label for case in table_cases(["HalfCheetah-v5"], speed.MAIN_LABELS, ["spinup PyTorch"])}
    assert labels == {"VPG", "TRPO", "PPO", "DDPG", "TD3", "SAC"}


def test_settings_reach_our_algorithms():
    keywords = peers.off_policy_keywords("sac", replace(CLEANRL, alpha="auto", learning_rate=0.1))
    assert (keywords["batch_size"], keywords["update_every"]) == (256, 1)
    assert (keywords["alpha"], keywords["lr"]) == ("auto", 0.1)
    keywords = peers.on_policy_keywords("ppo", Settings(policy_steps=7, value_steps=9, target_kl=0.5, learning_rate=2))
    assert (keywords["train_pi_iters"], keywords["train_v_iters"], keywords["target_kl"]) == (7, 9, 0.5)
    assert keywords["pi_lr"] == keywords["vf_lr"] == 2


@pytest.mark.parametrize("backend", ["pytorch", "jax"])
@pytest.mark.parametrize("task", [task for tasks in TASKS.values() for task in tasks], ids=lambda task: task.label)
def test_our_algorithms_take_those_words(task, backend):
    keywords = (peers.on_policy_keywords if task.algorithm in peers.ON_POLICY else peers.off_policy_keywords)(
        task.algorithm, task.settings
    )
    signature(getattr(spinup, f"{task.algorithm}_{backend}")).bind(None, **keywords)


class Recorder:
    """Stands for any class of another library; remembers what it was made with."""

    def __init__(self, *_, **keywords):
        self.keywords = keywords


@pytest.fixture
def peer_modules(monkeypatch):
    agents = dict.fromkeys(("PPO", "A2C", "TRPO", "DQN", "DDPG", "TD3", "SAC"), Recorder)
    for name in ("stable_baselines3", "sbx", "sb3_contrib"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**agents))
    noise = SimpleNamespace(NormalActionNoise=lambda mean, std: ("noise", *std))
    monkeypatch.setitem(sys.modules, "stable_baselines3.common", SimpleNamespace(noise=noise))
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.noise", noise)


@pytest.mark.parametrize("module", ["stable_baselines3", "sbx"])
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("ppo", {"n_steps": 25, "batch_size": 100, "n_epochs": 7, "target_kl": 0.5, "max_grad_norm": math.inf}),
        ("vpg", {"n_steps": 25, "use_rms_prop": False, "normalize_advantage": True, "max_grad_norm": math.inf}),
        ("trpo", {"n_steps": 25, "batch_size": 100, "n_critic_updates": 9, "cg_max_steps": 10}),
    ],
)
def test_settings_reach_on_policy_peers(peer_modules, module, algorithm, expected):
    settings = Settings((5, 6), 100, 4, policy_steps=7, value_steps=9, target_kl=0.5, learning_rate=0.1)
    agent = peers._on_policy_agent(module, algorithm, settings)()
    networks = {"policy_kwargs": {"net_arch": {"pi": [5, 6], "vf": [5, 6]}}}
    assert agent.keywords == expected | networks | {"gae_lambda": 0.97, "learning_rate": 0.1}


@pytest.mark.parametrize("module", ["stable_baselines3", "sbx"])
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("dqn", {"target_update_interval": 1, "exploration_initial_eps": 0.05, "exploration_final_eps": 0.05}),
        ("sac", {"ent_coef": "auto"}),
        ("td3", {"action_noise": ("noise", 0.1, 0.1)}),
        ("ddpg", {"action_noise": ("noise", 0.1, 0.1)}),
    ],
)
def test_settings_reach_off_policy_peers(peer_modules, module, algorithm, expected):
    if (module, algorithm) == ("stable_baselines3", "dqn"):
        expected = expected | {"max_grad_norm": math.inf}
    settings = replace(CLEANRL, hidden_sizes=(5, 6), alpha="auto", replay_size=700, learning_rate=0.1)
    envs = SimpleNamespace(action_space=SimpleNamespace(shape=(2,)))
    agent = peers._off_policy_agent(module, algorithm, settings)("MlpPolicy", envs)
    assert agent.keywords == expected | {
        "learning_rate": 0.1,
        "learning_starts": 500,
        "train_freq": 1,
        "gradient_steps": 1,
        "batch_size": 256,
        "buffer_size": 700,
        "tau": 0.005,
        "policy_kwargs": {"net_arch": [5, 6]},
    }


def test_sweeps_change_what_they_say():
    widths = [case.task.settings.hidden_sizes for case in sweep_cases("width", "HalfCheetah-v5", 5)]
    assert set(widths) == {(n, n) for n in SWEEPS["width"].values}
    assert [case.task.settings.num_envs for case in sweep_cases("envs", "CartPole-v1", 2)][:2] == [1, 2]
    quiet, busy = map(measuring.call_of, sweep_cases("busy", "HalfCheetah-v5", 2)[:2])
    assert (quiet["call"], quiet["busy"], busy["busy"]) == ("train", 0, 1)
    call = measuring.call_of(sweep_cases("ranks", "CartPole-v1", 2)[-1])
    assert (call["call"], call["process_flag"], call["processes"]) == ("train_in_processes", "cpu", 2)


def test_a_sweep_refuses_an_environment_that_its_tasks_do_not_suit():
    with pytest.raises(speed.UserError, match="CartPole-v1 does not suit SAC"):
        sweep_cases("width", "CartPole-v1", 2)


def test_a_sweep_takes_the_tasks_and_libraries_that_are_named():
    cases = sweep_cases("width", "HalfCheetah-v5", 1, ["spinup JAX", SB3], ["SAC", "TD3"])
    assert [(case.library, case.task.label) for case in cases] == [("spinup JAX", "SAC")]
    with pytest.raises(
        speed.UserError, match=r"Nothing is left of the sweep ranks, .* PPO with spinup PyTorch: choose"
    ):
        sweep_cases("ranks", "CartPole-v1", 1, ["spinup JAX"])
    with pytest.raises(speed.UserError, match="Nothing is left of the sweep envs"):
        sweep_cases("envs", "CartPole-v1", 1, labels=["DQN"])
    assert len(sweep_cases("width", "CartPole-v1", 1, labels=["PPO"])) == 2  # it does not suit SAC, which is not named


def test_ranks_need_mpi(monkeypatch):
    monkeypatch.setattr("spinup.mpi.tools.shutil.which", lambda *_, **__: None)
    with pytest.raises(speed.UserError, match="needs mpirun, not installed here: pip install"):
        speed.main(["--sweep", "ranks", "--env", "CartPole-v1"])


def lacking(monkeypatch, *modules):
    """Let ``modules`` not be installed, and all others be."""
    for place in ("bench.speed.tasks.find_spec", "spinup.backends.importlib.util.find_spec"):
        monkeypatch.setattr(place, lambda name: None if name in modules else name)


def test_a_library_that_is_named_has_to_be_installed(monkeypatch):
    lacking(monkeypatch, "sbx", "optax")
    for library, command in {"SBX": "pip install sbx-rl", "spinup JAX": r'pip install "spinningup\[jax\]"'}.items():
        with pytest.raises(speed.UserError, match=f"{library} is not installed here: run {command}"):
            speed.main(["--libraries", "spinup PyTorch", library])


def test_what_is_not_installed_is_left_out_with_a_note(monkeypatch, capsys):
    lacking(monkeypatch, "sbx", "sb3_contrib")
    libraries = choose_libraries(None)
    cases = table_cases(["CartPole-v1", "HalfCheetah-v5"], ["TRPO", "PPO"], libraries)
    both = {"spinup PyTorch", "spinup JAX"}
    assert {case.library for case in cases if case.task.label == "TRPO"} == both
    assert {case.library for case in cases if case.task.label == "PPO"} == {*both, SB3}
    notes = capsys.readouterr().out.splitlines()
    assert [note.partition(" is left out, ")[0] for note in notes] == ["note: SBX", f"note: TRPO beside {SB3}"]
    lacking(monkeypatch)
    cases = table_cases(["CartPole-v1"], ["TRPO"], choose_libraries(None))
    assert {case.library for case in cases} == {*both, SB3} and not capsys.readouterr().out


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
    assert peers.speed_together(logs, 300) == (15, 300 * (1.5 + 0.5) / 15)
    assert peers.speed_together(logs[:1], 300) == (20, 300 / 10)


@pytest.mark.parametrize(("start", "enough"), [(970, True), (974, True), (976, False), (990, False)])
def test_runs_that_hardly_overlap_are_not_measured(tmp_path, start, enough):
    logs = logs_of(tmp_path, a=((1, 11), 980), b=((1, 41), start + 40))  # from 970 to 980, and from `start` on
    assert (peers.speed_together(logs, 300) != (0, 0)) == enough


@pytest.mark.slow
def test_one_case_is_measured_in_a_process_of_its_own():
    settings = replace(PPO.settings, steps_per_epoch=80, policy_steps=2, value_steps=3, hidden_sizes=(8,))
    case = Case("CartPole-v1", replace(PPO, settings=settings), "spinup PyTorch")
    result = measuring.measure(measuring.call_of(case), threads=1)
    assert (result["policy_steps"], result["value_steps"]) == (2, 3)
    assert result["gradient_steps_per_second"] > 5 / 80 * result["steps_per_second"] > 0  # learning is a part of it


@pytest.mark.slow
@pytest.mark.parametrize("library", ["spinup PyTorch", "spinup JAX"])
def test_off_policy_one_gradient_step_belongs_to_one_environment_step(library):
    settings = replace(OFF_POLICY, steps_per_epoch=200, hidden_sizes=(8,), replay_size=500, replay_is_full=True)
    case = Case("CartPole-v1", Task("DQN", "dqn", settings), library)
    result = measuring.measure(measuring.call_of(case), threads=1)
    learning = 200 / result["gradient_steps_per_second"]
    assert result["steps_per_second"] == pytest.approx(200 / result["seconds"])
    assert 0.05 * result["seconds"] < learning < result["seconds"]


# ---- the command line ----


def test_results_are_not_replaced_without_overwrite(tmp_path, monkeypatch):
    (tmp_path / "speed.json").write_text("{}")
    monkeypatch.setattr(speed, "measure_and_report", lambda *_: pytest.fail("measured"))
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
    """What would be measured: for the table and each sweep its cases, threads and all flags."""
    runs = {}
    monkeypatch.setattr(
        speed, "measure_and_report", lambda args, cases, threads, sweep: runs.update({sweep: (cases, threads, args)})
    )
    speed.main([*argv, "--commit", "abc"])
    return runs


def test_a_quick_run_measures_a_little_of_everything(monkeypatch):
    runs = planned(monkeypatch, "--quick", "--libraries", "spinup PyTorch")
    assert list(runs) == ["", *SWEEPS]
    assert [case.env for case in runs[""][0]] == ["HalfCheetah-v5"] * 6 + ["CartPole-v1"]  # DQN alone needs the second
    assert (runs[""][2].rounds, runs[""][2].seconds) == (1, 0.5)
    lengths = {case.task.algorithm: case.task.settings.steps_per_epoch for case in runs[""][0]}
    assert lengths == dict.fromkeys(("vpg", "trpo", "ppo"), 4000) | dict.fromkeys(("ddpg", "td3", "sac", "dqn"), 400)
    runs = planned(monkeypatch, "--quick", "--libraries", "spinup PyTorch", "--rounds", "2", "--threads", "1")
    assert (runs[""][2].rounds, runs[""][2].seconds, runs[""][1]) == (2, 0.5, [1])  # flags override --quick


def test_a_quick_run_compares_all_libraries_and_sweeps_with_one(monkeypatch):
    runs = planned(monkeypatch, "--quick", "--libraries", "spinup PyTorch", "spinup JAX")
    assert [case.library for case in runs[""][0]] == ["spinup PyTorch", "spinup JAX"] * 7
    swept = {name: [(case.task.label, case.library, case.value) for case in runs[name][0]] for name in SWEEPS}
    assert swept["width"] == [(task, "spinup JAX", value) for task in ("PPO", "SAC") for value in (64, 128)]
    assert swept["ranks"] == [("PPO", "spinup PyTorch", value) for value in (1, 2)]  # MPI is for PyTorch


def test_a_quick_run_leaves_out_what_cannot_be_made(monkeypatch, capsys):
    quick = ["--quick", "--libraries", "spinup JAX", "--env", "CartPole-v1"]
    assert list(planned(monkeypatch, *quick)) == ["", "envs", "seeds"]
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: the sweep ")]
    assert [note.split()[3] for note in notes] == ["width", "replay", "busy", "ranks"]
    with pytest.raises(speed.UserError, match="the sweep ranks"):
        speed.main([*quick, "--sweep", "ranks"])
    runs = planned(monkeypatch, *quick, "--tasks", "PPO, early stop")
    assert [[case.task.label for case in cases] for cases, _, _ in runs.values()] == [["PPO, early stop"]]


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
    with pytest.raises(speed.UserError, match=f"--threads {threads} is invalid: this process may use 1 to 4"):
        speed.main(["--threads", "1", threads])


def test_a_file_is_no_place_for_results(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(speed.UserError, match=r"--out .*file is invalid \(.*\): name a folder"):
        speed.main(["--out", str(tmp_path / "file"), "--tasks", "PPO", "--env", "CartPole-v1", "--commit", "abc"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seconds", "0"], "--seconds must be more than 0"),
        (["--rounds", "0"], "--rounds 1 or more. See python -m bench.speed --help"),
        (["--tasks", "PPQ"], "--tasks 'PPQ' is not one of VPG; VPG, one value step; .* Did you mean 'PPO'"),
        (["--libraries", "sbx"], "--libraries 'sbx' is not one of spinup PyTorch, .*, SBX"),
        (["--sweep", "with"], "--sweep 'with' is not one of width, .* Did you mean 'width'"),
    ],
)
def test_bad_flags_get_a_sentence(flags, message):
    with pytest.raises(speed.UserError, match=message):
        speed.main(flags)
