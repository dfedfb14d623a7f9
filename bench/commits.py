"""Which commit a benchmark runs."""

import subprocess
from pathlib import Path

from spinup.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def describe_commit() -> str:
    """The commit that is checked out, and whether the code that trains has been changed since.

    Raises:
        UserError: where there is no git, or no clone.
    """
    commit = _git("rev-parse", "HEAD")
    return f"{commit}, changed" if _git("status", "--porcelain", "--", "spinup", "bench/*.py") else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError("There is no git here to tell which commit trains: give it with --commit HASH.") from error
    return done.stdout.strip()
