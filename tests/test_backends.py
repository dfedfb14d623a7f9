"""A backend whose framework is not installed: one sentence with the command that installs it."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

import spinup
from spinup import backends
from spinup.backends import (
    MissingFramework,
    about,
    algorithms,
    backend_of,
    backend_of_agent,
    import_backend,
    missing_packages,
)


def without(package, code):
    """The exit status and the error output of ``code`` in a process where ``package`` is not installed."""
    code = f"import sys, spinup.run\nsys.modules[{package!r}] = None\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("command", "package", "told"),
    [
        ("sac_jax", "jax", "The backend 'jax' needs jax, not installed here: run pip install \"spinningup[jax]\"."),
        ("dqn_jax", "optax", "The backend 'jax' needs optax, not installed here: run pip install \"spinningup[jax]\"."),
        ("ppo", "torch", "The backend 'pytorch' needs torch, not installed here: run pip install torch."),
    ],
)
def test_training_without_the_framework_gets_one_line(command, package, told):
    arguments = [command, "--env", "CartPole-v1"]
    assert without(package, f"spinup.run.main({arguments})") == (2, f"error: {told}\n")


@pytest.mark.parametrize("package", ["torch", "jax"])
def test_the_help_needs_no_framework(package):
    assert without(package, "spinup.run.main(['--help'])") == (0, "")


def test_several_packages_are_named_at_once(monkeypatch):
    for package in ("jax", "optax", "safetensors"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingFramework, match="needs jax and optax and safetensors, not installed here"):
        import_backend("jax", "core")


def test_in_python_it_is_an_import_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(ImportError, match="needs jax"):
        from spinup import sac_jax  # noqa: F401


@pytest.mark.parametrize("backend", spinup.ALGORITHMS)
def test_what_is_installed_is_imported(backend):
    assert missing_packages(backend) == []
    assert import_backend(backend, "dqn").dqn is getattr(spinup, f"dqn_{backend}")


# ---- what a backend is ----


def test_the_algorithms_are_the_files_there_are_in_the_order_of_the_course():
    assert list(algorithms()) == ["pytorch", "jax"]
    for backend, found in algorithms().items():
        files = {file.stem for file in Path(about(backend).__file__).parent.glob("*.py")}
        assert {*found} == files - {"__init__", "core", "training", "backend"}
        assert found[:7] == ("vpg", "trpo", "ppo", "dqn", "ddpg", "td3", "sac")


@pytest.mark.parametrize("backend", algorithms())
def test_what_is_known_of_a_backend_needs_no_framework(backend):
    names = "PACKAGES, INSTALL, DATA_PARALLEL, MODEL_FILE"
    code = f"from spinup.backends import about; about({backend!r}).PACKAGES"
    (framework, *_), install, data_parallel, model_file = (getattr(about(backend), name) for name in names.split(", "))
    assert without(framework, code) == (0, "")
    assert without(framework, f"from spinup.algos.{backend} import {names}") == (0, "")
    assert install.startswith("pip install ") and isinstance(data_parallel, bool)
    assert model_file.format("") != model_file.format(3)


def test_every_backend_answers_the_house_by_the_same_names():
    def named(backend):
        module = import_backend(backend, "backend")
        own = {name for name, x in vars(module).items() if getattr(x, "__module__", "") == module.__name__}
        return {name for name in own | {"check_activation"} if name[0] != "_" and hasattr(module, name)}

    assert named("pytorch") == named("jax")
    for name in named("pytorch"):
        one, other = (inspect.signature(getattr(import_backend(b, "backend"), name)) for b in ("pytorch", "jax"))
        assert len(one.parameters) == len(other.parameters)


@pytest.mark.parametrize(
    ("dotted", "backend"),
    [
        ("spinup.algos.jax.sac.sac", "jax"),
        ("spinup.algos.pytorch.core.MLPActorCritic", "pytorch"),
        ("spinup.algos.pytorch.", "pytorch"),
        ("spinup.algos.pytorch", ""),
        ("spinup.records.run.Run", ""),
        ("mine.spinup.algos.jax.sac", ""),
        ("", ""),
    ],
)
def test_a_dotted_name_tells_its_backend(dotted, backend):
    assert backend_of(dotted) == backend


def test_an_agent_tells_its_backend():
    where = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)
    assert backend_of_agent(import_backend("pytorch", "core").MLPActorCritic(*where)) == "pytorch"
    assert backend_of_agent(import_backend("jax", "core").MLPActorCritic.create(*where)) == "jax"
    for other in (None, "agent", object(), np.zeros(3), import_backend("jax", "core").MLPActorCritic):
        with pytest.raises(TypeError, match=r"is not an agent of any backend \(pytorch, jax\)$"):
            backend_of_agent(other)


def test_looking_for_the_backend_of_an_agent_imports_none():
    code = "from spinup.backends import backend_of_agent\ntry: backend_of_agent(3)\nexcept TypeError: pass\n"
    code += "assert not {'torch', 'jax'} & {*sys.modules}, [*sys.modules]"
    assert without("tensorflow", code) == (0, "")


def test_an_algorithm_is_a_file_that_defines_a_function_of_its_name(tmp_path):
    files = {"core": "def start(): ...", "sac": "\ndef sac(env_fn): ...", "helpers": "x = 1", "_new": "def new(): ..."}
    for stem, text in files.items():
        (tmp_path / f"{stem}.py").write_text(text, encoding="utf-8")
    (tmp_path / "zap.py").write_text('"""Mine."""\n\n\ndef zap(env_fn): ...\n', encoding="utf-8")
    assert backends._algorithms_in(tmp_path) == ("sac", "zap")
