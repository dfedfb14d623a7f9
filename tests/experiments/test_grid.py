"""Experiment names, grids, the checks before they start, and the processes they run in."""

import functools
import inspect
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from fractions import Fraction
from pathlib import Path

import gymnasium as gym
import numpy as np
import psutil
import pytest
from gymnasium import spaces
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.envs.registration import EnvSpec
from hypothesis import given
from hypothesis import strategies as st

import spinup
from spinup import user_config
from spinup.backends import import_backend
from spinup.commands.values import parse_value
from spinup.errors import ExperimentFailed, UserError
from spinup.experience.envs import EnvFn
from spinup.experiments import cores, launch, preflight
from spinup.experiments.experiment import Experiment
from spinup.experiments.grid import ExperimentGrid
from spinup.experiments.launch import call_experiment
from spinup.experiments.launchers.process import run_in_process
from spinup.experiments.names import path_safe, setup_logger_kwargs, shorten


def train(env_fn=None, seed=0, gamma=0.9, epochs=1, ac_kwargs=None, clip=0.1, renorm=False, logger_kwargs=None):
    """Stands in for an algorithm: records what it was called with."""
    folder = Path(logger_kwargs["output_dir"])
    folder.mkdir(parents=True)
    (folder / "progress.txt").write_text(json.dumps([seed, gamma, ac_kwargs, repr(env_fn)]))


def other(seed=0, gamma=0.9, logger_kwargs=None):
    train(seed=seed, gamma=gamma, logger_kwargs=logger_kwargs)


def grid_of(name="g", **parameters):
    grid = ExperimentGrid(name)
    for key, values in parameters.items():
        grid.add(key.replace("__", ":"), values)
    return grid


def names(grid):
    return [grid.variant_name(v) for v in grid.variants()]


@pytest.fixture
def started(monkeypatch):
    """Collects the experiments that would run, instead of running them."""
    experiments = []
    monkeypatch.setattr(launch, "run_in_series", lambda es, *_: experiments.extend(es))
    return experiments


# ---- names ----


@pytest.mark.parametrize(
    "value, text",
    [
        (0.1, "0-1"),
        (1e-5, "1e-05"),
        (-3, "-3"),
        (True, "true"),
        (None, "none"),
        ([64, 32], "64-32"),
        ((32,), "32"),
        ("CartPole-v1", "cartpole-v1"),
        ("ALE/Pong v5", "ale-pong-v5"),
        ("naïve", "na-ve"),
        (int, "int"),
        (path_safe, "path_safe"),
        (Fraction.from_float, "fraction-from_float"),
        ([int, [1, 2.5]], "int-1-2-5"),
    ],
)
def test_values_in_names(value, text):
    assert path_safe(value) == text


@pytest.mark.parametrize(
    "key, short",
    [
        ("clip_ratio", "cli"),
        ("ac_kwargs:activation", "ac-act"),
        ("ac_kwargs:hidden_sizes", "ac-hid"),
        ("pi_lr", "pi"),
        ("a:b:c", "a-b-c"),
    ],
)
def test_shorthands(key, short):
    assert shorten(key) == short


def test_names_of_the_documentation():
    class Tanh: ...

    class ReLU: ...

    grid = ExperimentGrid("ppo_ant")
    grid.add("clip_ratio", [0.1, 0.2])
    grid.add("ac_kwargs:hidden_sizes", [[32, 32], [64, 32]], "h")
    grid.add("ac_kwargs:activation", Tanh)
    grid.add("seed", [0, 10, 20])
    assert names(grid)[0] == "ppo_ant_cli0-1_h32-32"

    grid = ExperimentGrid()
    grid.add("ac_kwargs:hidden_sizes", [[300], [128, 128]], "h")
    grid.add("ac_kwargs:activation", [Tanh, ReLU])
    assert names(grid) == [f"h{h}_ac-act{a}" for h in ("300", "128-128") for a in ("tanh", "relu")]


def test_only_what_varies_or_is_forced_is_named():
    grid = ExperimentGrid("g")
    grid.add("gamma", 0.9)
    grid.add("env_name", "CartPole-v1", "", True)
    grid.add("seed", [0, 1], in_name=True)
    assert set(names(grid)) == {"g_cartpole-v1"}


def test_booleans_are_named_only_when_true():
    grid = grid_of(renorm=[False, True])
    grid.add("deep", True, in_name=True)
    assert names(grid) == ["g_dee", "g_ren_dee"]
    grid = ExperimentGrid("g")
    grid.add("deep", [False, True], in_name=True)
    assert names(grid) == ["g_deefalse", "g_dee"]  # as it was asked for
    assert names(grid_of(renorm=[False, 1])) == ["g_renfalse", "g_ren1"]  # not all of them booleans


