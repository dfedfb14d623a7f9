"""A backend whose framework is not installed: one sentence with the command that installs it."""

import subprocess
import sys

import pytest

import spinup
from spinup.backends import MissingFramework, import_backend, missing_packages


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
