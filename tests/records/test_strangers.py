"""The run directory of a stranger: whatever its files name, nothing of it runs unless it is trusted."""

import json
import os
import shutil
import sys
from pathlib import Path

import jax
import pytest
import torch

import spinup
from spinup import run
from spinup.commands.resume import continuation_of
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.records.config import read_call
from spinup.records.environment import load_env_fn

SMALL = dict(
    steps_per_epoch=8, num_envs=1, epochs=1, train_pi_iters=1, train_v_iters=1, ac_kwargs={"hidden_sizes": [2]}
)
EVIL = "import os\nos.mkdir('sentinel')\n"
HUB = {"repo_or_dir": "bait", "model": "m", "source": "local"}


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    where = tmp_path_factory.mktemp("stranger") / "run"
    spinup.ppo_pytorch(EnvFn("CartPole-v1"), **SMALL, logger_kwargs={"output_dir": where, "exp_name": "run"})
    return where


@pytest.fixture(autouse=True)
def _bait(small_run, monkeypatch):
    """A run of PPO, and code beside it that makes the directory ``sentinel``."""
    monkeypatch.syspath_prepend(Path.cwd())
    shutil.copytree(small_run, "run")
    Path("bait").mkdir()
    Path("bait/hubconf.py").write_text(EVIL + "def m(*args, **kwargs): ...\n")
    Path("evil_module.py").write_text(EVIL + "def train(epochs): ...\nclass Agent: ...\n")
    yield
    sys.modules.pop("evil_module", None)


def sentinel():
    return Path("sentinel").exists()


def forge(name="config.json", **changes):
    file = Path("run", name)
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refusals():
    """What ``resume`` and ``rerun`` answer, having started nothing."""
    told = set()
    for command in (["resume", "run", "--epochs", "2"], ["rerun", "run", "--data_dir", "again"]):
        with pytest.raises(UserError) as raised:
            run.dispatch(command)
        told.add(str(raised.value))
    assert not sentinel() and "evil_module" not in sys.modules
    (sentence,) = told
    assert "\n" not in sentence
    return sentence


# ---- config.json: what is called ----

ALGORITHMS = {
    "torch.hub.load": HUB,
    "spinup.algos.pytorch.core.torch.hub.load": HUB,
    "spinup.algos.pytorch.ppo.core.torch.hub.load": HUB,
    "spinup.load": {"path": "run", "trust": True},
    "spinup.records.agents.load": {"path": "run", "trust": True},
    "spinup.commands.run_entrypoint.run": {"argv": ["run/vars.pkl"]},
    "spinup.algos.pytorch.ppo.update": {},
    "spinup.algos.pytorch.ppo.ppp": {},
    "spinup.algos.tf1.ppo.ppo": {},
    "spinup.ppo_pytorch": {},
    "numpy.load": {"file": "run/vars.pkl", "allow_pickle": True},
    "jax.tree.map": {},
    "os.system": {"command": "mkdir sentinel"},
    "evil_module.train": {},
    "": {},
    ".": {},
}


@pytest.mark.parametrize(("name", "arguments"), ALGORITHMS.items(), ids=ALGORITHMS)
def test_an_algorithm_is_one_of_ours(name, arguments):
    forge(algorithm=name, **arguments)
    assert refusals() == (
        f"{name!r} is not one of spinup's algorithms and could run any code: add trust=True if the run is your own."
    )


def test_the_attacks_above_would_do_something():
    forge(algorithm="torch.hub.load", **HUB)
    function, kwargs, _ = read_call(Path("run"), trust=True)
    function(**kwargs)
    assert sentinel()


@pytest.mark.parametrize(
    "name",
    [
        "torch.hub.load",
        "torch.nn.Tanh",
        "spinup.algos.pytorch.core.torch.hub.load",
        "spinup.algos.pytorch.training.start",
        "spinup.algos.jax.backend.from_file",
        "spinup.load",
        "evil_module.Agent",
    ],
)
def test_an_agent_is_one_of_ours(name):
    forge(actor_critic=name, ac_kwargs=HUB)
    assert refusals().startswith(f"{name!r} is not one of spinup's agents and could run any code: add trust=True")


@pytest.mark.parametrize(
    "name",
    [
        "torch.hub.load",
        "torch.hub.load.Tanh",
        "torch.utils.collect_env.main",
        "torch.nn.functional.os.system",
        "torch.nn.init",
        "torch.nn.no_such",
        "torch.nn.modules.activation.no_such",
        "jax.nn.initializers",
        "jax.nn.__loader__",
        "jax.numpy.load",
        "jax._src.nn.functions.partial",
        "numpy.load",
        "np.load",
        "tensorflow.io.read_file",
    ],
)
@pytest.mark.parametrize("key", ["activation", "hidden_sizes", "path"])
def test_an_activation_is_one_of_the_frameworks(name, key):
    forge(ac_kwargs={key: name})
    told = f"{name!r} is not one of the activations of torch.nn and jax.nn and could run any code: add trust=True"
    assert refusals().startswith(told)