def test_default_shorthands_can_be_switched_off(monkeypatch):
    monkeypatch.setattr(user_config, "DEFAULT_SHORTHAND", False)
    assert names(grid_of(ac_kwargs__act=[1, 2])) == ["g_ac_kwargs-act1", "g_ac_kwargs-act2"]


scalars = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8))
keys = st.from_regex(r"[a-z_]{1,6}", fullmatch=True).filter(lambda key: key != "seed")


@given(st.dictionaries(keys, st.lists(scalars, min_size=1, max_size=3), max_size=4))
def test_grid_properties(values):
    grid = ExperimentGrid("g")
    for key, vals in {**values, "seed": [0, 1]}.items():
        grid.add(key, vals)
    variants = grid.variants()
    assert repr([tuple(v.values()) for v in variants]) == repr(list(itertools.product(*values.values(), [0, 1])))
    for variant in variants:
        assert re.fullmatch(r"g[a-z0-9_-]*", grid.variant_name(variant))
        assert grid.variant_name(variant | {"seed": 5}) == grid.variant_name(variant)


@given(st.lists(st.integers(), min_size=2, unique=True), st.lists(st.integers(0, 9), min_size=1, unique=True))
def test_different_integers_have_different_names(values, others):
    found = names(grid_of(gamma=values, clip=others))
    assert len(set(found)) == len(values) * len(others)


# ---- grids ----


def test_first_key_varies_slowest():
    assert grid_of(gamma=[1, 2], clip=[3, 4]).variants() == [
        {"gamma": 1, "clip": 3},
        {"gamma": 1, "clip": 4},
        {"gamma": 2, "clip": 3},
        {"gamma": 2, "clip": 4},
    ]


def test_colons_nest():
    assert grid_of(a__b__c=1, a__b__d=2, a__e=3).variants() == [{"a": {"b": {"c": 1, "d": 2}, "e": 3}}]


def test_a_tuple_is_one_value_and_a_list_is_several():
    assert len(grid_of(a=(1, 2)).variants()) == 1
    assert len(grid_of(a=[1, 2]).variants()) == 2


@pytest.mark.parametrize("first, second", [("a", "a"), ("a", "a:b"), ("a:b", "a"), ("a:b:c", "a:b")])
def test_two_parameters_may_not_set_the_same_thing(first, second):
    grid = ExperimentGrid()
    grid.add(first, 1)
    with pytest.raises(UserError, match="set the same thing"):
        grid.add(second, 1)


@pytest.mark.parametrize("key, values", [("", 1), ("a:", 1), (3, 1), ("a", [])])
def test_parameters_need_a_name_and_values(key, values):
    with pytest.raises(UserError):
        ExperimentGrid().add(key, values)


def test_report(capsys):
    grid = grid_of("bench", gamma=[0.9, 0.99], seed=[0, 10, 20])
    grid.add("ac_kwargs:activation", [train, other], "act")
    grid.print()
    report = capsys.readouterr().out
    assert re.search(r"gamma +gam +0.9, 0.99\n", report)
    assert re.search(r"seed +0, 10, 20\n", report)
    assert re.search(r"ac_kwargs:activation +act +\S*train, \S*other\n", report)
    assert "counting seeds:      12\n" in report and "not counting seeds:  4\n" in report


def test_run_hands_over_every_variant(started):
    grid = grid_of(env_name="CartPole-v1", gamma=[0.9, 0.99], seed=[0, 1], ac_kwargs__hidden_sizes=(8,))
    assert grid.run(train, data_dir="d") == [e.output_dir for e in started]
    assert [str(e.output_dir) for e in started] == [
        os.path.join("d", f"g_gam{g}", f"g_gam{g}_s{s}") for g in ("0-9", "0-99") for s in (0, 1)
    ]
    assert repr(started[0].kwargs["env_fn"]) == "EnvFn('CartPole-v1', {})"
    assert started[0].kwargs["ac_kwargs"] == {"hidden_sizes": (8,)}
    grid_of(env_fn=["CartPole-v1", "Acrobot-v1"]).run(train, data_dir="d")
    assert [(e.name, repr(e.kwargs["env_fn"])) for e in started[-2:]] == [
        ("g_envcartpole-v1", "EnvFn('CartPole-v1', {})"),
        ("g_envacrobot-v1", "EnvFn('Acrobot-v1', {})"),
    ]
    with pytest.raises(UserError, match="env_name and env_fn both choose the environment: leave one out"):
        grid_of(env_fn="CartPole-v1", env_name="Acrobot-v1").run(train, data_dir="d")


