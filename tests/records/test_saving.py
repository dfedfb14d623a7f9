"""What a run directory holds, what comes back from it, and what it may not do (DESIGN section 6; defects 18, 23)."""

import functools
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import gymnasium as gym
import jax
import numpy as np
import pytest
import safetensors.numpy
import torch
from gymnasium import spaces
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.envs.registration import EnvSpec
from toy_envs import Counter

import spinup
from spinup.algos.jax import core as jax_core
from spinup.algos.pytorch.core import MLPActorCritic
from spinup.analysis.curves import find_runs, read_run
from spinup.errors import UserError
from spinup.experience.envs import EnvFn, make_env
from spinup.records.agents import save_agent
from spinup.records.directory import find_run, holds_run, last_epoch
from spinup.records.environment import env_settings, load_env, save_env
from spinup.records.files import write_atomically
from spinup.records.logger import EpochLogger

OBS, BOX, DISCRETE = spaces.Box(-1, 1, (3,)), spaces.Box(-2, 5, (2,)), spaces.Discrete(4)


class Evil:
    """Makes the directory ``sentinel`` when it is unpickled."""

    def __init__(self, function, argument):
        self._call = function, (argument,)

    def __reduce__(self):
        return self._call


def evil_by(how):
    return Evil(os.mkdir, "sentinel") if how == "os.mkdir" else Evil(os.system, "mkdir sentinel")


