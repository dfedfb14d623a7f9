"""Where Gymnasium's ids come from: the modules that register them when they are imported."""

import importlib
import importlib.util
import inspect
import re
import sys
from types import ModuleType

import gymnasium as gym

from spinup.errors import UserError

# Environments of other packages, by the first part of their names: what to install, and the module that registers them.
_PACKAGES = {
    "ALE": ("ale-py", "ale_py"),
    "dm_control": ("shimmy[dm-control]", "shimmy"),
    "Meta-World": ("metaworld", "metaworld"),
}
SCRIPT = "__main__"  # the running script or notebook, which no other process can import


def import_module_of(env_name: str) -> None:
    """Import ``my_module`` of ``'my_module:MyEnv-v0'``, which registers the environment."""
    module, colon, _ = env_name.rpartition(":")
    if not colon:
        return
    if not all(module.split(".")):
        raise UserError(f"{env_name!r} has no module before its colon: write it as my_module:MyEnv-v0.")
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        advice = "leave out .py" if module.endswith(".py") else "install it, or run from the folder that contains it"
        raise UserError(
            f"There is no module {error.name!r} to import for the environment {env_name!r}: {advice}."
        ) from error


def needed_package(env_name: str) -> str:
    """The rest of a sentence on an environment of :data:`_PACKAGES`; empty for any other."""
    package, module = _PACKAGES.get(env_name.partition("/")[0], ("", ""))
    if not package:
        return ""
    if importlib.util.find_spec(module) is None:
        return f'needs {package}: run pip install "{package}", and write it as {module}:{env_name}.'
    return f"is registered by {package}: write it as {module}:{env_name}."


def with_module(env_name: str) -> str:
    """``env_name`` as another process can build it: ``'gym_foo:Foo-v0'`` for ``'Foo-v0'``, which gym_foo registers."""
    module = module_that_registers(env_name)
    return env_name if module in ("", SCRIPT) else f"{module}:{env_name}"


def module_that_registers(env_name: str) -> str:
    """The imported module that registers ``env_name``, :data:`SCRIPT`, or ``""`` if none needs to be imported.

    Gymnasium keeps no record of it: it is the module whose source calls ``register`` with the id, or else the package
    of the environment's class, if that registers anything.
    """
    if env_name not in gym.registry:  # nothing registers it, or it already names its module
        return ""
    entry_point = gym.registry[env_name].entry_point
    home = entry_point.partition(":")[0] if isinstance(entry_point, str) else getattr(entry_point, "__module__", SCRIPT)
    call = rf"""register\((?:[^)]*\bid\s*=)?\s*["']{re.escape(env_name)}["']"""
    if _top(home) == "gymnasium" and re.search(call, _source(gym.envs)):
        return ""
    others = {name: module for name, module in [*sys.modules.items()] if _top(name) not in ("gymnasium", "spinup")}
    for name, module in others.items():
        if _uses_gymnasium(module) and re.search(call, _source(module)):
            return name
    in_package = (module for name, module in others.items() if _top(name) == _top(home))
    return _top(home) if any("register(" in _source(module) for module in in_package) else SCRIPT


def _top(module: str) -> str:
    return module.partition(".")[0]


def _uses_gymnasium(module: ModuleType) -> bool:
    """Whether a name in ``module`` stands for Gymnasium; reading the source of every module would take seconds."""
    doors = (gym, gym.register, gym.envs, gym.envs.registration)
    return any(value is door for value in [*getattr(module, "__dict__", {}).values()] for door in doors)


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # there is none, as in a notebook or an extension in C
        return ""