def test_run_takes_the_name_of_a_parameter_of_functions(started):
    grid_of(algo=[train, other], gamma=0.5).run("algo")
    assert [(e.name, e.thunk) for e in started] == [("g_algtrain", train), ("g_algother", other)]
    assert "algo" not in started[0].kwargs
    for thunk in ("gamma", "nothing"):
        with pytest.raises(UserError, match="neither a function nor"):
            grid_of(gamma=0.5).run(thunk)


# ---- directories ----


def test_where_results_go(monkeypatch):
    monkeypatch.setattr(user_config, "DEFAULT_DATA_DIR", "somewhere")
    assert setup_logger_kwargs("x") == {"output_dir": os.path.join("somewhere", "x"), "exp_name": "x"}
    assert setup_logger_kwargs("x", 3, "d")["output_dir"] == os.path.join("d", "x", "x_s3")


@pytest.mark.parametrize("forced", [True, False])
def test_datestamps(monkeypatch, forced):
    monkeypatch.setattr(user_config, "FORCE_DATESTAMP", forced)
    outer, inner = Path(setup_logger_kwargs("x", 0, "d", datestamp=not forced)["output_dir"]).parts[1:]
    assert re.fullmatch(r"\d\d-\d\d-\d\d_x", outer)
    assert re.fullmatch(r"\d\d-\d\d-\d\d_\d\d-\d\d-\d\d-x_s0", inner)


def test_a_new_date_leads_to_no_old_run(started, monkeypatch):
    monkeypatch.setattr(user_config, "FORCE_DATESTAMP", True)
    with pytest.raises(UserError, match=r"FORCE_DATESTAMP in user_config\.py.*resume PATH"):
        call_experiment("x", spinup.ppo_pytorch, env_name="CartPole-v1", data_dir="d", resume=True)
    assert not started


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "..", "a:b", "n" * 300, None])
def test_names_that_no_directory_can_have(name):
    with pytest.raises(UserError):
        setup_logger_kwargs(name)


# ---- checks before the first experiment starts ----


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"gama": [0.9, 0.99]}, "gamma"),
        ({"env_name": ["CartPole-v1", "CartPole-v7"]}, "CartPole-v1"),
        ({"env_name": "CartPole-v1", "env_kwargs": [{}, {"nothing": 1}]}, "nothing"),
        ({"gamma": [0.5, 0.5]}, "would save to"),
        ({"seed": [3, 3]}, "would save to"),
        ({"ac_kwargs__device": ["a b", "a-b"]}, "would save to"),
    ],
)
def test_every_variant_is_checked_first(started, parameters, message):
    with pytest.raises(UserError, match=re.escape(message)):
        grid_of(**parameters).run(train)
    assert not started and not os.listdir()


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"gamma": [0.9, 1.5]}, "1.5"),
        ({"seed": [0, "x"]}, "'x'"),
        ({"steps_per_epoch": [400, 402]}, "402"),
        ({"ac_kwargs__width": [3, 4]}, "width"),
        ({"env_name": ["CartPole-v1", "CarRacing-v3"]}, "images"),
    ],
)
def test_our_own_algorithms_are_checked_closely(started, parameters, message):
    from spinup import ppo_pytorch

    with pytest.raises(UserError, match=re.escape(message)):
        grid_of(**{"env_name": "CartPole-v1", **parameters}).run(ppo_pytorch)
    assert not started and not os.listdir()


class Multi(gym.Env):
    """Takes actions that no agent of ours can take."""

    observation_space, action_space = spaces.Box(-1, 1, (2,), np.float32), spaces.MultiBinary(3)


