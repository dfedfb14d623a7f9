"""What every test shares: no display, no stray threads, no hurry, and a home for files that is not the checkout."""

import os

import hypothesis
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("OMP_NUM_THREADS", "1")

hypothesis.settings.register_profile("spinup", deadline=None)  # a busy machine is no mistake of the code
hypothesis.settings.load_profile("spinup")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