@pytest.fixture
def evil_module(tmp_path, monkeypatch):
    """A module that makes the directory ``sentinel`` when it is imported, and registers ``Evil-v0``."""
    (tmp_path / "evil_module.py").write_text(
        "import os, gymnasium as gym\n"
        "os.mkdir('sentinel')\n"
        "from gymnasium.envs.classic_control import CartPoleEnv as Env\n"
        "gym.register('Evil-v0', Env)\n"
        "class Wrapper(gym.Wrapper): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "evil_module"
    sys.modules.pop("evil_module", None)
    gym.registry.pop("Evil-v0", None)


def sentinel():
    return Path("sentinel").exists()


def logger_of(model=None, env_fn=None, path="run"):
    """The logger of a run that has just written its first row."""
    logger = EpochLogger(path, overwrite=True)
    if env_fn:
        logger.save_env(env_fn)
    if model:
        logger.setup_pytorch_saver(model)
        logger.save_state({})
    logger.log_tabular("Epoch", 0)
    logger.dump_tabular()
    return logger


def python(code):
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def files(path="."):
    """All files but locks."""
    found = sorted(p.relative_to(path).as_posix() for p in Path(path).rglob("*") if p.is_file())
    return [name for name in found if name != ".lock"]


# ---- a run ----


def test_what_a_run_leaves():
    spinup.ppo_pytorch(
        EnvFn("CartPole-v1"),
        steps_per_epoch=8,
        epochs=2,
        train_pi_iters=1,
        train_v_iters=1,
        save_freq=1,
        snapshots=True,
        logger_kwargs={"output_dir": "run", "exp_name": "mine"},
    )
    models = [f"pyt_save/model{itr}.pt" for itr in ("", 0, 1)]
    checkpoints = [f"checkpoint/epoch00000{epoch}.npz" for epoch in (0, 1)]
    assert files("run") == sorted(["config.json", "env.json", "progress.txt", *models, *checkpoints])
    env, agent = load_env("run"), spinup.load("run")
    o, _ = env.reset(seed=0)
    assert env.action_space.contains(agent.act(o)) and agent.act(np.stack([o, o])).shape == (2,)


def test_the_directory_of_a_run_is_found():
    logger_of()
    assert holds_run("run") and not holds_run(".")
    assert find_run("run") == find_run(Path("run")) == Path("run")


def test_what_is_no_run_is_told_with_the_runs_below():
    for k in range(5):
        logger_of(path=f"data/e_s{k}")
    Path("file").touch()
    first = [str(Path(f"data/e_s{k}")) for k in range(3)]
    for path, told in [
        ("data", f", but there are runs below it: {', '.join(first)} and 2 more. Give one."),
        ("nowhere", ": it does not exist. Give the output directory of one."),
        ("file", ": it holds no progress.txt. Give the output directory of one."),
    ]:
        with pytest.raises(UserError) as raised:
            find_run(path)
        assert str(raised.value) == f"{path!r} is not a run{told}"


# ---- writing ----


def test_a_write_is_whole_or_not_at_all():
    def half(file):
        file.write_text("ne")
        raise KeyboardInterrupt

    write_atomically(Path("f"), lambda file: file.write_text("old"))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(Path("f"), half)
    assert (files(), Path("f").read_text()) == (["f"], "old")
    write_atomically(Path("f"), lambda file: file.write_text("new"))
    assert (files(), Path("f").read_text()) == (["f"], "new")


def test_until_the_rename_a_reader_sees_the_old_file(monkeypatch):
    def replace(source, target):
        assert (Path(source).read_text(), Path(target).read_text()) == ("new", "old")
        assert Path(source).parent == Path(target).parent, "a rename is atomic within one file system only"
        raise OSError("crashed")

    Path("f").write_text("old")
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(UserError, match=r"'f' cannot be written \(crashed\)"):
        write_atomically(Path("f"), lambda file: file.write_text("new"))
    assert (files(), Path("f").read_text()) == (["f"], "old")


def test_an_agent_that_cannot_be_pickled_leaves_the_last_save():
    agent = MLPActorCritic(OBS, BOX)
    logger = logger_of(agent)
    before = Path("run/pyt_save/model.pt").read_bytes()
    agent.lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot pickle"):
        logger.save_state({}, itr=1)
    assert files("run/pyt_save") == ["model.pt"]
    assert Path("run/pyt_save/model.pt").read_bytes() == before


def test_the_same_agent_is_the_same_file_whatever_the_process(monkeypatch):
    agent, saved = MLPActorCritic(OBS, BOX), []
    for process in (111, 222):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        save_agent(Path(), "pytorch", agent, itr=process)
        saved += [Path(f"pyt_save/model{itr}.pt").read_bytes() for itr in ("", process)]
    assert len(set(saved)) == 1


def test_the_state_given_is_pickled():
    logger = EpochLogger("run")
    logger.save_state({"t": 1})
    logger.save_state({"t": 2}, itr=2)
    logger.save_state({"t": 3})
    assert files("run") == ["vars.pkl", "vars2.pkl"]
    assert [pickle.loads(Path("run", name).read_bytes()) for name in files("run")] == [{"t": 3}, {"t": 2}]


def generator():
    yield 1


UNPICKLED = {
    "a lock": threading.Lock,
    "a socket": socket.socket,
    "a generator": generator,
    "a file": functools.partial(open, "f", "w"),
}


@pytest.mark.parametrize("build", UNPICKLED.values(), ids=UNPICKLED)
def test_what_cannot_be_pickled_is_left_out_of_the_state_with_a_warning(build, capsys):
    logger, left_out = EpochLogger("run"), build()
    logger.setup_pytorch_saver(MLPActorCritic(OBS, BOX))
    for t in range(2):
        logger.save_state({"env": [left_out], "t": t}, None)
    assert pickle.loads(Path("run/vars.pkl").read_bytes()) == {"t": 1}
    assert spinup.load("run")
    assert capsys.readouterr().out.lower().count("'env' could not be saved (cannot pickle") == 1
    if hasattr(left_out, "close"):
        left_out.close()


# ---- agents ----


@pytest.mark.parametrize("action_space", [BOX, DISCRETE], ids=str)
def test_an_agent_comes_back_as_it_was(action_space):
    agent = MLPActorCritic(OBS, action_space, hidden_sizes=[8])
    logger_of(agent)
    obs = np.float32(np.random.default_rng(0).uniform(-1, 1, (20, 3)))
    for loaded in (torch.load("run/pyt_save/model.pt"), spinup.load("run"), spinup.load("run/pyt_save/model.pt")):
        assert (loaded.act(obs, deterministic=True) == agent.act(obs, deterministic=True)).all()
        assert loaded.act(torch.as_tensor(obs[0])).shape == action_space.shape


@pytest.mark.slow  # each is a process that imports PyTorch
@pytest.mark.parametrize(
    "imports",
    ["import torch, spinup", "import spinup.algos.pytorch.core, torch", "from spinup import ppo_pytorch; import torch"],
)
def test_torch_load_takes_an_agent_with_its_safe_defaults(imports):
    logger_of(MLPActorCritic(OBS, BOX))
    assert python(f"{imports}; print(torch.load('run/pyt_save/model.pt').act(torch.zeros(3)).shape)") == "(2,)"


@pytest.mark.slow
def test_spinup_load_needs_nothing_else():
    logger_of(MLPActorCritic(OBS, BOX))
    assert python("import spinup, torch; print(spinup.load('run').act([0, 0, 0]).shape)") == "(2,)"


@pytest.mark.parametrize("name", ["ELU", "GELU", "LeakyReLU", "Mish", "PReLU", "ReLU", "Sigmoid", "SiLU", "Softplus"])
def test_agents_with_any_activation_of_pytorch_are_loaded(name):
    logger_of(MLPActorCritic(OBS, BOX, activation=getattr(torch.nn, name)))
    assert type(spinup.load("run").v.v_net[1]).__name__ == name


def test_an_activation_with_arguments_is_loaded():
    logger_of(MLPActorCritic(OBS, BOX, activation=functools.partial(torch.nn.LeakyReLU, 0.3)))
    assert spinup.load("run").v.v_net[1].negative_slope == 0.3


def test_snapshots():
    agent = MLPActorCritic(OBS, BOX)
    logger = logger_of(agent)
    for itr in (0, 3, 20, None):
        agent.pi.log_std.data.fill_(-1 if itr is None else itr)
        logger.save_state({}, itr)
    for itr, log_std in [(0, 0), (3, 3), ("3", 3), (20, 20), (-1, -1), ("last", -1)]:
        assert (spinup.load("run", itr).pi.log_std == log_std).all()
    with pytest.raises(UserError, match=r"^'run' has no snapshot 7: it has 0, 3, 20\.$"):
        spinup.load("run", 7)


def test_a_run_without_snapshots_or_agents():
    logger_of(MLPActorCritic(OBS, BOX))
    with pytest.raises(UserError, match=r"^'run' has no snapshot 7: it kept only the last: train with snapshots=True"):
        spinup.load("run", 7)
    logger_of()
    for itr in (-1, 7):
        with pytest.raises(UserError, match=r"^'run' holds no saved agent yet\.$"):
            spinup.load("run", itr)
    with pytest.raises(UserError, match="'nowhere' is not a run: it does not exist"):
        spinup.load("nowhere")


# ---- agents that are none, and those of strangers ----


@pytest.mark.parametrize("how", ["os.mkdir", "os.system"])
def test_an_agent_that_would_run_code_is_refused(how):
    agent = MLPActorCritic(OBS, BOX)
    logger_of(agent)
    agent.pi.extra = evil_by(how)
    torch.save(agent, "run/pyt_save/model.pt")
    with pytest.raises(UserError, match=r"is made of \w+\.(mkdir|system), .* add trust=True") as raised:
        spinup.load("run")
    assert "\n" not in str(raised.value)
    with pytest.raises(pickle.UnpicklingError):
        torch.load("run/pyt_save/model.pt")
    assert not sentinel()
    spinup.load("run", trust=True)
    assert sentinel(), "or this test would prove nothing"


def test_the_old_format_of_pytorch_runs_nothing_either():
    torch.save(evil_by("os.mkdir"), "model.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"is made of \w+\.mkdir, .* add trust=True"):
        spinup.load("model.pt")
    Path("model.pt").write_bytes(pickle.dumps(evil_by("os.mkdir")))
    with pytest.raises(UserError, match=r"^'model.pt' is no saved agent, or damaged\.$"):
        spinup.load("model.pt")
    assert not sentinel()


def test_an_agent_of_ones_own_is_loaded_if_trusted(tmp_path, monkeypatch):
    (tmp_path / "my_agents.py").write_text(
        "from spinup.algos.pytorch.core import MLPActorCritic\nclass Mine(MLPActorCritic): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import my_agents

    logger_of(my_agents.Mine(OBS, BOX))
    with pytest.raises(UserError, match=r"is made of my_agents\.Mine, which is not part of this package"):
        spinup.load("run")
    assert type(spinup.load("run", trust=True)) is my_agents.Mine
    monkeypatch.delitem(sys.modules, "my_agents")
    (tmp_path / "my_agents.py").unlink()
    with pytest.raises(UserError, match=r"needs code that is not here \(No module named 'my_agents'\)\.$"):
        spinup.load("run", trust=True)


AGENT_OF_A_SCRIPT = """
from spinup import ppo_pytorch
from spinup.experiments.launch import call_experiment
from spinup.algos.pytorch.core import MLPActorCritic
class Mine(MLPActorCritic): pass
if __name__ == "__main__":
    settings = dict(steps_per_epoch=8, epochs=1, num_envs=1, actor_critic=Mine)
    call_experiment("mine", ppo_pytorch, env_name="CartPole-v1", data_dir=".", **settings)
"""


@pytest.mark.slow
def test_an_agent_of_a_script_needs_the_script_no_more():
    Path("script.py").write_text(AGENT_OF_A_SCRIPT)
    subprocess.run([sys.executable, "script.py"], check=True, capture_output=True)
    Path("script.py").unlink()
    with pytest.raises(UserError, match=r"is made of the class Mine of a script, .*: add trust=True"):
        spinup.load("mine/mine_s0")
    assert spinup.load("mine/mine_s0", trust=True).act(np.zeros(4)) in (0, 1)


def test_a_damaged_agent_is_told_in_one_sentence():
    torch.manual_seed(0)
    logger_of(MLPActorCritic(OBS, BOX, hidden_sizes=[2]))
    file, rng = Path("run/pyt_save/model.pt"), np.random.default_rng(0)
    whole = file.read_bytes()
    cases = [(b"hello", True), (b"PK\x03\x04", True), (b"\x80\x02N.", True)]
    cases += [(whole[:n], trust) for n in (0, 1, 100, len(whole) // 2, len(whole) - 1) for trust in (False, True)]
    for _ in range(100):
        flipped = bytearray(whole)
        flipped[rng.integers(3000)] ^= 1 << int(rng.integers(8))
        cases.append((bytes(flipped), False))
    told = []
    for content, trust in cases:
        file.write_bytes(content)
        try:
            spinup.load("run", trust=trust)  # a flipped bit may do no harm
        except UserError as error:
            told.append(str(error))
    assert len(told) > 50
    assert all(sentence.startswith(("'run", "The agent 'run")) and "\n" not in sentence for sentence in told)


@pytest.mark.parametrize(("content", "kind"), [([1, 2], "list"), ({"pi": torch.ones(1)}, "dict")])
def test_a_file_that_holds_something_else_is_no_agent(content, kind):
    torch.save(content, "model.pt")
    with pytest.raises(UserError, match=f"'model.pt' holds an object of type {kind}, not an agent"):
        spinup.load("model.pt")


# ---- agents of JAX ----

JAX_FILE = "run/jax_save/model.safetensors"
JAX_AGENTS = {
    "SACActorCritic": BOX,
    "TD3ActorCritic": BOX,
    "DDPGActorCritic": spaces.Box(-0.1, 0.3, (2,), np.float64),
    "DQNAgent": DISCRETE,
    "MLPActorCritic": BOX,
    "MLPActorCritic ": DISCRETE,
}


def jax_agent(name="DQNAgent", action_space=DISCRETE, **kwargs):
    return getattr(jax_core, name.strip()).create(OBS, action_space, [5, 3], **kwargs)


def jax_run(agent):
    """The logger of a run that has saved ``agent``, in JAX."""
    logger = logger_of()
    logger.setup_jax_saver(lambda: agent)
    logger.save_state({})
    return logger


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu"])
@pytest.mark.parametrize(("name", "action_space"), JAX_AGENTS.items(), ids=JAX_AGENTS)
def test_an_agent_of_jax_comes_back_bit_for_bit(name, action_space, activation):
    agent = jax_agent(name, action_space, activation=getattr(jax.nn, activation))
    jax_run(agent)
    obs = np.float32(np.random.default_rng(0).uniform(-1, 1, (20, 3)))
    for loaded in (spinup.load("run"), spinup.load(JAX_FILE)):
        assert jax.tree.structure(loaded) == jax.tree.structure(agent), "the same classes, bounds and activations"
        for x, y in zip(jax.tree.leaves(loaded), jax.tree.leaves(agent), strict=True):
            assert x.dtype == y.dtype and (x == y).all()
        assert (loaded.act(obs, deterministic=True) == agent.act(obs, deterministic=True)).all()
        assert loaded.act(obs[0]).shape == action_space.shape


def test_snapshots_of_jax():
    agents = {itr: jax_agent() for itr in (0, 3, 20, None)}
    now = {}
    logger = logger_of()
    logger.setup_jax_saver(lambda: now["agent"])
    for itr, now["agent"] in agents.items():
        logger.save_state({}, itr)
    assert files("run/jax_save") == sorted(["model.safetensors", *(f"model{itr}.safetensors" for itr in (0, 3, 20))])
    for itr, saved in [(0, 0), (3, 3), ("3", 3), (20, 20), (-1, None), ("last", None)]:
        assert (spinup.load("run", itr).q.weights[0] == agents[saved].q.weights[0]).all()
    with pytest.raises(UserError, match=r"^'run' has no snapshot 7: it has 0, 3, 20\.$"):
        spinup.load("run", 7)


def test_until_the_rename_the_last_agent_of_jax_is_there(monkeypatch):
    logger = jax_run(jax_agent())
    before = Path(JAX_FILE).read_bytes()
    logger.setup_jax_saver(lambda: jax_agent("SACActorCritic", BOX))

    def replace(source, target):
        assert Path(source).parent == Path(target).parent and len(Path(source).read_bytes()) > len(before)
        assert Path(target).read_bytes() == before
        raise OSError("crashed")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(UserError, match=r"model.safetensors' cannot be written \(crashed\)"):
        logger.save_state({})
    assert files("run/jax_save") == ["model.safetensors"] and Path(JAX_FILE).read_bytes() == before


def test_a_damaged_agent_of_jax_is_told_in_one_sentence():
    jax_run(jax_agent())
    whole, rng, told = Path(JAX_FILE).read_bytes(), np.random.default_rng(0), []
    header = 8 + int.from_bytes(whole[:8], "little")
    cases = [b"hello", b"PK\x03\x04", b"\x80\x02N.", *(whole[:n] for n in (0, 1, 100, header, len(whole) - 1))]
    for _ in range(100):
        flipped = bytearray(whole)
        flipped[rng.integers(header)] ^= 1 << int(rng.integers(8))
        cases.append(bytes(flipped))
    for content in cases:
        Path(JAX_FILE).write_bytes(content)
        try:
            spinup.load("run")  # a flipped bit may do no harm
        except UserError as error:
            told.append(str(error))
    assert len(told) > 50
    assert all(sentence.startswith("'run") and "\n" not in sentence for sentence in told)


def forge_agent(description, arrays=None):
    """A file of arrays whose header describes an agent like this."""
    arrays = {"w": np.zeros((3, 4), np.float32), "b": np.zeros(4, np.float32)} if arrays is None else arrays
    text = description if isinstance(description, str) else json.dumps(description)
    safetensors.numpy.save_file(arrays, "model.safetensors", {"agent": text})


def dqn_with(**changes):
    net = {"weights": [{"array": "w"}], "biases": [{"array": "b"}]}
    net |= {"class": "MLP", "activation": "relu", "output_activation": "identity"} | changes
    return {"class": "DQNAgent", "q": net}


def test_the_forged_agent_would_load_if_nothing_were_wrong_with_it():
    forge_agent(dqn_with())
    assert spinup.load("model.safetensors").act(np.zeros(3)) == 0


FORGED = {
    "a class that is a list": {"class": ["MLP"]},
    "too few fields": {"class": "DQNAgent"},
    "too many fields": dqn_with() | {"path": "sentinel"},
    "an array that is not there": dqn_with(weights=[{"array": "elsewhere"}]),
    "a function outside jax.nn": dqn_with(activation="os.mkdir"),
    "a function of Python": dqn_with(activation="eval"),
    "a module in jax.nn": dqn_with(activation="initializers"),
    "an attribute of jax.nn": dqn_with(activation="__doc__"),
    "what imports for jax.nn": dqn_with(activation="__loader__"),
    "no JSON": "{",
    "endless JSON": "[" * 100_000,
}


FOREIGN = {
    "Mine": {"class": "Mine"},
    "evil_module.Env": {"class": "evil_module.Env"},
    "os.mkdir": {"class": "os.mkdir", "path": "sentinel"},
    "a\\nb": {"class": "a\nb"},
    "Part": dqn_with(**{"class": "Part"}),
}


@pytest.mark.parametrize(("name", "description"), FOREIGN.items(), ids=FOREIGN)
def test_an_agent_of_jax_made_of_unknown_classes_is_told_and_runs_nothing(evil_module, name, description):
    forge_agent(description)
    with pytest.raises(UserError) as raised:
        spinup.load("model.safetensors", trust=True)
    told = f"is made of '{name}', a class that is not known here: import the module that defines it first."
    assert str(raised.value) == f"'model.safetensors' {told}"
    assert not sentinel() and evil_module not in sys.modules


def test_an_agent_of_ones_own_of_jax_is_loaded_once_its_module_is_imported(monkeypatch):
    @jax_core.pytree()
    class Mine(jax_core.DQNAgent):
        """A class of the user's."""

    monkeypatch.delitem(jax_core.CLASSES, "Mine")
    jax_run(Mine(jax_agent().q))
    with pytest.raises(UserError, match=r"^'run.*' is made of 'Mine', .*: import the module that defines it first\.$"):
        spinup.load("run")
    monkeypatch.setitem(jax_core.CLASSES, "Mine", Mine)
    assert type(spinup.load("run")) is Mine


@pytest.mark.parametrize("description", FORGED.values(), ids=FORGED)
def test_a_forged_agent_of_jax_is_refused_and_runs_nothing(evil_module, description):
    forge_agent(description)
    with pytest.raises(UserError, match=r"^'model.safetensors' is no saved agent, or damaged \(.+\)\.$") as raised:
        spinup.load("model.safetensors", trust=True)
    assert "\n" not in str(raised.value) and not sentinel() and evil_module not in sys.modules


@pytest.mark.parametrize(("description", "kind"), [(dqn_with()["q"], "MLP"), ([1.0], "tuple"), ("null", "NoneType")])
def test_a_file_that_describes_something_else_is_no_agent(description, kind):
    forge_agent(description)
    with pytest.raises(UserError, match=f"^'model.safetensors' holds an object of type {kind}, not an agent"):
        spinup.load("model.safetensors")


def test_arrays_alone_are_no_agent():
    safetensors.numpy.save_file({"w": np.zeros(3)}, "model.safetensors")
    with pytest.raises(UserError, match=r"^'model.safetensors' is no saved agent, or damaged"):
        spinup.load("model.safetensors")


# ---- runs that hold the agents of two backends ----


def run_of_both():
    """A run with an agent in both formats, and snapshots: 1 and 2 of PyTorch, 2 and 3 of JAX."""
    logger = logger_of(MLPActorCritic(OBS, DISCRETE))
    for itr in (1, 2):
        logger.save_state({}, itr)
    logger.setup_jax_saver(jax_agent)
    for itr in (2, 3):
        logger.save_state({}, itr)


@pytest.mark.parametrize(
    ("missing", "itr", "kind"),
    [
        ([], -1, MLPActorCritic),
        ([], 2, MLPActorCritic),
        ([], 3, jax_core.DQNAgent),
        (["jax"], -1, MLPActorCritic),
        (["torch"], -1, jax_core.DQNAgent),
        (["torch"], 2, jax_core.DQNAgent),
    ],
)
def test_the_agent_is_loaded_whose_framework_is_here(missing, itr, kind, monkeypatch):
    run_of_both()
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    assert type(spinup.load("run", itr)) is kind


@pytest.mark.parametrize(
    ("algorithm", "missing", "itr", "kind"),
    [
        ("spinup.algos.jax.dqn.dqn", [], -1, jax_core.DQNAgent),
        ("spinup.algos.jax.dqn.dqn", [], 2, jax_core.DQNAgent),
        ("spinup.algos.jax.dqn.dqn", [], 1, MLPActorCritic),
        ("spinup.algos.jax.dqn.dqn", ["jax"], -1, MLPActorCritic),
        ("spinup.algos.pytorch.ppo.ppo", [], -1, MLPActorCritic),
        ("spinup.algos.pytorch.ppo.ppo", ["torch"], -1, jax_core.DQNAgent),
        ("mine.jax.train", [], -1, MLPActorCritic),
        (None, [], -1, MLPActorCritic),
    ],
)
def test_the_agent_that_was_trained_comes_before_the_one_converted_from_it(algorithm, missing, itr, kind, monkeypatch):
    run_of_both()
    Path("run/config.json").write_text(json.dumps({"algorithm": algorithm}))
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    assert type(spinup.load("run", itr)) is kind


@pytest.mark.parametrize("content", ["", "[]", "null", "{}"])
def test_a_damaged_configuration_does_not_keep_the_agent_from_being_loaded(content):
    run_of_both()
    Path("run/config.json").write_text(content)
    assert type(spinup.load("run")) is MLPActorCritic


def test_snapshots_of_both_are_named():
    run_of_both()
    with pytest.raises(UserError, match=r"^'run' has no snapshot 7: it has 1, 2, 3\.$"):
        spinup.load("run", 7)


@pytest.mark.parametrize(
    ("missing", "itr", "told"),
    [
        (["torch", "jax"], -1, "The backend 'pytorch' needs torch, not installed here: run pip install torch."),
        (["jax"], 3, "The backend 'jax' needs jax, not installed here: run pip install \"spinningup[jax]\"."),
        (["torch"], 1, "The backend 'pytorch' needs torch, not installed here: run pip install torch."),
    ],
)
def test_a_missing_framework_is_named_with_its_command(missing, itr, told, monkeypatch):
    run_of_both()
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError) as raised:
        spinup.load("run", itr)
    assert str(raised.value) == told


# ---- environments ----


def assert_same_environments(ours, theirs, steps=60):
    """They answer the same actions with the same, over several episodes."""
    assert ours.observation_space == theirs.observation_space and ours.action_space == theirs.action_space
    ours.action_space.seed(0)
    for env in (ours, theirs):
        env.reset(seed=0)
    for _ in range(steps):
        a = ours.action_space.sample()
        (o, r, *ends, _), (their_o, their_r, *their_ends, _) = ours.step(a), theirs.step(a)
        assert ((o == their_o).all(), r, ends) == (True, their_r, their_ends)
        if any(ends):
            assert (ours.reset()[0] == theirs.reset()[0]).all()


class Doubled(gym.RewardWrapper):
    """A wrapper that Gymnasium cannot describe."""

    def reward(self, reward):
        return 2 * reward


class OfAScript(gym.RewardWrapper, gym.utils.RecordConstructorArgs):
    """A wrapper that Gymnasium can describe, but that no other process can import."""

    __module__ = "__main__"

    def __init__(self, env):
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.RewardWrapper.__init__(self, env)

    def reward(self, reward):
        return 3 * reward


def rescaled():
    return gym.wrappers.RescaleAction(gym.make("Pendulum-v1", g=3.0), np.float32(-1), np.float32(1))


DESCRIBED = {
    "by name": EnvFn("CartPole-v1"),
    "with arguments": EnvFn("CartPole-v1", {"sutton_barto_reward": True}),
    "without a version": EnvFn("CartPole"),
    "of a module": EnvFn("gymnasium:CartPole-v1"),
    "made by oneself": lambda: gym.make("Pendulum-v1", g=3.0),
    "with a shorter limit": lambda: gym.make("Pendulum-v1", max_episode_steps=7),
    "with wrappers": lambda: gym.wrappers.ClipReward(
        gym.wrappers.FrameStackObservation(gym.make("Pendulum-v1"), 3), -1.0, 0.0
    ),
    "with a render mode": functools.partial(gym.make, "CartPole-v1", render_mode="rgb_array"),
}
PICKLED = {
    "a wrapper of ones own": lambda: Doubled(gym.make("Pendulum-v1")),
    "a wrapper of a script": lambda: OfAScript(gym.make("Pendulum-v1")),
    "a wrapper with a function": lambda: gym.wrappers.TransformReward(gym.make("Pendulum-v1"), lambda r: 2 * r),
    "a wrapper with arrays": rescaled,
    "never registered": CartPoleEnv,
}


@pytest.mark.parametrize("env_fn", DESCRIBED.values(), ids=DESCRIBED)
def test_environments_that_json_describes_are_rebuilt(env_fn):
    logger_of(env_fn=env_fn)
    assert files("run") == ["env.json", "progress.txt"]
    assert json.loads(Path("run/env.json").read_text())["entry_point"] is None, "a name says which, a file does not"
    assert_same_environments(load_env("run"), make_env(env_fn))


@pytest.mark.parametrize("env_fn", PICKLED.values(), ids=PICKLED)
def test_other_environments_are_pickled_and_need_trust(env_fn):
    logger_of(env_fn=EnvFn("CartPole-v1"))
    save_env(Path("run"), env_fn)
    assert files("run") == ["progress.txt", "vars.pkl"], "the first description is not believed any more"
    with pytest.raises(UserError, match=r"is a pickle \(vars\.pkl\), which runs code when loaded: add trust=True"):
        load_env("run")
    assert_same_environments(load_env("run", trust=True), make_env(env_fn))


def test_an_environment_that_nothing_can_save_is_told(capsys):
    lock = threading.Lock()
    logger_of(env_fn=lambda: lock and Doubled(gym.make("CartPole-v1")))
    assert "The environment could not be saved (cannot pickle" in capsys.readouterr().out
    assert files("run") == ["progress.txt"]
    with pytest.raises(UserError, match="'run' holds no environment"):
        load_env("run", trust=True)


def test_the_render_mode_is_the_readers_choice():
    logger_of(env_fn=DESCRIBED["with a render mode"])
    assert load_env("run").render_mode is None
    env = load_env("run", render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape[2] == 3


def test_an_environment_that_knows_no_render_mode():
    gym.register("Counter-v0", Counter)
    try:
        logger_of(env_fn=EnvFn("Counter-v0"))
        assert_same_environments(load_env("run"), Counter())
        with pytest.raises(UserError, match=r"'run' cannot be drawn, as it takes no render_mode\.$"):
            load_env("run", render_mode="rgb_array")
    finally:
        gym.registry.pop("Counter-v0")


def test_a_pickled_function_may_take_a_render_mode_or_not():
    logger_of(env_fn=lambda **kwargs: Doubled(gym.make("CartPole-v1", **kwargs)))
    assert load_env("run", trust=True, render_mode="rgb_array").render_mode == "rgb_array"
    logger_of(env_fn=PICKLED["a wrapper of ones own"])
    with pytest.raises(UserError, match="takes no render_mode"):
        load_env("run", trust=True, render_mode="rgb_array")


def test_an_environment_registered_by_class_in_a_module(evil_module):
    logger_of(env_fn=EnvFn("evil_module:Evil-v0"))
    assert json.loads(Path("run/env.json").read_text())["id"] == "evil_module:Evil-v0"
    assert load_env("run").spec.id == "Evil-v0", "its module is imported already: nothing new would run"


@pytest.fixture
def gym_foo(tmp_path, monkeypatch):
    """Forgets the package ``gym_foo``, which registers ``Foo-v0``, and ``Foo-v1`` by an id that it computes."""

    def forget():
        for name in [name for name in sys.modules if name.partition(".")[0] == "gym_foo"]:
            del sys.modules[name]
        for name in [name for name in gym.registry if name.startswith(("Foo", "ns/Foo"))]:
            del gym.registry[name]

    register = "register"  # written apart, as this file registers nothing
    (tmp_path / "gym_foo").mkdir()
    (tmp_path / "gym_foo/__init__.py").write_text(
        "import gymnasium as gym\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
        "class Env(CartPoleEnv): pass\n"
        f"gym.{register}('Foo-v0', 'gymnasium.envs.classic_control:CartPoleEnv')\n"
        f"for version in [1]: gym.{register}('Foo-v' + str(version), Env)\n"
    )
    (tmp_path / "gym_foo/more.py").write_text(
        f"from gymnasium.envs.registration import register\n{register}(entry_point='gym_foo:Env', id='ns/Foo-v2')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield forget
    forget()


def foo(version=0):
    import gym_foo  # noqa: F401

    return gym.make(f"Foo-v{version}")


OF_A_PACKAGE = {
    "named with its module": (lambda: gym.make("gym_foo:Foo-v0"), "gym_foo:Foo-v0"),
    "partial": (functools.partial(gym.make, "gym_foo:Foo-v0"), "gym_foo:Foo-v0"),
    "imported by the function": (foo, "gym_foo:Foo-v0"),
    "with an id that is computed": (functools.partial(foo, 1), "gym_foo:Foo-v1"),
    "of a submodule, with a namespace": (lambda: gym.make("gym_foo.more:ns/Foo-v2"), "gym_foo.more:ns/Foo-v2"),
    "by name": (EnvFn("gym_foo.more:ns/Foo-v2"), "gym_foo.more:ns/Foo-v2"),
}


@pytest.mark.parametrize(("env_fn", "env_id"), OF_A_PACKAGE.values(), ids=OF_A_PACKAGE)
def test_an_environment_of_a_package_is_kept_with_the_module_that_registers_it(env_fn, env_id, gym_foo):
    logger_of(env_fn=env_fn)
    assert json.loads(Path("run/env.json").read_text())["id"] == env_id
    load_env("run").close()  # its module is imported already
    gym_foo()
    for load in (load_env, lambda run, trust=False: env_settings(Path(run), trust)):
        with pytest.raises(UserError, match=f"needs code from {env_id.partition(':')[0]}: add trust=True"):
            load("run")
    assert "gym_foo" not in sys.modules
    assert env_settings(Path("run"), trust=True)["env_name"] == env_id
    gym_foo()
    assert load_env("run", trust=True).spec.id == env_id.partition(":")[2]


def test_an_environment_by_name_takes_its_module_to_another_process(gym_foo):
    foo()
    for name, env_id in {"Foo-v0": "gym_foo:Foo-v0", "Foo-v1": "gym_foo:Foo-v1", "CartPole-v1": "CartPole-v1"}.items():
        assert pickle.loads(pickle.dumps(EnvFn(name))).env_name == env_id


def test_a_description_of_an_earlier_version_names_no_module(gym_foo):
    logger_of(env_fn=foo)
    spec = json.loads(Path("run/env.json").read_text())
    Path("run/env.json").write_text(json.dumps(spec | {"id": "Foo-v0"}))
    load_env("run").close()
    gym_foo()
    with pytest.raises(UserError, match=r"'Foo-v0' is not registered here: import the package that registers it"):
        load_env("run")


class Simulator(Counter):
    """Cannot be used after it has been closed; ``made`` gets every copy."""

    made: ClassVar[list] = []

    def __init__(self):
        super().__init__()
        self.is_open = True
        self.made.append(self)

    def step(self, action):
        assert self.is_open, "closed while in use"
        return super().step(action)

    def close(self):
        self.is_open = False


@pytest.mark.parametrize("make", [spinup.ppo_pytorch, spinup.trpo_pytorch, spinup.vpg_jax])
@pytest.mark.parametrize("registered", [True, False])
def test_with_one_environment_no_other_is_opened(make, registered, monkeypatch):
    monkeypatch.setattr(Simulator, "made", [])
    monkeypatch.setitem(gym.registry, "Simulator-v0", EnvSpec("Simulator-v0", Simulator))
    settings = dict(ac_kwargs={"hidden_sizes": [2]}, num_envs=1, steps_per_epoch=8, train_v_iters=1)
    for epochs, resume in [(1, False), (2, True)]:
        env_fn = functools.partial(gym.make, "Simulator-v0") if registered else Simulator
        make(env_fn, epochs=epochs, resume=resume, **settings, logger_kwargs={"output_dir": "run"})
        assert len(Simulator.made) == epochs
    assert Path("run/env.json").exists() is registered


def test_a_function_may_return_its_one_environment_where_one_is_enough():
    env = Simulator()
    settings = dict(num_envs=1, steps_per_epoch=8, epochs=1)
    spinup.ppo_pytorch(lambda: env, **settings, logger_kwargs={"output_dir": "run"})
    assert_same_environments(load_env("run", trust=True), make_env(Counter))
    with pytest.raises(UserError, match="env_fn returned the same Simulator again"):
        spinup.dqn_pytorch(lambda: env, **settings, logger_kwargs={"output_dir": "other"})


# ---- environments of strangers ----


def forge(**changes):
    """A run whose ``env.json``, that of CartPole-v1, is changed."""
    logger_of(env_fn=EnvFn("CartPole-v1"))
    spec = json.loads(Path("run/env.json").read_text())
    Path("run/env.json").write_text(json.dumps(spec | changes))


def wrapper(entry_point, **kwargs):
    return [{"name": "W", "entry_point": entry_point, "kwargs": kwargs}]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "evil_module:Evil-v0"},
        {"additional_wrappers": wrapper("evil_module:Wrapper")},
        {"additional_wrappers": wrapper("gymnasium.wrappers.common:OrderEnforcing") + wrapper("evil_module:Wrapper")},
    ],
    ids=str,
)
def test_code_that_env_json_asks_for_runs_only_if_trusted(evil_module, changes):
    forge(**changes)
    with pytest.raises(UserError, match=r"needs code from evil_module.*: add trust=True"):
        load_env("run")
    assert not sentinel()
    load_env("run", trust=True)
    assert sentinel(), "or this test would prove nothing"


def test_env_json_cannot_say_what_a_known_name_runs(evil_module):
    forge(entry_point="evil_module:Env", vector_entry_point="evil_module:Env")
    for trust in (False, True):
        env = load_env("run", trust=trust)
        assert type(env.unwrapped) is CartPoleEnv
    assert not sentinel()


@pytest.mark.parametrize(
    "entry_point", ["os:mkdir", "gymnasium.wrappers_of_mine:W", "gymnasium.wrappers.rendering:RecordVideo"]
)
def test_wrappers_that_do_more_than_wrap_are_foreign(entry_point):
    forge(additional_wrappers=wrapper(entry_point, video_folder="sentinel"))
    with pytest.raises(UserError, match=f"needs code from {entry_point}"):
        load_env("run", render_mode="rgb_array")
    assert not sentinel()


def test_a_pickled_environment_runs_only_if_trusted():
    logger_of()
    Path("run/vars.pkl").write_bytes(pickle.dumps({"env_fn": evil_by("os.mkdir")}))
    with pytest.raises(UserError, match="add trust=True"):
        load_env("run")
    assert not sentinel()
    with pytest.raises(TypeError):
        load_env("run", trust=True)
    assert sentinel(), "or this test would prove nothing"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "{}", '{"id": 3, "additional_wrappers": []}', '{"id": "A B", "additional_wrappers": [{}]}'],
)
def test_a_damaged_env_json_is_told_in_one_sentence(content):
    forge()
    Path("run/env.json").write_text(content)
    with pytest.raises(UserError, match=r"env\.json' does not describe an environment \(.+\)\.$") as raised:
        load_env("run")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"\x80", pickle.dumps({"env": 3}), pickle.dumps([])], ids=repr)
