"""An agent converted to the other backend is the same agent: actions, values, and all that it is made of."""

import shutil
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from spinup import load, ppo_jax, run
from spinup.algos.jax import core as jax_core
from spinup.algos.pytorch import core as torch_core
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.records.agents import save_agent
from spinup.records.recipe import ACTIVATIONS, convert

OBS, DISCRETE = spaces.Box(-1, 1, (3,)), spaces.Discrete(4)
BOX = spaces.Box(np.float32([-1.3, 0]), np.float32([3.1, 0.7]), dtype=np.float32)
AGENTS = [
    pytest.param(name, space, id=f"{name}-{space}")
    for name, space in [
        ("MLPActorCritic", BOX),
        ("MLPActorCritic", spaces.Box(-np.inf, np.inf, (2,))),
        ("MLPActorCritic", DISCRETE),
        ("DQNAgent", DISCRETE),
        ("DDPGActorCritic", BOX),
        ("TD3ActorCritic", BOX),
        ("SACActorCritic", BOX),
    ]
]
IN_FLOAT64 = pytest.param("DDPGActorCritic", spaces.Box(-0.1, 0.3, (2,), np.float64), id="DDPGActorCritic-float64")
OTHER = {"pytorch": "jax", "jax": "pytorch"}
MODEL = {"pytorch": Path("run/pyt_save/model.pt"), "jax": Path("run/jax_save/model.safetensors")}


def make(backend, name, action_space, activation="relu", hidden_sizes=(5, 3)):
    """An agent whose every parameter differs from where it started."""
    if backend == "jax":
        create = getattr(jax_core, name).create
        agent = create(OBS, action_space, hidden_sizes, getattr(jax.nn, activation))
        return jax.tree.map(lambda x: x + np.float32(0.1 * np.random.standard_normal(x.shape)), agent)
    layer = {"relu": nn.ReLU, "tanh": nn.Tanh}.get(activation, activation)
    agent = getattr(torch_core, name)(OBS, action_space, hidden_sizes, layer)
    for p in agent.parameters():
        p.data += 0.1 * torch.randn(p.shape)
    return agent


def save(agent):
    """A run that has saved ``agent`` and nothing else."""
    shutil.rmtree("run", ignore_errors=True)
    Path("run").mkdir()
    Path("run/progress.txt").touch()
    save_agent(Path("run"), "pytorch" if isinstance(agent, nn.Module) else "jax", agent)


def converted(agent):
    """``agent`` saved, converted to the other backend and loaded."""
    save(agent)
    to = "jax" if isinstance(agent, nn.Module) else "pytorch"
    assert convert("run", to) == MODEL[to]
    return load(MODEL[to])


def values(agent, obs, actions):
    """What the critic of ``agent`` says, ``[B]``, ``[2, B]`` or ``[B, number of actions]``."""
    critic = getattr(agent, "v", None) or agent.q
    inputs = (obs, actions) if hasattr(agent, "pi") and not hasattr(agent, "v") else (obs,)
    if isinstance(agent, nn.Module):
        return critic(*map(torch.as_tensor, inputs)).detach().numpy()
    return np.asarray(critic(*inputs))


def leaves(agent):
    return [*agent.state_dict().values()] if isinstance(agent, nn.Module) else jax.tree.leaves(agent)


def refusal(to="jax", **kwargs):
    """The sentence that refuses to convert ``run``, with nothing written."""
    before = {file: file.read_bytes() for file in Path("run").rglob("*") if file.is_file()}
    with pytest.raises(UserError) as raised:
        convert("run", to, **kwargs)
    assert {file: file.read_bytes() for file in Path("run").rglob("*") if file.is_file()} == before
    assert "\n" not in str(raised.value)
    return str(raised.value)


# ---- the same agent ----


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("backend", OTHER)
@pytest.mark.parametrize(("name", "space"), [*AGENTS, IN_FLOAT64])
def test_it_acts_and_judges_alike(name, space, backend, activation):
    torch.manual_seed(0)
    np.random.seed(0)
    agent = make(backend, name, space, activation)
    other = converted(agent)
    assert type(other).__name__ == name and type(other) is not type(agent)
    obs = np.float32(np.random.uniform(-2, 2, (100, 3)))
    actions = agent.act(obs, deterministic=True)
    np.testing.assert_allclose(other.act(obs, deterministic=True), actions, atol=1e-5)
    np.testing.assert_allclose(values(other, obs, actions), values(agent, obs, actions), atol=1e-5)
    sampled = []
    for policy in (agent, other):
        np.random.seed(1)
        sampled.append(policy.act(obs, deterministic=False))
    np.testing.assert_allclose(*sampled, atol=1e-5)


