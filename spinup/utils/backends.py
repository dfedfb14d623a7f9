"""The backends' frameworks: whether they are installed, and what to say where they are not."""

import gc
import importlib
import importlib.util
import re
from types import ModuleType

from spinup.utils.errors import UserError

_PACKAGES = {"pytorch": ("torch",), "jax": ("jax", "optax", "safetensors")}
_INSTALL = {"pytorch": "pip install torch", "jax": 'pip install "spinningup[jax]"'}


class MissingFramework(UserError, ModuleNotFoundError):
    """A backend's framework is not installed; also an ImportError, as a failed ``import`` is in Python."""


def missing_packages(backend: str) -> list[str]:
    """Which packages of ``backend`` are not installed; imports none of them."""
    return [package for package in _PACKAGES[backend] if importlib.util.find_spec(package) is None]


def backend_of(dotted: str) -> str:
    """The backend of what has a dotted name, such as ``spinup.algos.jax.sac.sac``; empty if it belongs to none."""
    home = re.match(r"spinup\.algos\.(\w+)\.", dotted)
    return home[1] if home else ""


def spare_imports_from_collection() -> None:
    """Keep the garbage collector from looking through every object of the imported libraries, again and again."""
    gc.unfreeze()  # what an earlier training in this process left may be garbage by now
    gc.collect()
    gc.freeze()


def import_backend(backend: str, module: str) -> ModuleType:
    """The module ``spinup.algos.<backend>.<module>``.

    Raises:
        MissingFramework: if a package that the backend needs is not installed; says how to install it.
    """
    if missing := missing_packages(backend):
        raise MissingFramework(
            f"The backend {backend!r} needs {' and '.join(missing)}, not installed here: run {_INSTALL[backend]}."
        )
    return importlib.import_module(f"spinup.algos.{backend}.{module}")
