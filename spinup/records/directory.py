"""The layout of a run directory, and how to find runs.

    config.json  progress.txt      written by the logger
    env.json                       how to rebuild the environment; vars.pkl instead holds a pickle if JSON cannot
    normalization.json             means and variances of the environment's normalising wrappers, if it has any
    pyt_save/model.pt              the trained agent; model<itr>.pt are snapshots
    jax_save/model.safetensors     the same for JAX
    checkpoint/                    the state to resume from: see checkpoints.py
    tensorboard/  wandb/           files of the trackers

Every write is atomic. Loading executes no code from the directory unless ``trust`` is true.
"""

import json
import os
import re
import shutil
from pathlib import Path

import filelock

from spinup.errors import UserError, command, setting

OVERWRITE = "logger_kwargs=dict(overwrite=True)"  # what replaces a run, for a user who calls a training function
PROGRESS = "progress.txt"
CHECKPOINTS = "checkpoint"
_AGENTS = ("pyt_save", "jax_save", "tf1_save")
_CONTENTS = ("config.json", "env.json", "vars.pkl", "vars[0-9]*.pkl", "normalization*.json", *_AGENTS, CHECKPOINTS)
# What training has saved; the other files may be of a run that failed before its first epoch ended.
_SAVED = ("vars[0-9]*.pkl", *(f"{folder}/*" for folder in (*_AGENTS, CHECKPOINTS)))
_TRACKED = ("tensorboard", "wandb")


def holds_run(path: str | Path) -> bool:
    """Whether ``path`` is the output directory of a run: whether it holds a log, an agent or a checkpoint."""
    path = Path(path)
    return log_file(path) is not None or any(next(path.glob(pattern), None) for pattern in _SAVED)


def log_file(run: Path) -> Path | None:
    """The log of ``run``: ``progress.txt``, or the file that its ``config.json`` names; None if neither is there."""
    for name in (PROGRESS, _configured_log(run)):
        if (run / name).is_file():
            return run / name
    return None


def _configured_log(run: Path) -> str:
    try:
        name = json.loads((run / "config.json").read_text(encoding="utf-8"))["logger_kwargs"]["output_fname"]
    except (OSError, ValueError, LookupError, TypeError):
        return PROGRESS
    return name if isinstance(name, str) and name == Path(name).name else PROGRESS


def runs_below(folder: Path) -> list[Path]:
    """The directories at any depth below ``folder``, itself included, that hold a log; in order of their names.

    Links to directories are followed, though not in circles; a directory that is both inside and linked counts once.
    """
    found: dict[str, Path] = {}
    for follow in (False, True):  # links last, so that a directory goes by its own path if it has one here
        visited = set()
        for path, folders, files in os.walk(folder, followlinks=follow):
            real = os.path.realpath(path)
            if real in visited:
                folders.clear()
            elif {PROGRESS, "config.json"} & {*files} and log_file(Path(path)):
                found.setdefault(real, Path(path))
            visited.add(real)
    return sorted(found.values())


def refuse_existing_run(
    path: str | Path,
    overwrite: bool = False,
    resume: bool = False,
    progress: str = PROGRESS,
    differs: str = "",
    by_name: bool = False,
) -> None:
    """Raise UserError if ``path`` is a file, or already holds a run (diagnostics in a file named ``progress``).

    Either ``overwrite`` or ``resume`` allows an existing run; both together contradict each other.

    Args:
        differs: how that run differs from the one to start, so that it cannot be resumed; empty if it does not.
        by_name: whether ``path`` was made from the name of an experiment.
    """
    if overwrite and resume:
        raise UserError(
            f"overwrite and resume contradict each other: use overwrite to replace the run in {str(path)!r}, or resume "
            "to continue it."
        )
    if overwrite or resume:
        return
    if (Path(path) / progress).is_file() or holds_run(path):
        raise UserError(f"{str(path)!r} already holds a run{_ways_out(differs, by_name)}.")
    if Path(path).exists() and not Path(path).is_dir():
        raise UserError(f"{str(path)!r} is a file; results need a directory: choose another {_another(by_name)}.")