@pytest.mark.parametrize(
    ("algorithm", "envs", "message"),
    [
        ("ppo_pytorch", ["CartPole-v1", "Multi-v0"], "MultiBinary(3) is invalid: VPG, TRPO and PPO need"),
        ("trpo_jax", ["Pendulum-v1", "CartPole-v1", "Multi-v0"], "VPG, TRPO and PPO need Discrete actions or"),
        ("dqn_pytorch", ["CartPole-v1", "Pendulum-v1"], "DQN needs Discrete actions, not Box"),
        ("sac_pytorch", ["Pendulum-v1", "CartPole-v1"], "DDPG, TD3 and SAC need continuous actions, not Discrete(2)"),
        ("td3_jax", ["Pendulum-v1", "Multi-v0"], "DDPG, TD3 and SAC squash actions"),
    ],
)
def test_every_environment_has_actions_for_the_algorithm(started, monkeypatch, algorithm, envs, message):
    monkeypatch.setitem(gym.registry, "Multi-v0", EnvSpec("Multi-v0", Multi))
    with pytest.raises(UserError, match=re.escape(message)):
        grid_of(env_name=envs).run(getattr(spinup, algorithm), data_dir="d")
    assert not started and not os.listdir()
    grid_of(env_name=envs[:-1]).run(getattr(spinup, algorithm), data_dir="d")
    assert len(started) == len(envs) - 1


def test_an_agent_of_ones_own_may_act_anywhere(started):
    gym.register("Multi-v0", Multi)
    try:
        settings = dict(env_name="Multi-v0", actor_critic=lambda observation_space, action_space, activation: None)
        grid_of(**settings, ac_kwargs__activation=len, seed=[0, 1]).run(spinup.ppo_pytorch, data_dir="d")
        assert len(started) == 2
    finally:
        gym.registry.pop("Multi-v0")


def test_a_function_that_is_not_ours_does_not_hide_what_ours_cannot_use(started):
    grid = grid_of(algo=[train, spinup.ppo_pytorch], env_name="CarRacing-v3")
    with pytest.raises(UserError, match="images"):
        grid.run("algo")


EVERY_ALGORITHM = [f"{algo}_{backend}" for backend, algos in spinup.ALGORITHMS.items() for algo in algos]


@pytest.mark.parametrize("algorithm", EVERY_ALGORITHM)
def test_every_algorithm_says_what_its_agents_can_act_in(algorithm):
    made_by = inspect.signature(getattr(spinup, algorithm)).parameters["actor_critic"].default
    agent = getattr(made_by, "__self__", made_by)  # in JAX, a method of its class makes an agent
    assert inspect.isclass(agent)
    for space in (spaces.Discrete(2), spaces.Box(-1, 1, (2,)), spaces.Box(-np.inf, np.inf, (2,)), Multi.action_space):
        make = functools.partial(made_by, spaces.Box(-1, 1, (3,)), space)
        try:
            agent.check_action_space(space)
        except UserError as error:
            with pytest.raises(UserError, match=re.escape(str(error))):
                make()
        else:
            make()


@pytest.mark.parametrize(
    ("algorithm", "activations", "message"),
    [
        ("ppo_pytorch", ["torch.nn.Tanh", "torch.nn.functional.relu"], "expected a class of layers such as torch.nn"),
        ("sac_jax", ["jax.nn.relu", "torch.nn.Tanh"], "expected a function of jax.nn, such as jax.nn.tanh"),
        ("sac_jax", ["jax.nn.relu", "jax.nn.glu"], "expected a function of jax.nn, such as jax.nn.tanh"),
    ],
)
def test_every_activation_is_tried_once(started, monkeypatch, algorithm, activations, message):
    function = getattr(spinup, algorithm)
    grid = grid_of(env_name="Pendulum-v1", ac_kwargs__activation=[*map(parse_value, activations)], seed=[0, 1])
    with pytest.raises(UserError, match=message):
        grid.run(function)
    assert not started and not os.listdir()
    backend, tried = import_backend(algorithm.split("_")[1], "backend"), []
    monkeypatch.setattr(backend, "check_activation", tried.append)
    grid.run(function)
    assert tried == [*map(parse_value, activations)]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo_pytorch", "ppo_jax"])
@pytest.mark.parametrize("how", [{}, {"jobs": 2}])
def test_every_device_is_tried_before_a_grid_starts(started, capfd, algorithm, how):
    grid = grid_of(env_name="CartPole-v1", device=["cpu", "cuda:77"], seed=[0, 1])
    with pytest.raises(ExperimentFailed, match="device='cuda:77' cannot be used here") as raised:
        grid.run(getattr(spinup, algorithm), data_dir="d", **how)
    told = "error: device='cuda:77' is not available here: use 'cpu', or 'auto' for what there is.\n"
    assert (raised.value.status, *capfd.readouterr()) == (2, "", told)
    assert not started and not os.listdir()