def test_a_damaged_pickle_is_told_in_one_sentence(content):
    logger_of()
    Path("run/vars.pkl").write_bytes(content)
    with pytest.raises(UserError, match=r"vars\.pkl' holds no environment \(.+\)\.$"):
        load_env("run", trust=True)


def saves_of_pytorch(logger):
    """A function that saves an agent whose parameters are ``x``."""
    net = torch.nn.Linear(1, 1)
    logger.setup_pytorch_saver(net)

    def save(x):
        torch.nn.init.constant_(net.bias, x)
        logger.save_state({})

    return save


def saves_of_jax(logger):
    """The same in JAX."""
    agents = [jax_agent()]
    logger.setup_jax_saver(lambda: agents[-1])

    def save(x):
        agents.append(jax.tree.map(lambda leaf: leaf + x, agents[0]))
        logger.save_state({})

    return save


def test_an_environment_that_a_loop_of_ones_own_saved():
    logger = EpochLogger("run")
    logger.save_state({"env": gym.make("CartPole-v1")}, None)
    logger.log_tabular("Epoch", 0)
    logger.dump_tabular()
    assert load_env("run", trust=True).spec.id == "CartPole-v1"


@pytest.mark.parametrize("make", [saves_of_pytorch, saves_of_jax])
@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf])
def test_an_agent_that_has_diverged_does_not_replace_the_last_save(make, x):
    logger = EpochLogger("run")
    save = make(logger)
    save(1.0)
    before = {file: file.read_bytes() for file in Path("run").rglob("model*")}
    with pytest.raises(UserError, match=r"The agent has diverged .* the last save is kept"):
        save(x)
    assert before and {file: file.read_bytes() for file in Path("run").rglob("model*")} == before