_DATE = ", {} to put the date in the name"


def _ways_out(differs: str, by_name: bool) -> str:
    overwrite = setting("--overwrite", "overwrite=True" if by_name else OVERWRITE)
    date = setting(_DATE.format("--dt"), _DATE.format("datestamp=True") if by_name else "")
    if not differs:
        resume = setting("--resume")
        return f": add {resume} to continue it, {overwrite} to replace it{date}, or choose another {_another(by_name)}"
    name = setting("--exp_name NAME", "exp_name='NAME'" if by_name else "logger_kwargs=dict(output_dir=...)")
    return (
        f" of another experiment ({differs}): add {name} to save this one elsewhere{date}, or {overwrite} to replace it"
    )


def _another(by_name: bool) -> str:
    return setting("--exp_name or --data_dir", "exp_name or data_dir" if by_name else "output_dir")


def make_run_dir(
    path: Path, overwrite: bool = False, resume: bool = False, progress: str = PROGRESS
) -> filelock.BaseFileLock:
    """Create the output directory of a run that writes its diagnostics to the file ``progress``.

    ``overwrite`` removes the files of an earlier run, and nothing else; ``resume`` keeps them.

    Returns:
        A lock, released once nothing in this process refers to it, or when the process ends.

    Raises:
        UserError: if ``path`` already holds a run and both are false, if both are true, if another process is training
            that run, or if the directory cannot be created.
    """
    refuse_existing_run(path, overwrite, resume, progress)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The output directory {str(path)!r} cannot be created: {error.strerror}.") from error
    lock = filelock.FileLock(path / ".lock", is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(f"{str(path)!r} is being trained by another process: wait for it, or end it first.") from None
    if overwrite:
        for log in (path / progress, path / _configured_log(path)):
            log.unlink(missing_ok=True)
        for old in (found for pattern in (*_CONTENTS, *_TRACKED) for found in path.glob(pattern)):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    return lock


def find_run(path: str | Path) -> Path:
    """``path``, if it is the output directory of a run.

    Raises:
        UserError: if it is not; the message lists runs below it.
    """
    path = Path(os.path.expanduser(path))
    if holds_run(path):
        return path
    below = [str(run) for run in runs_below(path)]
    if not below:
        what = f"holds no {PROGRESS}" if path.exists() else "does not exist"
        raise UserError(f"{str(path)!r} is not a run: it {what}. Give the output directory of one.")
    more = f" and {len(below) - 3} more" if len(below) > 3 else ""
    raise UserError(f"{str(path)!r} is not a run, but there are runs below it: {', '.join(below[:3])}{more}. Give one.")


def checkpoint_files(run: Path) -> dict[int, Path]:
    """The checkpoint files of ``run`` by epoch, the last one first."""
    numbered = ((re.fullmatch(r"epoch(\d+)\.npz", file.name), file) for file in (run / CHECKPOINTS).glob("epoch*.npz"))
    return dict(sorted(((int(name[1]), file) for name, file in numbered if name), reverse=True))


def last_epoch(run: str | Path) -> int | None:
    """The epoch, counted from 0, of the last checkpoint of ``run``; None if there is none."""
    return next(iter(checkpoint_files(Path(run))), None)


def after_interrupt(run: Path, arguments: str | None = None) -> str:
    """What an interruption has left of ``run``, and how to continue it.

    ``arguments`` are those of the command ``resume``, if they are more than its directory.
    """
    last = last_epoch(run)
    if last is None:
        return "Interrupted: nothing is saved yet."
    resume = setting(f"Resume with: {command(f'resume {arguments or run}')}", "Resume with resume=True.")
    return f"Interrupted: {str(run)!r} is saved up to the end of epoch {last}. {resume}"


def is_finished(run: str | Path, epochs: int | None = None) -> bool:
    """Whether ``run`` has been trained for ``epochs`` epochs; None: the number in its ``config.json``."""
    done = last_epoch(run)
    if done is None:
        return False
    if epochs is None:
        epochs = json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))["epochs"]
    return done + 1 >= epochs
