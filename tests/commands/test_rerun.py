"""From a run directory back to its call: ``resume PATH...`` and ``rerun PATH/config.json``, as a user types them."""

import inspect
import json
import re
from pathlib import Path

import jax
import pytest
import torch

import spinup
from spinup import run
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.records.config import read_call
from spinup.records.directory import is_finished

SMALL = dict(steps_per_epoch=20, num_envs=2, epochs=1, train_pi_iters=1, train_v_iters=1)
NETWORKS = {
    "pytorch": dict(hidden_sizes=[4], activation=torch.nn.ELU),
    "jax": dict(hidden_sizes=[4], activation=jax.nn.elu),
}
AGENT = """
from spinup.algos.pytorch.core import MLPActorCritic

class Mine(MLPActorCritic):
    pass
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def type_(command):
    run.main(command.split())


def fails(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        type_(command)
    (line,) = capsys.readouterr().err.splitlines()
    assert exit_.value.code == 2 and line.startswith("error: ")
    return line


def train(folder="d/first/first_s0", backend="pytorch", env_fn=None, **kwargs):
    """A run as the command line leaves it."""
    kwargs = SMALL | dict(logger_kwargs=dict(output_dir=folder, exp_name="first")) | kwargs
    getattr(spinup, f"ppo_{backend}")(env_fn or EnvFn("CartPole-v1"), **kwargs)


# ---- what a directory says ----


@pytest.mark.parametrize("backend", NETWORKS)
def test_classes_and_functions_come_back_by_their_names(backend):
    train("run", backend, ac_kwargs=NETWORKS[backend], gamma=0.9, seed=3)
    function, kwargs, env = read_call(Path("run"))
    assert function is getattr(spinup, f"ppo_{backend}")
    assert kwargs["ac_kwargs"] == NETWORKS[backend]
    assert kwargs["actor_critic"] == inspect.signature(function).parameters["actor_critic"].default
    assert (kwargs["gamma"], kwargs["seed"], kwargs["epochs"]) == (0.9, 3, 1)
    assert env == {"env_name": "CartPole-v1"}


def test_the_arguments_of_an_environment_come_back():
    train("run", env_fn=EnvFn("CartPole-v1", {"sutton_barto_reward": True, "max_episode_steps": 9}))
    _, _, env = read_call(Path("run"))
    assert env["env_name"] == "CartPole-v1"
    assert env["env_kwargs"] == {"sutton_barto_reward": True, "max_episode_steps": 9}


def test_code_from_elsewhere_needs_trust():
    Path("mine_ac.py").write_text(AGENT)
    import mine_ac

    train("run", actor_critic=mine_ac.Mine)
    with pytest.raises(UserError, match=r"'mine_ac.Mine' is not one of spinup's agents and could .*: add trust=True"):
        read_call(Path("run"))
    assert read_call(Path("run"), trust=True)[1]["actor_critic"] is mine_ac.Mine


@pytest.mark.parametrize(
    "change, told",
    [
        ("not json", "cannot be read as a configuration"),
        ("[]", "cannot be read as a configuration .no JSON object"),
        ({"algorithm": None}, "does not name its algorithm"),
        ({"algorithm": "spinup.algos.pytorch.ppo.ppp"}, "'spinup.algos.pytorch.ppo.ppp' cannot be imported"),
        ({"actor_critic": "__main__.Mine"}, "'__main__.Mine' cannot be imported by name"),
    ],
)
def test_what_cannot_be_made_again(change, told):
    train("run")
    config = Path("run/config.json")
    text = change if isinstance(change, str) else json.dumps(json.loads(config.read_text()) | change)
    config.write_text(text)
    with pytest.raises(UserError, match=told):
        read_call(Path("run"), trust=True)


# ---- resume ----


def test_every_unfinished_run_below_a_folder_is_resumed(started, capsys):
    for seed in (0, 1):
        train(f"d/first/first_s{seed}", seed=seed, epochs=2)
    Path("d/first/first_s1/checkpoint/epoch000001.npz").unlink()
    for name, text in {"custom": '{"epochs": 3}', "damaged": "{"}.items():  # as the example train_digits leaves one
        Path("d", name).mkdir()
        Path("d", name, "config.json").write_text(text)
    type_("resume d")
    (experiment,) = started
    skipped = re.findall(r"^skipped: '(.+?)' (.{17})", capsys.readouterr().out, re.MULTILINE)
    assert skipped == [
        (str(Path("d/custom/config.json")), "does not name its"),
        (str(Path("d/damaged/config.json")), "cannot be read as"),
    ]
    assert experiment.kwargs["resume"] is True and experiment.kwargs["seed"] == 1
    assert experiment.output_dir == Path("d/first/first_s1")


@pytest.mark.slow
def test_resume_as_typed(capfd):
    train(epochs=2)
    before = Path("d/first/first_s0/progress.txt").read_text()
    type_("resume d/first/first_s0")
    assert "has finished already" in capfd.readouterr().out
    type_("resume d/first/first_s0 --epochs 3")
    after = Path("d/first/first_s0/progress.txt").read_text()
    assert after.startswith(before) and len(after.splitlines()) == 4
    assert (
        is_finished("d/first/first_s0") and json.loads(Path("d/first/first_s0/config.json").read_text())["epochs"] == 3
    )


def test_the_same_command_with_resume_goes_on(started):
    train(epochs=2)
    command = "ppo --env CartPole-v1 --steps_per_epoch 20 --num_envs 2 --epochs 2 --train_pi_iters 1 --train_v_iters 1"
    type_(f"{command} --exp_name first --data_dir d --resume --seed 0 1")
    assert [experiment.is_finished for experiment in started] == [True, False]


@pytest.mark.parametrize(
    "command, told",
    [
        ("ppo --env CartPole-v1 --gamma 0.5", "was trained with gamma=0.99 and cannot be resumed with 0.5"),
        (
            "ppo --env CartPole-v1 --hid [4]",
            "was trained with ac_kwargs=None and cannot be resumed with {'hid",
        ),
        ("ppo --env Acrobot-v1", "was trained in CartPole-v1 .* and cannot be resumed in Acrobot-v1"),
        (
            "vpg --env CartPole-v1",
            "was trained with algorithm='spinup.algos.pytorch.ppo.ppo' and cannot be resumed",
        ),
        ("ppo --env CartPole-v1 --epochs 1", "has been trained for 2 epochs and cannot be resumed with epochs=1"),
    ],
)
def test_what_another_command_finished_is_not_skipped(command, told, started, capsys):
    train(epochs=2)
    same = "--steps_per_epoch 20 --num_envs 2 --train_v_iters 1 --exp_name first --data_dir d --seed 1 0 --resume"
    same += "" if command.startswith("vpg") else " --train_pi_iters 1"
    same += "" if "--epochs" in command else " --epochs 2"
    assert re.search(told, fails(f"{command} {same}", capsys)) and started == []


@pytest.mark.parametrize(
    "command, told",
    [
        ("resume nowhere", "'nowhere' does not exist"),
        ("resume .", "'.' holds no run"),
        ("resume", "PATH"),
        ("resume d --epochs 0", "expected an integer >= 1"),
        ("resume d --epochs many", "invalid int value: 'many'"),
        ("resume d --epoch 3", "Did you mean '--epochs'"),
        ("rerun", "rerun needs a file first"),
        ("rerun --seed 3", "rerun needs a file first"),
        ("rerun nowhere/config.json", "cannot be read as a configuration"),
    ],
)
def test_mistakes(command, told, capsys):
    assert told in fails(command, capsys)


# ---- rerun ----


def test_rerun_changes_what_is_given_and_keeps_the_rest(started):
    train(ac_kwargs=NETWORKS["pytorch"], gamma=0.9)
    type_("rerun d/first/first_s0/config.json --seed 1 2 --epochs 5 --hid [8,8]")
    name = "first_ac-hid8-8"
    assert [experiment.output_dir for experiment in started] == [
        Path(f"d/{name}/{name}_s{s}").resolve() for s in (1, 2)
    ]
    for experiment in started:
        assert experiment.kwargs["ac_kwargs"] == dict(hidden_sizes=[8, 8], activation=torch.nn.ELU)
        assert (experiment.kwargs["gamma"], experiment.kwargs["epochs"]) == (0.9, 5)
        assert repr(experiment.kwargs["env_fn"]) == repr(EnvFn("CartPole-v1"))


@pytest.mark.parametrize(
    "flags, name",
    [
        ("--seed 1 --epochs 5 --save_freq 2 --snapshots", "first_s1"),
        ("--seed 1 --jobs 1 --retries 1 --gamma 0.99 --hid [4]", "first_s1"),
        ("--seed 1 --gamma 0.5", "first_gam0-5_s1"),
        ("--gamma[g] 0.99 0.5 --seed 1", "first_g0-99_s1 first_g0-5_s1"),
        ("--hid[h] [8] --env Acrobot-v1", "first_h8_envacrobot-v1_s0"),
        ("--gamma 0.5 --exp_name other", "other_s0"),
    ],
)
def test_another_experiment_gets_another_name(flags, name, started, monkeypatch):
    monkeypatch.setattr("spinup.experiments.launch.run_in_parallel", lambda es, *_: started.extend(es))
    train(ac_kwargs=NETWORKS["pytorch"])
    type_(f"rerun d/first/first_s0/config.json {flags}")
    assert [experiment.output_dir.name for experiment in started] == name.split()
    data = Path("d").resolve()
    assert all(e.output_dir.parent == data / e.output_dir.name.rpartition("_s")[0] for e in started)


def test_a_switch_that_is_turned_off_makes_another_name(started):
    settings = dict(steps_per_epoch=20, num_test_episodes=1, logger_kwargs=dict(output_dir="d/q/q_s0", exp_name="q"))
    spinup.dqn_pytorch(EnvFn("CartPole-v1"), epochs=1, **settings)
    type_("rerun d/q/q_s0 --double_q False")
    assert [experiment.output_dir for experiment in started] == [Path("d/q_doufalse/q_doufalse_s0").resolve()]


@pytest.mark.parametrize(
    "logger_kwargs, place",
    [
        (dict(output_dir="d/script"), "d/script-rerun/script-rerun_s0"),
        (dict(output_dir="d/script", exp_name="script"), "d/script-rerun/script-rerun_s0"),
        (dict(output_dir="d/script", exp_name="other"), "d/other/other_s0"),
        (dict(output_dir="d/script/script"), "d/script/script_s0"),
        (dict(output_dir="d/26-01-31_x/26-01-31_12-00-00-x_s0", exp_name="x"), "d/x/x_s0"),
    ],
)
def test_a_run_in_any_directory_is_run_again_beside_it(logger_kwargs, place, started):
    train(logger_kwargs=logger_kwargs)
    type_(f"rerun {logger_kwargs['output_dir']}")
    assert [experiment.output_dir for experiment in started] == [Path(place).resolve()]


def test_rerun_in_another_environment_under_another_name(started):
    train()
    type_("rerun d/first/first_s0 --env Acrobot-v1 --exp_name other --data_dir e")
    (experiment,) = started
    assert experiment.output_dir == Path("e/other/other_s0") and "Acrobot" in repr(experiment.kwargs["env_fn"])


def test_rerun_does_not_write_over_its_model(started, capsys):
    train()
    assert "already holds a run" in fails("rerun d/first/first_s0/config.json", capsys)
    assert "Did you mean '--gamma'" in fails("rerun d/first/first_s0/config.json --gama 1", capsys)
    assert started == []