@pytest.mark.parametrize("backend", OTHER)
@pytest.mark.parametrize(("name", "space"), AGENTS)
def test_there_and_back_it_is_the_same_bit_for_bit(name, space, backend):
    agent = make(backend, name, space, "tanh")
    back = converted(converted(agent))
    pairs = list(zip(leaves(back), leaves(agent), strict=True))
    assert pairs and all((np.asarray(x) == np.asarray(y)).all() for x, y in pairs)
    if backend == "jax":
        assert jax.tree.structure(back) == jax.tree.structure(agent), "with the same bounds and activations"
    else:
        assert repr(back) == repr(agent)


@pytest.mark.parametrize("backend", OTHER)
def test_a_network_without_hidden_layers(backend):
    agent, obs = make(backend, "SACActorCritic", BOX, "tanh", []), np.float32([[0.1, -0.2, 0.3]])
    np.testing.assert_allclose(converted(agent).act(obs, True), agent.act(obs, True), atol=1e-5)


# ---- activations ----


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_the_same_function(name):
    function = getattr(jax.nn, name)
    module = converted(make("jax", "DQNAgent", DISCRETE, name))
    assert converted(module).q.activation is function
    x = np.linspace(-30, 30, 6001, dtype=np.float32)
    np.testing.assert_allclose(module.q[1](torch.tensor(x)).numpy(), function(x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nn.GELU, "GELU(approximate='none')"),
        (partial(nn.ELU, alpha=0.5), "ELU(alpha=0.5)"),
        (partial(nn.LeakyReLU, 0.3), "LeakyReLU(negative_slope=0.3)"),
        (nn.PReLU, "PReLU(num_parameters=1)"),
    ],
)
def test_layers_that_jax_has_no_function_for_are_refused(layer, told):
    save(make("pytorch", "SACActorCritic", BOX, layer))
    sentence = refusal()
    assert f"{str(MODEL['pytorch'])!r} cannot be converted: its activation {told} is not the same" in sentence
    assert sentence.endswith(f"expected one of {', '.join(ACTIVATIONS)}.")


def test_functions_that_pytorch_has_no_layer_for_are_refused():
    save(make("jax", "SACActorCritic", BOX, "squareplus"))
    assert "cannot be converted: its activation squareplus is not the same function" in refusal("pytorch")


# ---- agents of one's own ----


class Mine(torch_core.DQNAgent):
    """A class that only this file knows."""


def uneven(backend):
    """A policy of one size and a critic of another."""
    big, small = (make(backend, "DDPGActorCritic", BOX, "relu", sizes) for sizes in ([8], [4]))
    if backend == "jax":
        return big.replace(q=small.q)
    big.q = small.q
    return big


def mixed(backend):
    """A policy with one activation and a critic with another."""
    one, two = (make(backend, "TD3ActorCritic", BOX, activation) for activation in ("relu", "tanh"))
    if backend == "jax":
        return one.replace(q=two.q)
    one.q = two.q
    return one


def without_a_critic(backend):
    if backend == "jax":
        return make(backend, "DDPGActorCritic", BOX).replace(pi=(), q=())
    agent = make(backend, "DDPGActorCritic", BOX)
    del agent.pi, agent.q
    return agent


@pytest.mark.parametrize("backend", OTHER)
@pytest.mark.parametrize("custom", [uneven, mixed, without_a_critic])
def test_agents_put_together_otherwise_are_refused(custom, backend):
    save(custom(backend))
    sentence = f"{str(MODEL[backend])!r} cannot be converted: its agent is a custom one, and only spinup's own agents"
    assert refusal(OTHER[backend]).startswith(sentence)


def test_classes_of_ones_own_are_refused_without_talk_of_trust():
    save(Mine(OBS, DISCRETE))
    sentence = refusal()
    assert "its agent is a custom one" in sentence and "trust" not in sentence


