"""The backends: their algorithms, whether their frameworks are installed, and how to install them."""

import functools
import gc
import importlib
import importlib.util
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from spinup.errors import UserError
from spinup.interrupts import importing

_ALGOS = Path(__file__).parent / "algos"
_COURSE = ("vpg", "trpo", "ppo", "dqn", "ddpg", "td3", "sac")  # the order of the course; other algorithms follow

# The module for each first part of a dotted name.
FRAMEWORKS = {
    "torch": "torch",
    "np": "numpy",
    "numpy": "numpy",
    "tf": "tensorflow",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "optax": "optax",
}


class MissingFramework(UserError, ModuleNotFoundError):
    """A backend's framework is not installed; also an ImportError, which callers of ``import`` expect."""


@functools.cache
def algorithms() -> dict[str, tuple[str, ...]]:
    """The algorithms of each backend: the files in ``algos/`` that define a function of their own name.

    They come in the order of the course, PyTorch first.
    """
    folders = sorted(file.parent for file in _ALGOS.glob("*/core.py"))
    folders.sort(key=lambda folder: folder.name != "pytorch")
    return {folder.name: _algorithms_in(folder) for folder in folders}


def _algorithms_in(folder: Path) -> tuple[str, ...]:
    found = {file.stem for file in folder.glob("*.py") if f"\ndef {file.stem}(" in file.read_text(encoding="utf-8")}
    return (*(name for name in _COURSE if name in found), *sorted(found - {*_COURSE}))


def about(backend: str) -> ModuleType:
    """The package ``spinup.algos.<backend>``; importing it does not import the framework."""
    return importlib.import_module(f"spinup.algos.{backend}")


def missing_packages(backend: str) -> list[str]:
    """The packages of ``backend`` that are not installed; imports none of them."""
    return [package for package in about(backend).PACKAGES if importlib.util.find_spec(package) is None]


def backend_of(dotted: str) -> str:
    """The backend in a dotted name such as ``spinup.algos.jax.sac.sac``; empty if it belongs to none."""
    home = re.match(r"spinup\.algos\.(\w+)\.", dotted)
    return home[1] if home else ""


def backend_of_agent(agent: Any) -> str:
    """The backend that can save and load ``agent``.

    Raises:
        TypeError: if ``agent`` belongs to no backend whose framework is imported.
    """
    for backend in algorithms():
        imported = about(backend).PACKAGES[0] in sys.modules
        if imported and import_backend(backend, "backend").is_agent(agent):
            return backend
    raise TypeError(f"{agent!r} is not an agent of any backend ({', '.join(algorithms())})")


def no_such_name(module: str, name: str) -> AttributeError | ImportError:
    """The error for a ``name`` that ``module`` lacks, which names the training functions that may be meant.

    An AttributeError, unless ``from module import name`` asks for it: this drops the message of an AttributeError, but
    not that of an ImportError.
    """
    algo = name.partition("_")[0].lower()
    meant = [f"{algo}_{backend}" for backend, algos in algorithms().items() if algo in algos]
    hint = f": import {' or '.join(meant)} from spinup" if meant else ""
    is_imported = sys._getframe(2).f_code.co_name == "_handle_fromlist"
    error = ImportError if meant and is_imported else AttributeError
    return error(f"module {module!r} has no attribute {name!r}{hint}")


def run_as_command(file: str) -> None:
    """Train the algorithm in ``file``, run as a script, as ``python -m spinup.run`` with the same flags does."""
    path = Path(file)
    sys.argv[:1] = ["spinup", f"{path.stem}_{path.parent.name}"]
    runpy.run_module("spinup.run", run_name="__main__")


def exempt_imports_from_gc() -> None:
    """Stop the garbage collector from repeatedly scanning every object of the imported libraries."""
    gc.unfreeze()  # objects of an earlier training in this process may be garbage by now
    gc.collect()
    gc.freeze()


def import_backend(backend: str, module: str) -> ModuleType:
    """The module ``spinup.algos.<backend>.<module>``.

    Raises:
        MissingFramework: if a package of the backend is not installed; the message gives the command to install it.
    """
    if missing := missing_packages(backend):
        raise MissingFramework(
            f"The backend {backend!r} needs {' and '.join(missing)}, not installed here: run {about(backend).INSTALL}."
        )
    with importing():
        return importlib.import_module(f"spinup.algos.{backend}.{module}")