@pytest.mark.parametrize("layer", [torch.nn.ELU, torch.nn.Tanh, torch.nn.Identity, torch.nn.GELU])
def test_harmless_activations_of_pytorch_come_back(layer):
    forge(ac_kwargs={"activation": f"{layer.__module__}.{layer.__qualname__}"})
    assert read_call(Path("run"))[1]["ac_kwargs"] == {"activation": layer}


@pytest.mark.parametrize("function", [jax.nn.relu, jax.nn.tanh, jax.nn.elu, jax.nn.silu, jax.nn.hard_swish])
def test_harmless_activations_of_jax_come_back(function):
    forge(ac_kwargs={"activation": f"{function.__module__}.{function.__qualname__}"})
    assert read_call(Path("run"))[1]["ac_kwargs"] == {"activation": function}


@pytest.mark.parametrize("name", [f"{algo}_{back}" for back, algos in spinup.ALGORITHMS.items() for algo in algos])
def test_every_algorithm_of_ours_comes_back_with_every_agent_of_its_backend(name):
    algo, backend = name.split("_")
    forge(algorithm=f"spinup.algos.{backend}.{algo}.{algo}", actor_critic=None)
    assert read_call(Path("run"))[0] is getattr(spinup, name)
    agent = "TD3ActorCritic" + (".create" if backend == "jax" else "")
    forge(actor_critic=f"spinup.algos.{backend}.core.{agent}")
    assert callable(read_call(Path("run"))[1]["actor_critic"])


# ---- config.json: where is written ----


@pytest.mark.parametrize("name", ["../stolen.txt", "checkpoint/../../x", str(Path("x").absolute()), "", "..", 3, None])
def test_a_resumed_run_logs_into_its_own_directory(name):
    forge(logger_kwargs={"output_fname": name})
    with pytest.raises(UserError, match="for the run's log, which is not a file in its directory: add --trust"):
        continuation_of(Path("run"), 2, trust=False)


def test_a_log_of_another_name_is_gone_on_with():
    forge(logger_kwargs={"output_fname": "log.txt"})
    assert continuation_of(Path("run"), 2, trust=False).kwargs["logger_kwargs"]["output_fname"] == "log.txt"


@pytest.mark.skipif(os.name == "nt", reason="few may make links there")
@pytest.mark.parametrize("name", ["checkpoint", "pyt_save", "config_of_others.json", "checkpoint/.lock"])
def test_a_resumed_run_follows_no_links(name):
    shutil.copytree("run/checkpoint", "yours")
    Path("yours/work").write_text("of years")
    link = Path("run", name)
    if link.exists():
        shutil.rmtree(link) if link.is_dir() else link.unlink()
    link.symlink_to(Path("yours").absolute())
    with pytest.raises(UserError, match=f"^{str(link)!r} is a link, .* delete files elsewhere: add --trust"):
        run.dispatch(["resume", "run", "--epochs", "2"])
    assert Path("yours/work").is_file()
    assert continuation_of(Path("run"), 2, trust=True)


# ---- env.json ----


@pytest.mark.parametrize("env_id", ["evil_module:CartPole-v1", "bait.hubconf:CartPole-v1", "evil_module:Evil-v0"])
def test_a_known_name_does_not_import_a_module(env_id):
    forge("env.json", id=env_id)
    module = env_id.partition(":")[0]
    assert f"needs code from {module}: add trust=True to import it" in refusals()


WRAPPERS = [
    "gymnasium.wrappers.common:deepcopy",
    "gymnasium.wrappers.rendering:os",
    "gymnasium.wrappers.rendering:RecordVideo",
    "gymnasium.wrappers.vector.rendering:RecordVideo",
    "gymnasium.wrappers.array_conversion:module_name_to_namespace",
    "gymnasium.wrappers.array_conversion:ArrayConversion",
    "gymnasium.wrappers.no_such:TimeLimit",
    "gymnasium.wrappers.common:TimeLimit:x",
    "gymnasium.wrappers:__getattr__",
    "gymnasium.wrappers:importlib",
    "gymnasium.wrappers.evil_module:TimeLimit",
    "evil_module:TimeLimit",
    "TimeLimit",
    "",
]


@pytest.mark.parametrize("entry_point", WRAPPERS)
def test_a_wrapper_is_one_of_gymnasiums(entry_point):
    forge(
        "env.json", additional_wrappers=[{"name": "W", "entry_point": entry_point, "kwargs": {"name": "evil_module"}}]
    )
    with pytest.raises(UserError, match=r"needs code from .*: add trust=True"):
        run.dispatch(["test_policy", "run", "--norender", "-n", "1"])
    with pytest.raises(UserError, match=r"needs code from .*: add trust=True"):
        load_env_fn(Path("run"))()  # as the process of a resumed run does
    assert not sentinel()


# ---- the agent ----


def test_an_agent_with_a_function_in_place_of_its_method_is_refused():
    agent = spinup.load("run")
    agent.act = torch.hub.load
    torch.save(agent, "run/pyt_save/model.pt")
    with pytest.raises(UserError, match=r"made of torch\.hub\.load, .*: add trust=True"):
        run.dispatch(["test_policy", "run", "--norender"])
    with pytest.raises(UserError, match="its agent is a custom one"):
        run.dispatch(["convert", "run", "--to", "jax"])
