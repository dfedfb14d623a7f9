"""The form that writes commands, and the table of hyperparameters, say what the training functions take."""

import inspect
import sys
from pathlib import Path

import gymnasium
import pytest

import spinup
from spinup.commands.flags import NOT_FLAGS

sys.path.append(str(Path(spinup.__file__).parents[1] / "docs" / "_ext"))
command_builder = pytest.importorskip("command_builder", reason="the extra docs is not installed")


@pytest.mark.parametrize(("algo", "function"), command_builder.training_functions().items())
def test_every_flag_is_described_and_the_same_in_every_backend(algo, function):
    flags = [name for name in inspect.signature(function).parameters if name not in NOT_FLAGS]
    for backend in spinup.ALGORITHMS:
        found = command_builder.parameters_of(getattr(spinup, f"{algo}_{backend}"))
        assert list(found) == flags
        assert all(description for _, description in found.values())


@pytest.mark.parametrize(("name", "actions"), command_builder.ENVS.items())
def test_the_actions_of_an_environment_are_of_the_kind_it_is_listed_under(name, actions):
    assert type(gymnasium.make(name).action_space) is type(actions)


def test_the_form_knows_which_environments_suit():
    data = command_builder.form_data()
    assert data["dqn"]["unsuited"] == ["Pendulum-v1", "Swimmer-v5", "Hopper-v5", "HalfCheetah-v5"]
    assert data["sac"]["unsuited"] == ["CartPole-v1", "Acrobot-v1", "LunarLander-v3"]
    assert data["ppo"]["unsuited"] == []


def test_the_table_has_a_default_for_each_algorithm():
    table = command_builder.hyperparameter_table()
    assert table[0] == "| parameter | vpg | trpo | ppo | dqn | ddpg | td3 | sac |"
    assert "| `clip_ratio` |  |  | 0.2 |  |  |  |  |" in table
