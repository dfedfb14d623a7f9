"""Bad input is reported in one sentence that names the value, what was expected, and what to do."""

import re
from fractions import Fraction
from functools import partial

import gymnasium as gym
import jax
import numpy as np
import pytest
import torch

import spinup
from spinup.algos.jax.core import MLPActorCritic
from spinup.commands.arguments import exit_on_user_error
from spinup.errors import UserError, did_you_mean, first_line
from spinup.hyperparameters import AC_RULES, RULES, check_hyperparameters, check_keywords, with_defaults

NAN, INF = float("nan"), float("inf")
NO_NUMBER = ["1", None, True, [1], NAN, 1j]
NO_INTEGER = [*NO_NUMBER, 1.0, 2.5, INF]

# what is expected -> keys, values that will do, values that will not
TABLE = {
    "an integer >= 1": (
        "steps_per_epoch epochs replay_size batch_size update_every policy_delay num_test_episodes "
        "cg_iters backtrack_iters save_freq num_envs",
        [1, 10**9, np.int64(3)],
        [0, -1, *NO_INTEGER],
    ),
    "an integer >= 1, or None": ("threads", [None, 1, np.int64(3)], [0, -1, "1", True, 1.0, NAN]),
    "an integer >= 1, or None for no limit": (
        "max_ep_len",
        [None, INF, 1, np.int64(3)],
        [0, -1, -INF, 2.5, NAN, "inf", True],
    ),
    "an integer >= 0": (
        "train_pi_iters train_v_iters start_steps update_after epsilon_steps",
        [0, 1, np.int32(3)],
        [-1, *NO_INTEGER],
    ),
    "an integer from 0 to 4294967295": ("seed", [0, 2**32 - 1], [-1, 2**32, *NO_INTEGER]),
    "a number from 0 to 1": (
        "gamma lam polyak epsilon epsilon_start",
        [0, 1, 0.99, np.float32(0.5), Fraction(1, 2)],
        [-0.01, 1.01, INF, *NO_NUMBER],
    ),
    "a number between 0 and 1": (
        "clip_ratio backtrack_coeff",
        [0.001, 0.8, np.float64(0.5)],
        [0, 1, 0.0, 1.0, -0.5, INF, *NO_NUMBER],
    ),
    "a finite number > 0": ("pi_lr vf_lr q_lr lr delta", [1e-10, 1, 10**400], [0, -1e-3, INF, -INF, *NO_NUMBER]),
    "a finite number > 0, or None": ("target_kl", [None, 0.01], [0, -1, INF, "None", True, NAN]),
    "a finite number >= 0": (
        "act_noise target_noise noise_clip damping_coeff",
        [0, 0.0, 0.1, 3],
        [-1e-9, INF, *NO_NUMBER],
    ),
    "a finite number >= 0, or 'auto'": ("alpha", ["auto", 0, 0.2], [-0.1, INF, "Auto", "0.2", None, True, NAN]),
    "a finite number, or None": ("target_entropy", [None, -6, 0, 2.5], [INF, -INF, NAN, "auto", True]),
    "True or False": ("double_q norm_obs norm_reward resume snapshots", [True, False], [0, 1, "True", None]),
    "'huber' or 'squared'": ("loss", ["huber", "squared"], ["mse", None, 1, ["huber"]]),
    "'trpo' or 'npg'": ("algo", ["trpo", "npg"], ["ppo", None, 1, "TRPO"]),
    "a dict, or None": ("ac_kwargs logger_kwargs", [None, {}], [3, "x", [("a", 1)], False]),
    "a class of agents or a function that builds one, not an agent itself": (
        "actor_critic",
        [lambda obs, act: None, torch.nn.Linear, partial(torch.nn.Linear, bias=False)],
        [3, "MLPActorCritic"],
    ),
    "a function that returns a new environment, or a name such as 'CartPole-v1'": (
        "env_fn",
        [lambda: None, "CartPole-v1"],
        [None, 3, gym.make("CartPole-v1")],
    ),
    "a device such as 'cpu', 'cuda' or 'auto'": ("device", ["cpu", torch.device("cpu")], [0, None, ["cpu"]]),
}
AC_TABLE = {
    "a list of layer widths such as [64,64]": (
        "hidden_sizes",
        [[64, 32], (64,), [], [np.int64(8)]],
        [64, "64,64", [0], [-1], [64.0], [True], ["64"], None, [[64]]],
    ),
    "an activation such as torch.nn.Tanh": ("activation", [torch.nn.Tanh, lambda: None], ["Tanh", None, 3]),
}


