"""``import spinup``: every name, and nothing before it is asked for (DESIGN section 2; defect 21)."""

import importlib
import json
import subprocess
import sys

import pytest

import spinup

FRAMEWORKS = ["torch", "jax", "tensorflow", "mpi4py", "ray"]


def loaded_after(code, names):
    """Which of ``names`` a fresh process has imported after ``code``."""
    code = f"{code}\nimport json, sys; print(json.dumps([n for n in {names!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_the_package_imports_nothing_heavy():
    heavy = [*FRAMEWORKS, "numpy", "gymnasium", "matplotlib", "scipy", "spinup.records.logger"]
    assert loaded_after("import spinup; dir(spinup); spinup.__all__; spinup.__version__", heavy) == []


def test_the_tools_need_no_framework():
    code = "import spinup; spinup.EpochLogger, spinup.ExperimentGrid, spinup.load, spinup.Logger"
    assert loaded_after(code, [*FRAMEWORKS, "spinup.records.logger"]) == ["spinup.records.logger"]


def test_frameworks_that_are_not_installed_are_not_missed():
    code = f"""
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FRAMEWORKS}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
import spinup, spinup.run, spinup.analysis.plot, spinup.analysis.policy
spinup.EpochLogger, spinup.ExperimentGrid
try:
    spinup.ppo_pytorch
except ModuleNotFoundError as error:
    assert str(error) == "torch"
"""
    assert loaded_after(code, [*FRAMEWORKS, "spinup.records.agents"]) == ["spinup.records.agents"]


@pytest.mark.parametrize("name", spinup.__all__)
def test_every_name_is_there(name):
    value = getattr(spinup, name)
    assert value is getattr(spinup, name)
    assert name in dir(spinup)


def test_the_names_of_the_algorithms():
    for backend, algos in spinup.ALGORITHMS.items():
        for algo in algos:
            module = importlib.import_module(f"spinup.algos.{backend}.{algo}")
            assert getattr(spinup, f"{algo}_{backend}") is getattr(module, algo)


def test_star_import_gives_every_name():
    names = {}
    exec("from spinup import *", names)
    assert set(spinup.__all__) <= set(names)


@pytest.mark.parametrize("module", ["spinup", "spinup.algos"])
@pytest.mark.parametrize("name", ["ppo", "PPO", "ppo_tf1"])
def test_names_of_the_original_say_what_is_meant(module, name):
    hint = rf"module '{module}' has no attribute '{name}': import ppo_pytorch or ppo_jax from spinup"
    with pytest.raises(ImportError, match=hint):
        exec(f"from {module} import {name}")
    with pytest.raises(AttributeError, match=hint):
        getattr(importlib.import_module(module), name)


def test_addresses_of_the_original():
    from spinup.algos.pytorch import core

    for line in (
        "from spinup.algos.pytorch.ppo import core",
        "import spinup.algos.pytorch.ppo.core as core",
        "from spinup.algos.pytorch.sac.core import mlp; core = __import__('sys').modules[mlp.__module__]",
    ):
        names = {}
        exec(line, names)
        assert names["core"] is core
    exec("from spinup.utils.serialization_utils import convert_json")


def test_functions_of_the_original_core():
    from spinup.algos.pytorch import core

    assert [core.combined_shape(3, *shape) for shape in ([], [4], [(4, 5)])] == [(3,), (3, 4), (3, 4, 5)]
    assert core.count_vars(core.mlp([2, 3], core.nn.Tanh)) == 9
    assert core.discount_cumsum([1, 2, 3], 0.5).tolist() == [2.75, 3.5, 3]


@pytest.mark.parametrize("name", ["ppo", "ppo_tensorflow", "a2c_pytorch", "_nothing", "torch"])
def test_other_names_are_attribute_errors(name):
    with pytest.raises(AttributeError, match=f"module 'spinup' has no attribute '{name}'"):
        getattr(spinup, name)
    assert not hasattr(spinup, name)
    with pytest.raises(ImportError):
        exec(f"from spinup import {name}")
