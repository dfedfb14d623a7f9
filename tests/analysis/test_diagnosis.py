"""What a run's log is said to show: nothing for runs that learn, and what was done to them for those made to fail."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import spinup
from spinup.analysis.diagnosis.evidence import Evidence, read_evidence
from spinup.analysis.diagnosis.report import by_experiment, diagnose, seeds_disagree, words
from spinup.commands.diagnose import main
from spinup.errors import UserError, command_line
from spinup.records.columns import MEANING
from spinup.records.directory import runs_below

RESULTS = Path(spinup.__file__).parents[1] / "bench" / "results"
SICK = {  # runs of bench/results, and all that is found in them
    "sick_vpg_entropy_collapse": "steps_too_large policy_collapsed learning_lost",
    "sick_vpg_value_not_learning": "value_not_learning",
    "sick_trpo_large_steps": "steps_too_large learning_lost",
    "sick_trpo_line_search_fails": "line_search_fails never_started",
    "sick_ppo_large_steps": "steps_too_large policy_collapsed learning_unstable",
    "sick_ppo_episodes_cut": "episodes_always_cut",
    "sick_ppo_stops_early": "steps_too_large learning_lost",
    "sick_ppo_value_gets_worse": "value_gets_worse",
    "sick_dqn_no_exploration": "no_exploration",
    "sick_dqn_unstable": "learning_unstable",
    "sick_dqn_no_target_network": "q_diverged",
    "sick_ddpg_q_divergence": "q_diverged",
    "sick_ddpg_dead_policy": "never_started",
    "sick_td3_never_starts": "episodes_always_cut never_started",
    "sick_td3_q_divergence": "q_diverged",
    "sick_sac_alpha_rises": "entropy_outweighs_reward",
    "sick_sac_too_random": "entropy_outweighs_reward never_started",
    "ex2-1_v0/ex2-1_v0_s0": "value_not_learning",
    "ex2-1_v0/ex2-1_v0_s10": "value_not_learning",
    "ex2-1_v0/ex2-1_v0_s20": "value_not_learning",
    "ex2-2_buggedddpgactorcritic/ex2-2_buggedddpgactorcritic_s0": "critic_is_constant learning_unstable",
    "ex2-2_buggedddpgactorcritic/ex2-2_buggedddpgactorcritic_s10": "critic_is_constant",
    "ex2-2_buggedddpgactorcritic/ex2-2_buggedddpgactorcritic_s20": "critic_is_constant learning_lost",
    "lunar_ppo/lunar_ppo_s2": "learning_lost",
}
RUNS = {path.relative_to(RESULTS).as_posix(): path for path in runs_below(RESULTS)}


@cache
def read(run):
    return read_evidence(RUNS[run])


def expected(run):
    return SICK.get(run, SICK.get(run.split("/")[0], "")).split()


def names(run):
    return [finding.name for finding in diagnose(run)]


@pytest.mark.parametrize("run", RUNS)
def test_the_trouble_of_every_run_is_found_and_nothing_else(run):
    findings = diagnose(read(run))
    assert [finding.name for finding in findings] == expected(run)
    assert {finding.column for finding in findings} <= {*MEANING}


def test_every_run_made_to_fail_is_expected_to():
    assert {run.split("/")[0] for run in RUNS if run.startswith("sick_")} <= {*SICK}
    assert all(any(run.startswith(name) for run in RUNS) for name in SICK)


def test_seeds_are_compared():
    runs = [read(run) for run in RUNS if run.startswith(("cartpole_", "lunar_", "ex2-2"))]
    found = {name.split()[0] for name, seeds in by_experiment(runs).items() if seeds_disagree(seeds)}
    assert found == {"lunar_ppo", "ex2-2_buggedddpgactorcritic"}


# ---- made-up logs ----


def log(returns, *, env=None, **columns):
    """The evidence of a run of PPO with these returns, an epoch each; a number fills its column."""
    returns = np.array(returns, float)
    n = len(returns)
    made_up = {
        "AverageEpRet": returns,
        "StdEpRet": 1.0,
        "EpLen": 10.0,
        "TotalEnvInteracts": 1000.0 * np.arange(1, n + 1),
    }
    filled = {name: np.broadcast_to(np.array(y, float), n) for name, y in (made_up | columns).items()}
    config = {"algorithm": "spinup.algos.pytorch.ppo.ppo", "gamma": 0.99, "max_ep_len": 1000, "seed": 0}
    return Evidence(Path("run"), filled, config, {"id": "Custom-v0", **(env or {})})


def with_settings(run, **settings):
    return replace(run, config=run.config | settings)


RISING = np.linspace(10, 100, 30)


def test_few_epochs_are_too_early_to_judge():
    assert names(log(RISING[:2])) == ["too_early"]
    random = with_settings(log(RISING[:12], LossQ=[np.nan] * 10 + [1, 2]), start_steps=10_000)
    assert names(random) == ["too_early"]
    assert "the first 10,000 steps are random" in diagnose(random)[0].evidence
    (unsure,) = diagnose(log([10] * 8))
    assert unsure.name == "never_started" and not unsure.sure
    assert diagnose(log([10] * 12))[0].sure


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_no_log_is_too_strange_to_read(rows):
    rng = np.random.default_rng(rows)
    names = [f"{part}{name}" for name in MEANING for part in ("", "Average", "Std", "Max", "Min")]
    numbers = [np.nan, -1e9, -1.0, 0.0, 0.5, 7.0]
    for _ in range(30):
        kept = [name for name in names if rng.random() < 0.5]
        columns = {name: rng.choice(numbers[rng.random() < 0.8 :], rows) for name in kept}
        run = Evidence(Path("run"), {"Epoch": np.arange(rows)} | columns)
        assert str(run.path) in words(run, diagnose(run))


def test_an_empty_cell_is_not_a_broken_number():
    no_episode = np.where(np.arange(30) % 3 == 0, np.nan, RISING)
    assert names(log(no_episode, KL=0.01)) == []
    assert names(log(RISING, KL=[0.01] * 29 + [np.nan])) == ["not_finite"]
    assert names(log(RISING, LossV=[1] * 29 + [np.inf])) == ["not_finite"]
    assert names(with_settings(log(RISING, LossQ=[np.nan] * 5 + [1] * 25), update_after=5000)) == []


def test_no_episode_is_said_to_have_ended_where_none_has():
    assert names(log([np.nan] * 30, KL=0.01)) == ["no_episode_ended"]


def test_a_task_that_is_solved_needs_no_advice():
    assert names(log([500] * 30, EpLen=500.0, env={"reward_threshold": 475.0})) == []
    assert names(log([500] * 30, EpLen=500.0)) == ["never_started"]


def test_a_dead_policy_is_told_from_one_that_learns():
    rows = np.genfromtxt(RESULTS / "saturation" / "jax_usual_slope.csv", delimiter=",", names=True)
    for seed, is_dead in ((0, True), (3, False)):
        returns = rows["test_return"][rows["seed"] == seed]
        run = log(returns, AverageTestEpRet=returns, TotalEnvInteracts=5000 * np.arange(1, len(returns) + 1))
        run = with_settings(run, algorithm="ddpg.ddpg", start_steps=10_000)
        assert names(run) == ["never_started"] * is_dead
        assert not is_dead or "a dead policy" in diagnose(run)[0].causes


def test_episodes_may_be_cut_where_nothing_else_ends_them():
    cut = dict(EpLen=200.0, env={"max_episode_steps": 200})
    assert names(log(RISING, **cut)) == ["episodes_always_cut"]
    assert names(log(RISING, EpLen=200.0, env={"max_episode_steps": 200, "id": "Pendulum-v1"})) == []
    assert names(log(RISING, EpLen=np.linspace(20, 200, 30), env={"max_episode_steps": 200})) == []


def test_a_gaussian_policy_has_another_floor_of_entropy():
    narrower = np.linspace(0.92, 0.05, 30)
    assert names(log(RISING, Entropy=narrower)) == []
    assert names(log(RISING, Entropy=np.r_[0.9, 0.1, [-2] * 28])) == ["policy_collapsed"]
    assert names(log(RISING, Entropy=np.r_[0.69, 0.1, [0.05] * 28])) == ["policy_collapsed"]


def test_values_in_other_units_are_not_compared_with_returns():
    q = dict(AverageQVals=5000.0, StdQVals=100.0, LossQ=1.0)
    assert names(log(RISING, **q)) == ["q_diverged"]
    assert names(with_settings(log(RISING, **q), norm_reward=True)) == []
    assert names(log(RISING, **(q | {"AverageQVals": 1600.0}))) == ["q_too_large"]
    assert names(log(RISING, **(q | {"AverageQVals": 900.0}))) == []
    assert names(log(-RISING[::-1], **(q | {"AverageQVals": 300.0}))) == ["q_too_large"]


def test_exploration_that_is_switched_off_is_named_where_it_may_matter():
    unsolved, solved = {"reward_threshold": 900.0}, {"reward_threshold": 90.0}
    assert names(with_settings(log(RISING, env=unsolved), act_noise=0)) == ["no_exploration"]
    assert names(with_settings(log(RISING, env=unsolved), act_noise=0.1)) == []
    assert names(with_settings(log(RISING, env=solved), act_noise=0)) == []
    assert names(with_settings(log(RISING), act_noise=0)) == []
    assert names(with_settings(log([10] * 30), act_noise=0)) == ["no_exploration", "never_started"]
    assert names(with_settings(log(RISING, env=unsolved), epsilon=0, epsilon_start=1.0)) == []


# ---- the command ----


def test_a_healthy_run_gets_one_line(capsys):
    main([str(RESULTS / "cartpole_ppo" / "cartpole_ppo_s0")])
    (line,) = capsys.readouterr().out.splitlines()
    assert "looks healthy (PPO on CartPole-v1, 30 epochs, 120,000 steps; AverageEpRet from 21.5 to 500)" in line


def test_a_finding_says_what_is_seen_why_and_what_to_try(capsys):
    with command_line("spinup"):
        main([str(RESULTS / "sick_ppo_large_steps")])
    out = capsys.readouterr().out
    for part in (
        "KL is above 0.1 nats in 30 of 30",
        "--pi_lr 0.1 is too high",
        "--target_kl 0.01",
        "#kl",
        "metrics.md",
    ):
        assert part in out
    assert max(len(line) for line in out.splitlines()[1:-1]) <= 80
    run = read("sick_ppo_large_steps/sick_ppo_large_steps_s0")
    assert "pi_lr=0.1 is too high" in words(run, diagnose(run))  # for who calls it from Python


def test_programs_get_json(capsys, tmp_path):
    run = tmp_path / "half"
    run.mkdir()
    (run / "progress.txt").write_text("Epoch\tAverageEpRet\n0\t1\n1", encoding="utf-8")  # warnings go elsewhere
    main([str(run), str(RESULTS / "lunar_ppo"), "--json"])
    data = json.loads(capsys.readouterr().out)
    assert [one["findings"] for one in data["runs"][1:3]] == [[], []]
    (lost,) = data["runs"][3]["findings"]
    assert (lost["name"], lost["glossary"], lost["sure"]) == ("learning_lost", "user/metrics.html#epret", True)
    assert [finding["name"] for finding in data["experiments"][1]["findings"]] == ["seeds_disagree"]


def test_a_mistake_gets_one_sentence(tmp_path):
    with pytest.raises(UserError, match="needs at least one directory"):
        main([])
    with pytest.raises(UserError, match="is not a run and holds none"):
        main([str(tmp_path / "none")])
    (tmp_path / "progress.txt").touch()
    with pytest.raises(UserError, match="no run has finished an epoch yet"):
        main([str(tmp_path)])