def cases(table):
    return [
        pytest.param(key, expected, good, bad, id=key)
        for expected, (keys, good, bad) in table.items()
        for key in keys.split()
    ]


@pytest.mark.parametrize(("key", "expected", "good", "bad"), cases(TABLE))
def test_every_hyperparameter(key, expected, good, bad):
    for value in good:
        check_hyperparameters({key: value})
    for value in bad:
        with pytest.raises(UserError) as raised:
            check_hyperparameters({key: value})
        assert str(raised.value) == f"{key}={value!r} is invalid: expected {expected}."


@pytest.mark.parametrize(("key", "expected", "good", "bad"), cases(AC_TABLE))
def test_every_argument_of_an_actor_critic(key, expected, good, bad):
    for value in good:
        check_hyperparameters({"ac_kwargs": {key: value}})
    for value in bad:
        with pytest.raises(UserError) as raised:
            check_hyperparameters({"ac_kwargs": {key: value}})
        assert str(raised.value) == f"ac_kwargs:{key}={value!r} is invalid: expected {expected}."


def test_the_tables_above_leave_no_rule_out():
    assert {case.values[0] for case in cases(TABLE)} == set(RULES)
    assert {case.values[0] for case in cases(AC_TABLE)} == set(AC_RULES)


@pytest.mark.parametrize(
    "name", [f"{algo}_{backend}" for backend, algos in spinup.ALGORITHMS.items() for algo in algos]
)
def test_every_parameter_of_every_algorithm_has_a_rule_that_its_default_meets(name):
    config = with_defaults(getattr(spinup, name), {"env_fn": lambda: None})
    assert set(config) <= set(RULES)
    assert check_hyperparameters(config) == config


def test_the_name_of_an_environment_becomes_the_function_that_builds_it():
    assert repr(check_hyperparameters({"env_fn": "CartPole-v1"})["env_fn"]) == "EnvFn('CartPole-v1', {})"


@pytest.mark.parametrize(
    ("device", "name"), [("auto", "auto"), (torch.device("cuda:1"), "cuda:1"), (jax.devices()[0], "cpu")]
)
def test_a_device_is_recorded_by_its_name(device, name):
    assert check_hyperparameters({"device": device}) == {"device": name}


def test_the_configuration_is_copied_and_what_has_no_rule_is_passed_over():
    config = {"gamma": 0.9, "of_my_own": object()}
    checked = check_hyperparameters(config)
    assert checked == config and checked is not config


# ---- numbers that must fit together ----


@pytest.mark.parametrize(
    ("key", "steps", "num_envs", "such_as"),
    [("steps_per_epoch", 10, 4, 12), ("update_every", 50, 3, 51), ("steps_per_epoch", 1, 2, 2)],
)
def test_steps_are_shared_among_environments(key, steps, num_envs, such_as):
    with pytest.raises(UserError) as raised:
        check_hyperparameters({key: steps, "num_envs": num_envs})
    assert str(raised.value) == (
        f"{key}={steps} cannot be divided among num_envs={num_envs} environments: "
        f"choose a multiple of {num_envs} such as {such_as}, or another num_envs."
    )
    check_hyperparameters({key: such_as, "num_envs": num_envs})
    check_hyperparameters({key: steps})


def test_a_value_of_the_wrong_type_is_told_before_anything_is_divided_by_it():
    with pytest.raises(UserError, match="num_envs=0 is invalid"):
        check_hyperparameters({"steps_per_epoch": 4000, "num_envs": 0})


# ---- names ----


def train(env_fn, gamma=0.99, pi_lr=3e-4, *, num_envs=4):
    """Stands for an algorithm."""


class Agent:
    """Stands for an actor-critic."""

    def __init__(self, observation_space, action_space, hidden_sizes=(64, 64)):
        pass


@pytest.mark.parametrize(
    ("function", "key", "told"),
    [
        (train, "gama", "train has no parameter 'gama'. Did you mean 'gamma'?"),
        (train, "num_env", "train has no parameter 'num_env'. Did you mean 'num_envs'?"),
        (train, "qwxyz", "train has no parameter 'qwxyz'. It takes: env_fn, gamma, pi_lr, num_envs."),
        (Agent, "hidden_size", "Agent has no parameter 'hidden_size'. Did you mean 'hidden_sizes'?"),
    ],
)
def test_unknown_keywords(function, key, told):
    with pytest.raises(UserError) as raised:
        check_keywords(function, ["env_fn" if function is train else "action_space", key])
    assert str(raised.value) == told