DIVERGING = {
    "ppo": dict(pi_lr=1e30, vf_lr=1e30, train_pi_iters=1, train_v_iters=1, save_freq=1),
    "dqn": dict(q_lr=1e30, update_after=60, update_every=10, num_test_episodes=1),  # from the second epoch on
}


@pytest.mark.parametrize("backend", ["pytorch", "jax"])
@pytest.mark.parametrize("algorithm", DIVERGING)
def test_training_with_discrete_actions_stops_where_it_diverges(algorithm, backend):
    settings = dict(ac_kwargs={"hidden_sizes": [4]}, steps_per_epoch=40, epochs=9, **DIVERGING[algorithm])
    with pytest.raises(UserError, match=r"^The agent has diverged .*: training stops and the last save is kept"):
        getattr(spinup, f"{algorithm}_{backend}")(EnvFn("CartPole-v1"), logger_kwargs={"output_dir": "run"}, **settings)
    assert last_epoch("run") == 0
    assert spinup.load("run").act(np.zeros(4)) in (0, 1)


@pytest.mark.parametrize(
    ("env_id", "told"),
    [
        ("Gone-v0", "'Gone-v0' is not registered here: import the package"),
        ("no_such_module:Gone-v0", "needs code from no_such_module"),
    ],
)
def test_an_environment_that_is_not_here(env_id, told):
    forge(id=env_id)
    with pytest.raises(UserError, match=told):
        load_env("run")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kwargs": {"gravity": 3}}, r"'CartPole-v1' .* built here \(.*unexpected keyword argument 'gravity'\)\.$"),
        ({"max_episode_steps": -5}, r"'CartPole-v1' .* built here \(.*to be positive, actually: -5\)\.$"),
        ({"id": "Hopper-v3"}, r"'Hopper-v3' .* built here \(.*gymnasium-robotics.*\)\.$"),
    ],
    ids=str,
)
def test_an_environment_that_gymnasium_refuses_to_build(changes, told):
    """Its arguments may be those of another version, and its package may not be installed here."""
    forge(**changes)
    with pytest.raises(UserError, match=told):
        load_env("run")


