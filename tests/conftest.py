"""What every test shares: no display, no stray threads, no hurry, and a home for files that is not the checkout."""

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest

from spinup import backends

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):  # which images of containers set, and users do not
    os.environ.pop(name, None)
sys.dont_write_bytecode = False
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with & would ignore Ctrl-C
# What JAX compiles, which takes most of the time of its tests, is kept for the next test, process and call of pytest.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Each of the hundreds of runs here would look for garbage among all that all tests have imported.
backends.exempt_imports_from_gc = lambda: None

hypothesis.settings.register_profile("spinup", deadline=None)  # a busy machine is no mistake of the code
hypothesis.settings.load_profile("spinup")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def started(monkeypatch):
    """Collects the experiments that would run, instead of running them."""
    experiments = []
    monkeypatch.setattr("spinup.experiments.launch.run_in_series", lambda es, *_: experiments.extend(es))
    return experiments