def test_devices_are_not_tried_in_vain(started, monkeypatch):
    tried = []
    monkeypatch.setattr(preflight, "run_in_process", lambda experiment: tried.append(experiment.kwargs["device"]))
    monkeypatch.setattr(launch, "run_on_ray", lambda *_: None)
    monkeypatch.setattr(launch.Cluster, "check", lambda _: None)
    grid_of(env_name="CartPole-v1", device=["cpu", "auto"]).run(spinup.ppo_pytorch, data_dir="d")
    call_experiment("x", spinup.ppo_pytorch, env_name="CartPole-v1", device="cuda", data_dir="d")
    grid = grid_of(env_name="CartPole-v1", device=["cuda", "cpu"], seed=[0, 1, 2])
    grid.run(spinup.ppo_pytorch, data_dir="d", launcher="ray")
    assert tried == []
    grid.run(spinup.ppo_pytorch, data_dir="d")
    assert tried == ["cuda"]


def test_what_the_function_needs_is_given(started):
    def needy(env_fn, width, seed=0, logger_kwargs=None): ...

    with pytest.raises(UserError, match="needs env_name"):
        grid_of(width=3).run(needy)
    with pytest.raises(UserError, match="needs width"):
        grid_of(env_name="CartPole-v1").run(needy)


@pytest.mark.parametrize(
    "entry_point",
    [
        type("OfTheScript", (CartPoleEnv,), {"__module__": "__main__"}),
        "gymnasium.envs.classic_control:CartPoleEnv",
        "toy_envs:Counter",  # a module that registers nothing
    ],
)
def test_an_environment_of_the_running_script_is_told_before_the_first_experiment(entry_point, started, monkeypatch):
    monkeypatch.setitem(gym.registry, "Script-v0", EnvSpec("Script-v0", entry_point))
    for grid in (grid_of(env_name="Script-v0", seed=[0, 1]), grid_of(env_fn=EnvFn("Script-v0"))):
        with pytest.raises(
            UserError, match=r"'Script-v0' is registered only in the running script.* module:Script-v0\."
        ):
            grid.run(spinup.ppo_pytorch, data_dir="d")
    assert not started and not os.listdir()


def test_what_cannot_be_pickled_is_told_before_the_first_experiment(started):
    lock = threading.Lock()
    for what in ("env_fn", "actor_critic"):
        with pytest.raises(UserError, match=rf"^{what}=<function .* cannot be passed .*cannot pickle '_thread.lock'"):
            grid_of(**{what: lambda *args: lock, "seed": [0, 1]}).run(lambda seed, logger_kwargs, **kwargs: None)
    with pytest.raises(UserError, match=r"^thunk=<function .* cannot be passed to the process of an experiment"):
        call_experiment("x", lambda seed, logger_kwargs: lock)
    assert not started and not os.listdir()


def test_a_run_is_not_written_over(started):
    run = Path("d", "x", "x_s1")
    run.mkdir(parents=True)
    (run / "progress.txt").touch()
    with pytest.raises(UserError, match=r"overwrite=True to replace it, datestamp=True .* exp_name or data_dir"):
        grid_of("x", seed=[0, 1]).run(train, data_dir="d")
    assert not started
    grid_of("x", seed=[0, 1]).run(train, data_dir="d", overwrite=True)
    assert started[1].kwargs["logger_kwargs"]["overwrite"] is True
    grid_of("x", seed=[0, 1]).run(train, data_dir="d", datestamp=True)
    assert len(started) == 4


@pytest.mark.parametrize("how", [{"overwrite": True}, {"logger_kwargs": {"overwrite": True}}])
def test_a_run_is_either_replaced_or_resumed(started, how):
    with pytest.raises(UserError, match="overwrite and resume contradict each other"):
        call_experiment("x", spinup.ppo_pytorch, env_name="CartPole-v1", data_dir="d", resume=True, **how)
    assert not started and not os.listdir()


def test_a_file_is_no_place_for_results():
    Path("taken").touch()
    with pytest.raises(UserError, match="not a directory"):
        call_experiment("x", train, data_dir="taken")


@pytest.mark.parametrize("num_cpu", [0, -1, 1.5, True, "many", None])
def test_num_cpu_is_a_count_or_auto(num_cpu):
    with pytest.raises(UserError, match="expected an integer >= 1, or 'auto'"):
        cores.check_num_cpu(num_cpu)


def test_num_cpu_auto_is_the_number_of_physical_cores(monkeypatch):
    monkeypatch.setattr(cores, "physical_cores", lambda: 3)
    assert cores.check_num_cpu("auto") == 3
    assert cores.check_num_cpu(1) == 1


