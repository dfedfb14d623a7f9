"""Training with a student's functions: they take the place of the algorithm's, and the result is judged."""

import importlib
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from toy_answers import answer

from spinup.commands import exercise as command
from spinup.exercises import training
from spinup.exercises.exercise import all_backends, find_exercise

TD3 = ["target_action", "td_target", "q_loss", "pi_loss"]


@pytest.mark.parametrize("backend", all_backends())
def test_the_functions_of_the_file_take_the_place_of_those_of_the_algorithm(backend, monkeypatch):
    module = importlib.import_module(f"spinup.algos.{backend}.td3")
    for name in [*TD3, "td3"]:
        monkeypatch.setattr(module, name, getattr(module, name))  # to be restored
    monkeypatch.setattr(module, "td3", lambda **settings: ([getattr(module, name) for name in TD3], settings))
    Path("mine.py").write_text(answer("1.3", backend, {}), encoding="utf-8")

    homes = dict.fromkeys(TD3, module.__name__)
    functions, settings = training.train_with("mine.py", homes, backend, "td3", epochs=3)
    assert {function.__module__ for function in functions} == {"answer_in_mine"} and settings == {"epochs": 3}


@pytest.fixture
def trained(monkeypatch):
    """The experiments that would have ``ran``; each of their logs has the ``results`` that are given."""
    trained = SimpleNamespace(ran=[], results=[0.0])

    def call_experiment(name, thunk, **settings):
        trained.ran.append((name, thunk, settings))
        run = Path("run")
        run.mkdir(exist_ok=True)
        rows = "\n".join(f"{x}\t{x}" for x in trained.results)
        (run / "progress.txt").write_text(f"AverageTestEpRet\tAverageEpRet\n{rows}\n", encoding="utf-8")
        return run

    monkeypatch.setattr("spinup.experiments.launch.call_experiment", call_experiment)
    return trained


def status_of(*arguments):
    try:
        command.main([*arguments, "--data_dir", "data"])
    except SystemExit as end:
        return end.code
    return 0


def test_what_is_trained_is_judged(trained, capsys):
    trained.results = [50.0, 400.0, 30.0]
    assert status_of("1.3", "--use_soln", "--seed", "7") == 0
    for (name, thunk, settings), env in zip(trained.ran, ["HalfCheetah", "InvertedPendulum"], strict=True):
        assert name == f"exercise1_3_pytorch_{env}" and settings["env_name"] == f"{env}-v5" and settings["seed"] == 7
        assert settings["ac_kwargs"] == {"hidden_sizes": [128, 128]} and settings["max_ep_len"] == 150
        assert isinstance(thunk, partial) and thunk.func is training.train_with and thunk.args[3] == "td3"
    assert "AverageTestEpRet in the last epochs: 50, 400, 30." in capsys.readouterr().out

    trained.results = [50.0, 200.0]
    assert status_of("1.3", "--use_soln") == 1 and len(trained.ran) == 3, "the first was not good enough"
    assert "That is not good enough: over 300 in one of 10 epochs" in capsys.readouterr().out
    assert status_of("1.3", "--use_soln", "--env", "Hopper-v5") == 0 and trained.ran[-1][0].endswith("_Hopper")
    assert "to pass the exercise, check it without --no_train and --env" in capsys.readouterr().out


def test_wrong_functions_train_only_if_asked(trained):
    assert status_of("3.2") == 1 and not trained.ran
    trained.results = [400.0]
    assert status_of("3.2", "--train") == 1 and len(trained.ran) == 1, "trained, but not right"


def test_the_bars_are_those_of_the_course():
    [ppo] = find_exercise("1.2").trainings
    assert ppo.judge(np.array([0, 0, 510, 490, 510, 490, 501])) and ppo.judge(np.array([0, 0, 0, 1000, 0]))
    assert not ppo.judge(np.array([1000, 499, 499, 499, 499, 499])) and ppo.settings["epochs"] == 20
    cheetah, pendulum = find_exercise("1.3").trainings
    assert cheetah.judge(np.array([301, 0])) and not cheetah.judge(np.array([300, 0]))
    assert pendulum.judge(np.array([150, 0])) and not pendulum.judge(np.array([149, 0]))


# ---- with the students' own code, in processes of their own ----


@pytest.mark.slow
@pytest.mark.parametrize("backend", all_backends())
@pytest.mark.parametrize("number", ["1.2", "3.2"])
def test_a_right_answer_passes_its_training(number, backend, capfd):
    Path("mine.py").write_text(answer(number, backend, {}), encoding="utf-8")
    assert status_of(number, "--file", "mine.py") == 0
    assert f"Exercise {number} is passed." in capfd.readouterr().out


@pytest.mark.slow
def test_without_the_end_no_agent_learns_to_stay_alive(capfd):
    assert status_of("3.2", "--backend", "jax", "--train") == 1
    assert "That is not good enough" in capfd.readouterr().out


@pytest.mark.slow
def test_td3_with_the_solution_of_1_3_learns_both_tasks():
    assert status_of("1.3", "--backend", "jax", "--use_soln") == 0
