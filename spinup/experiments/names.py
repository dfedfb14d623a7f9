"""Names of experiments and of their directories."""

import inspect
import os
import re
import string
import time
from pathlib import Path
from typing import Any

from spinup import user_config
from spinup.errors import UserError


def path_safe(value: Any) -> str:
    """``value`` in lower case, with only letters, digits, ``-`` and ``_``: ``0.1`` is ``0-1``.

    Callables are written by their ``__name__``, class methods after that of their class; the items of lists and tuples
    are joined with ``-``.
    """
    if inspect.ismethod(value) and isinstance(value.__self__, type):
        value = (value.__self__, value.__name__)
    if isinstance(value, list | tuple):
        return "-".join(path_safe(item) for item in value)
    text = str(getattr(value, "__name__", value)).lower()
    return re.sub(r"[^a-z0-9_-]", "-", text)


def shorten(key: str) -> str:
    """The first three characters of each part of ``key``: ``ac_kwargs:act`` is ``ac-act``, ``pi_lr`` is ``pi``."""
    kept = string.ascii_letters + string.digits
    return "-".join("".join(c for c in part[:3] if c in kept) for part in key.split(":"))


def setup_logger_kwargs(
    exp_name: str, seed: int | None = None, data_dir: str | os.PathLike | None = None, datestamp: bool = False
) -> dict[str, str]:
    """Choose the directory of an experiment: returns ``output_dir`` and ``exp_name`` for a ``Logger``.

    The directory is ``data_dir/exp_name``, with a seed ``data_dir/exp_name/exp_name_s<seed>``, and with a datestamp
    ``data_dir/YY-MM-DD_exp_name/YY-MM-DD_HH-MM-SS-exp_name_s<seed>``.

    Args:
        exp_name: name of the experiment.
        seed: seed of this run.
        data_dir: parent directory of all results; ``user_config.DEFAULT_DATA_DIR`` if None.
        datestamp: put date and time into the names (``user_config.FORCE_DATESTAMP`` does so always).

    Raises:
        UserError: if ``exp_name`` cannot be the name of a directory.

    Example:
        >>> setup_logger_kwargs("first", seed=10, data_dir="data")
        {'output_dir': 'data/first/first_s10', 'exp_name': 'first'}
    """
    _check_name(exp_name)
    stamped = datestamp or user_config.FORCE_DATESTAMP
    now = time.localtime()
    output_dir = Path(os.path.expanduser(data_dir or user_config.DEFAULT_DATA_DIR))
    output_dir /= (time.strftime("%y-%m-%d_", now) if stamped else "") + exp_name
    if seed is not None:
        output_dir /= (time.strftime("%y-%m-%d_%H-%M-%S-", now) if stamped else "") + f"{exp_name}_s{seed}"
    return {"output_dir": str(output_dir), "exp_name": exp_name}


def _check_name(exp_name: str) -> None:
    if not isinstance(exp_name, str) or not exp_name.strip(". ") or re.search(r'[<>:"/\\|?*\x00-\x1f]', exp_name):
        raise UserError(
            f"exp_name={exp_name!r} cannot name a directory: use letters, digits, '-', '_' and '.', "
            "and choose the parent directory with data_dir."
        )
    if len(exp_name) > 200:
        raise UserError(
            f"The experiment name {exp_name[:40]}... has {len(exp_name)} characters, too long for a directory: "
            "give short values or vary fewer parameters."
        )