def test_experiments_know_the_number_of_their_processes(started):
    grid_of(gamma=[0.5, 0.6]).run(train, num_cpu=2)
    assert [e.num_cpu for e in started] == [2, 2]
    call_experiment("x", train)
    assert started[-1].num_cpu == 1


# ---- processes ----


def test_an_experiment_runs_in_a_process_of_its_own(capfd, tmp_path):
    run = call_experiment("my exp", train, seed=3, data_dir=tmp_path, env_name="CartPole-v1", gamma=0.5)
    assert run == tmp_path / "my exp" / "my exp_s3"
    assert json.loads((run / "progress.txt").read_text()) == [3, 0.5, None, "EnvFn('CartPole-v1', {})"]
    shown = capfd.readouterr().out
    assert "gamma: 0.5" in shown and 'env_name: "CartPole-v1"' in shown
    quoted = f"'{run}'" if os.name != "nt" else f'"{run}"'
    assert f"  spinup plot {quoted}\n" in shown
    assert f"  spinup test_policy {quoted}\n" in shown


def is_from_jax(activation):
    import jax

    sys.exit(0 if activation is jax.nn.elu else 3)


@pytest.mark.slow
def test_a_function_of_jax_arrives_as_itself():
    jax = pytest.importorskip("jax")
    assert run_in_process(Experiment("x", is_from_jax, {"activation": jax.nn.elu}, {})) == 0
    assert run_in_process(Experiment("x", is_from_jax, {"activation": jax.nn.relu}, {})) == 3


SCRIPT = """
    import os, signal, sys
    from helper import act                      # a module beside the script
    from spinup.experiments.grid import ExperimentGrid

    def train(seed=0, how=None, logger_kwargs=None):   # lives in __main__, so it travels by value
        print("parent", os.getppid(), "child", os.getpid(), flush=True)
        act(how)

    if __name__ == "__main__":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        grid = ExperimentGrid("x")
        grid.add("seed", [0, 1, 2])
        grid.add("how", sys.argv[1])
        print("me", os.getpid())
        grid.run(train)
"""
HELPER = """
    import sys, time
    from spinup.errors import ExperimentFailed, UserError

    def act(how):
        if how == "crash":
            raise RuntimeError("boom")
        if how == "mistake":
            raise UserError("you erred")
        if how == "wait":
            print("waiting", flush=True)
            time.sleep(60)
"""


def start_script(folder, how):
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    (folder / "helper.py").write_text(textwrap.dedent(HELPER))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return subprocess.Popen(
        [sys.executable, folder / "script.py", how],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(Path(user_config.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_script_with_its_own_function(tmp_path):
    process = start_script(tmp_path, "well")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    me = re.search(r"me (\d+)", out)[1]
    assert out.count(f"parent {me} ") == 3


def test_a_crash_shows_its_traceback_and_ends_the_grid(tmp_path):
    process = start_script(tmp_path, "crash")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.count("RuntimeError: boom\n") == 1 and "SystemExit" not in err
    assert err.endswith("ExperimentFailed: experiment x_s0 failed (its error is above); 2 more did not start.\n")
    assert out.count("parent") == 1


def test_a_mistake_found_by_the_algorithm_is_one_line(tmp_path):
    process = start_script(tmp_path, "mistake")
    _, err = process.communicate(timeout=60)
    assert err.startswith("error: you erred\nTraceback ")
    assert err.endswith("ExperimentFailed: experiment x_s0 failed (its error is above); 2 more did not start.\n")


def read_until_waiting(process):
    """Returns the id of the child, once it waits."""
    lines = iter(process.stdout.readline, "waiting\n")
    return int(re.search(r"child (\d+)", "".join(lines))[1])


@pytest.mark.skipif(os.name == "nt", reason="process groups are told apart in another way there")
def test_ctrl_c_ends_everything(tmp_path):
    process = start_script(tmp_path, "wait")
    child = read_until_waiting(process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and err.count("Traceback") == 1
    assert err.endswith("KeyboardInterrupt: Interrupted: 0 done, 1 stopped, 2 not started.\n")
    assert not psutil.pid_exists(child)


@pytest.mark.skipif(os.name == "nt", reason="there SIGTERM cannot be caught")
def test_an_experiment_ends_with_the_process_that_started_it(tmp_path):
    process = start_script(tmp_path, "wait")
    child = read_until_waiting(process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert not psutil.pid_exists(child)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    call_experiment("x", train, data_dir=tmp_path)
    assert not os.listdir(tmp_path / "temporary")