def test_a_trusted_environment_whose_module_is_not_here():
    forge(id="no_such_module:Gone-v0")
    with pytest.raises(UserError, match="no module 'no_such_module'"):
        load_env("run", trust=True)


def test_an_environment_kept_as_a_pickle_is_kept_beside_other_state():
    logger = EpochLogger("run")
    logger.save_env(lambda: gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda r: 2 * r))
    logger.save_state({"epoch": 7})
    logger.log_tabular("Epoch", 7)
    logger.dump_tabular()
    env = load_env("run", trust=True)
    env.reset(seed=0)
    assert env.step(0)[1] == 2


@pytest.mark.parametrize("make", [spinup.ppo_pytorch, spinup.ppo_jax])
def test_a_run_whose_log_has_another_name_is_found_and_kept(make):
    def run(seed, name):
        where = dict(output_dir="out", output_fname=name)
        make(lambda: gym.make("CartPole-v1"), seed=seed, steps_per_epoch=80, epochs=1, logger_kwargs=where)

    run(0, "seed0.txt")
    saved = {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file() and file.name != ".lock"}
    with pytest.raises(UserError, match="'out' already holds a run"):
        run(1, "seed1.txt")
    assert all(file.read_bytes() == data for file, data in saved.items())
    assert spinup.load("out").act(np.zeros(4)) in (0, 1)
    load_env("out").close()
    assert [str(found) for found in find_runs(Path("."), (), ())] == ["out"]
    assert read_run(Path("out")).columns["Epoch"].tolist() == [0]
    Path("out/seed0.txt").unlink()
    with pytest.raises(UserError, match="'out' already holds a run"):
        run(0, "seed0.txt")