def test_what_does_not_tell_its_parameters():
    with pytest.raises(
        UserError, match="zeros is invalid: expected a Python function or class with a readable signature"
    ):
        check_keywords(torch.zeros, ["hidden_sizes"])


def test_known_keywords():
    check_keywords(train, ["env_fn", "gamma", "num_envs"])
    check_keywords(train, ["env_name"], also=["env_name"])
    check_keywords(lambda **anything: None, ["whatever"])


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"actor_critic": partial(Agent, hiden_sizes=[8])}, "^Agent has no parameter 'hiden_sizes'. .*'hidden_sizes'"),
        ({"actor_critic": partial(Agent), "ac_kwargs": {"hiden_sizes": [8]}}, "^Agent has no parameter 'hiden_sizes'"),
        ({"actor_critic": partial(Agent, hidden_sizes=[0])}, r"^ac_kwargs:hidden_sizes=\[0\] is invalid"),
        ({"actor_critic": MLPActorCritic, "ac_kwargs": {"hidden_sizes": [8]}}, r"give .*, MLPActorCritic\.create\.$"),
    ],
)
def test_what_builds_an_agent_is_checked(config, told):
    with pytest.raises(UserError, match=told):
        check_hyperparameters(config)
    check_hyperparameters({"actor_critic": partial(Agent, hidden_sizes=[8])})


def test_the_arguments_of_the_actor_critic_given_are_checked():
    check_hyperparameters({"actor_critic": Agent, "ac_kwargs": {"hidden_sizes": [8]}})
    check_hyperparameters({"actor_critic": Agent, "ac_kwargs": None})
    check_hyperparameters({"actor_critic": lambda *spaces, **anything: None, "ac_kwargs": {"width": 3}})
    with pytest.raises(UserError, match="Agent has no parameter 'activation'"):
        check_hyperparameters({"actor_critic": Agent, "ac_kwargs": {"activation": torch.nn.Tanh}})


@pytest.mark.parametrize(
    ("logger_kwargs", "told"),
    [
        ({"outputdir": "run"}, "Logger has no parameter 'outputdir'. Did you mean 'output_dir'"),
        ({"resume": True}, "logger_kwargs:resume is invalid: pass resume=True to the algorithm itself."),
    ],
)
def test_the_arguments_of_the_logger_are_checked_before_anything_is_built(logger_kwargs, told):
    with pytest.raises(UserError, match=re.escape(told)):
        spinup.ppo_pytorch(pytest.fail, logger_kwargs=logger_kwargs)
    check_hyperparameters({"logger_kwargs": {"output_dir": "run", "exp_name": "x", "track": ["wandb"]}})


def test_with_defaults():
    assert with_defaults(train, {"env_fn": 1, "gamma": 0.5}) == {
        "env_fn": 1,
        "gamma": 0.5,
        "pi_lr": 3e-4,
        "num_envs": 4,
    }


# ---- sentences ----


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("pppo", ["ppo", "trpo", "sac"], " Did you mean 'ppo'?"),
        ("aab", ["aaa", "aac", "zzz"], " Did you mean 'aac' or 'aaa'?"),
        ("aab", ["aaa", "aac", "aad", "aae"], " Did you mean 'aae', 'aad' or 'aac'?"),
        ("xyz", ["ppo"], ""),
        ("xyz", [], ""),
    ],
)
def test_did_you_mean(name, known, hint):
    assert did_you_mean(name, known) == hint


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a.\nb"), "a"),
        (ValueError("\n a b \n"), "a b"),
        (ValueError(), "ValueError"),
        (KeyError("k"), "'k'"),
    ],
)
def test_first_line(error, line):
    assert first_line(error) == line


def test_a_user_error_ends_the_program_with_one_line_and_status_2(capsys):
    def main(argv):
        raise UserError(f"{argv[0]!r} is invalid.")

    with pytest.raises(SystemExit) as raised:
        exit_on_user_error(main, ["x"])
    assert raised.value.code == 2
    assert capsys.readouterr() == ("", "error: 'x' is invalid.\n")


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        exit_on_user_error(lambda argv: 1 / 0)
