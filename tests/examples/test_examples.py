"""The examples run what they say."""

import ast
import difflib
import importlib
import json
import re
import runpy
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import torch

import spinup.examples
from spinup.errors import UserError

HOME = Path(spinup.examples.__file__).parent
BACKENDS = ("pytorch", "jax")
LESSONS = ("1_simple_pg", "2_rtg_pg", "3_baseline_pg")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_lesson = pytest.mark.parametrize("lesson", LESSONS)


def example(backend, name):
    return importlib.import_module(f"spinup.examples.{backend}.{name}")


# ---- the grid of PPO ----

ACTIVATIONS = {"pytorch": [torch.nn.Tanh, torch.nn.ReLU], "jax": [jax.nn.tanh, jax.nn.relu]}


@every_backend
def test_the_benchmark_runs_its_grid(backend, started):
    example(backend, "bench_ppo_cartpole").main(["--num_runs", "2", "--data_dir", "results"])
    kwargs = [experiment.kwargs for experiment in started]
    nets = [(k["ac_kwargs"]["hidden_sizes"], k["ac_kwargs"]["activation"], k["seed"]) for k in kwargs]
    grid = [(h, a, s) for h in [(32,), (64, 64)] for a in ACTIVATIONS[backend] for s in (0, 10)]
    assert sorted(nets, key=str) == sorted(grid, key=str)
    assert {(k["epochs"], k["steps_per_epoch"]) for k in kwargs} == {(10, 4000)}
    assert {experiment.thunk for experiment in started} == {getattr(spinup, f"ppo_{backend}")}


def test_the_benchmark_goes_on_or_starts_anew_where_it_was_run_before(started):
    def start(*flags):
        started.clear()
        example("pytorch", "bench_ppo_cartpole").main(["--num_runs", "1", "--data_dir", "results", *flags])
        return started

    for experiment in start():
        directory = Path(experiment.kwargs["logger_kwargs"]["output_dir"])
        directory.mkdir(parents=True)
        (directory / "progress.txt").write_text("")
    with pytest.raises(UserError, match="already holds a run: add resume=True to continue it, overwrite=True"):
        start()
    assert len(start("--overwrite")) == 4
    assert [experiment.kwargs["resume"] for experiment in start("--resume")] == [True] * 4


# ---- the logger outside reinforcement learning ----


COLUMNS = ["AverageAcc", "StdAcc", "MaxAcc", "MinAcc", "Loss"]


@every_backend
def test_the_digits_are_learned_logged_and_saved(backend):
    pytest.importorskip("sklearn")
    digits = example(backend, "train_digits")
    net = digits.train_digits(60, epochs=2, logger_kwargs=dict(output_dir="digits", exp_name="digits"))
    _, (x, y) = digits.load_digits()
    assert x.shape == (360, 64) and digits.accuracy(net, x, y) > 0.7  # 0.1 by chance

    header, *rows = Path("digits/progress.txt").read_text().splitlines()
    assert header == "\t".join(["Epoch", *COLUMNS, "TestAcc", "TotalGradientSteps", "Time"])
    assert [row.split()[-2] for row in rows] == ["60", "120"]
    assert float(rows[1].split()[6]) == pytest.approx(float(digits.accuracy(net, x, y)))
    assert json.loads(Path("digits/config.json").read_text())["hidden_size"] == 64
    saved = importlib.import_module(f"spinup.algos.{backend}.backend").from_file(next(Path("digits").glob("*_save/*")))
    np.testing.assert_array_equal(*(n(x).detach() if backend == "pytorch" else n(x) for n in (saved, net)))


@every_backend
def test_the_digits_say_what_they_need(backend, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UserError, match=r'scikit-learn: run pip install "spinningup\[examples\]"'):
        example(backend, "train_digits").load_digits()


# ---- the simplest policy gradients ----


def source(backend, lesson):
    return (HOME / backend / "pg_math" / f"{lesson}.py").read_text(encoding="utf-8")


def functions(backend, lesson):
    return [node.name for node in ast.parse(source(backend, lesson)).body if isinstance(node, ast.FunctionDef)]


def body(backend, lesson):
    """The lines below the docstring of the file."""
    return source(backend, lesson).split('"""', 2)[2].splitlines()


@every_backend
def test_from_lesson_1_to_2_one_function_is_new_and_two_lines_change(backend):
    diff = list(difflib.unified_diff(body(backend, "1_simple_pg"), body(backend, "2_rtg_pg"), n=0, lineterm=""))[2:]
    removed, added = ([line[1:] for line in diff if line[0] == sign] for sign in "-+")
    assert [re.sub("#.*", "#", line).strip() for line in removed] == ["#", "batch_weights += [ep_ret] * ep_len"]
    function = ast.get_source_segment(
        source(backend, "2_rtg_pg"),
        next(n for n in ast.parse(source(backend, "2_rtg_pg")).body if getattr(n, "name", "") == "reward_to_go"),
    )
    others = [line.strip() for line in added if line and line not in function.splitlines()]
    assert [re.sub("#.*", "#", line) for line in others] == ["#", "batch_weights += reward_to_go(ep_rews)"]


@every_lesson
def test_the_lessons_have_the_same_functions_in_every_backend(lesson):
    lists = [[name for name in functions(b, lesson) if name not in ("init_mlp", "minimize", "pad")] for b in BACKENDS]
    assert lists[0] == lists[1]
    assert {"get_policy", "get_action", "compute_loss", "train_one_epoch"} < set(lists[0])
    assert ("reward_to_go" in lists[0]) == (lesson != "1_simple_pg")


@every_backend
@every_lesson
def test_the_lessons_import_nothing_of_ours(backend, lesson):
    assert not re.search(r"^\s*(from|import) spinup", source(backend, lesson), re.MULTILINE)


@every_backend
def test_reward_to_go(backend):
    reward_to_go = example(backend, "pg_math.2_rtg_pg").reward_to_go
    assert reward_to_go([1, 2, 0.5]) == [3.5, 2.5, 0.5]
    assert reward_to_go([np.int8(100)] * 2) == [200, 100]  # an array of their own type would overflow


@every_backend
@every_lesson
def test_the_lessons_run(backend, lesson, capsys):
    example(backend, f"pg_math.{lesson}").train(epochs=2, batch_size=30)
    assert re.fullmatch(r"(epoch +\d+ +loss +[-.\d]+ +return +[.\d]+ +ep_len +[.\d]+\n){2}", capsys.readouterr().out)


@every_backend
def test_a_misspelt_environment_gets_a_sentence(backend, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["1_simple_pg.py", "--env_name", "CartPol-v1"])
    with pytest.raises(SystemExit, match="Did you mean: `CartPole`"):
        runpy.run_path(HOME / backend / "pg_math" / "1_simple_pg.py", run_name="__main__")
    with pytest.raises(SystemExit, match="Pendulum-v1 is out of reach here"):
        example(backend, "pg_math.1_simple_pg").train("Pendulum-v1")


@pytest.mark.slow
@every_backend
@every_lesson
def test_the_lessons_learn_to_balance(backend, lesson, capsys):
    example(backend, f"pg_math.{lesson}").train(epochs=40, batch_size=1000)
    returns = [float(ret) for ret in re.findall(r"return +([.\d]+)", capsys.readouterr().out)]
    assert returns[0] < 40 and max(returns) > 80, returns