# ---- run directories ----


@pytest.mark.parametrize("backend", OTHER)
def test_what_is_there_already_is_replaced_only_if_asked(backend):
    to, agents = OTHER[backend], [make(backend, "DQNAgent", DISCRETE) for _ in range(2)]
    save(agents[0])
    assert refusal(backend) == f"{str(MODEL[backend])!r} already exists: there is nothing to convert."
    assert refusal(backend, overwrite=True).endswith("there is nothing to convert.")
    first = converted(agents[0])
    assert refusal(to) == f"{str(MODEL[to])!r} already exists: add overwrite=True to replace it."
    shutil.rmtree(MODEL[backend].parent)
    save_agent(Path("run"), backend, agents[1])
    convert("run", to, overwrite=True)
    obs = np.float32(np.random.uniform(-1, 1, (5, 3)))
    before, after, right = (values(agent, obs, None) for agent in (first, load(MODEL[to]), agents[1]))
    np.testing.assert_allclose(after, right, atol=1e-5)
    assert not np.allclose(after, before)


@pytest.mark.slow
def test_an_agent_that_trains_on_is_not_hidden_by_the_one_converted_before():
    settings = dict(steps_per_epoch=20, num_envs=1, train_pi_iters=9, train_v_iters=1, pi_lr=0.1, resume=True)
    settings |= dict(ac_kwargs={"hidden_sizes": [4]}, logger_kwargs={"output_dir": "run"})
    ppo_jax(EnvFn("CartPole-v1"), epochs=1, **settings)
    convert("run", "pytorch")
    agent = ppo_jax(EnvFn("CartPole-v1"), epochs=2, **settings)
    loaded, converted_before = load("run"), load(MODEL["pytorch"])
    assert all((x == y).all() for x, y in zip(leaves(loaded), leaves(agent), strict=True))
    obs = np.float32(np.random.uniform(-1, 1, (5, 4)))
    assert not np.allclose(values(converted_before, obs, None), values(agent, obs, None))


def test_what_cannot_be_converted_at_all():
    with pytest.raises(UserError, match=r"^'nowhere' is not a run: it does not exist"):
        convert("nowhere", "jax")
    save(make("pytorch", "DQNAgent", DISCRETE))
    assert refusal("tf1") == "There is no format 'tf1': expected jax or pytorch."
    MODEL["pytorch"].write_bytes(b"PK")
    assert refusal() == f"{str(MODEL['pytorch'])!r} is no saved agent, or damaged."
    MODEL["pytorch"].unlink()
    assert refusal() == "'run' holds no saved agent yet."


@pytest.mark.parametrize(("source", "package"), [("pytorch", "jax"), ("jax", "jax"), ("jax", "torch")])
def test_a_missing_framework_of_either_side_is_named(source, package, monkeypatch):
    save(make(source, "DQNAgent", DISCRETE))
    monkeypatch.setitem(sys.modules, package, None)
    assert f"needs {package}, not installed here: run pip install" in refusal(OTHER[source])


# ---- the command line ----


def test_one_line_says_what_was_written(capsys):
    save(make("pytorch", "DQNAgent", DISCRETE))
    run.main(["convert", "run", "--to", "jax"])
    assert capsys.readouterr().out == f"Wrote {MODEL['jax']}\n"
    assert MODEL["jax"].is_file()
    run.main(["convert", "run", "--to=jax", "--overwrite"])


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--to", "jax"], "'run' is not a run: it does not exist"),
        (["--to", "onnx"], "There is no format 'onnx'"),
        ([], "the following arguments are required: --to. See spinup convert --help."),
        (["--to", "jax", "--over"], "unknown argument '--over'. Did you mean '--overwrite'"),
    ],
)
def test_mistakes_get_one_line(flags, told, capsys):
    with pytest.raises(SystemExit) as exited:
        run.main(["convert", "run", *flags])
    error = capsys.readouterr().err
    assert exited.value.code == 2 and error.startswith(f"error: {told}") and error.count("\n") == 1


def test_the_help_lists_it(capsys):
    run.main(["--help"])
    assert "  convert      write a trained agent in the format of another backend\n" in capsys.readouterr().out
