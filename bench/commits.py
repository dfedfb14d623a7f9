"""Which commit a benchmark measures."""

import subprocess
from pathlib import Path

from spinup.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def describe_commit() -> str:
    """The commit that is checked out, followed by ", changed" if the code that trains or measures differs from it.

    Raises:
        UserError: if git is not installed, or this is not a clone.
    """
    commit = _git("rev-parse", "HEAD")
    return f"{commit}, changed" if _git("status", "--porcelain", "--", "spinup", "bench/*.py") else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError("git cannot report the commit here: name it with --commit HASH.") from error
    return done.stdout.strip()
