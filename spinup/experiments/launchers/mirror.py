"""Copies of a run directory on another machine: what has changed in it, and how to write that elsewhere."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from spinup.records.files import write_atomically

_GROWING = "progress.txt"  # written to at any time; all other files belong to a save, and change together


class Changes(NamedTuple):
    """Contents of the files that are new or different, by their names, and the names of those that have gone."""

    files: dict[str, bytes]
    removed: list[str]


def read_all(folder: Path, leave_out: str) -> Changes:
    """Every file below ``folder``, but those named ``leave_out`` and hidden ones (half-written files, a lock)."""
    return Changes({name: (folder / name).read_bytes() for name in _scan(folder, leave_out)}, [])


def write_all(changes: Changes, folder: Path) -> None:
    """Make ``changes`` in ``folder``, in their order and each file at once, so that whatever ends this does no harm."""
    for name, data in changes.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, partial(_write, data))
    for name in changes.removed:
        (folder / name).unlink(missing_ok=True)


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)


class Mirror:
    """Tells what has changed in ``folder`` since it was made, or last asked."""

    def __init__(self, folder: Path, leave_out: str):
        self._folder, self._leave_out = folder, leave_out
        self._seen = _scan(folder, leave_out)

    def changes(self) -> Changes:
        """What is different now, the oldest first; while a save is under way, at most what has been logged.

        So whatever is copied is a state that the run has been in, and its log is never behind its checkpoint.
        """
        now = _scan(self._folder, self._leave_out)
        changed = sorted((name for name in now if now[name] != self._seen.get(name)), key=now.__getitem__)
        try:
            files = {name: (self._folder / name).read_bytes() for name in changed}
        except FileNotFoundError:  # something was removed since it was listed
            return Changes({}, [])
        later = _scan(self._folder, self._leave_out)
        if {**now, _GROWING: None} != {**later, _GROWING: None}:
            return self._only_growing(files, now)
        removed = [name for name in self._seen if name not in now]
        self._seen = now
        return Changes(files, removed)

    def _only_growing(self, files: dict[str, bytes], now: dict[str, tuple]) -> Changes:
        if _GROWING not in files:
            return Changes({}, [])
        self._seen[_GROWING] = now[_GROWING]
        return Changes({_GROWING: files[_GROWING]}, [])


def _scan(folder: Path, leave_out: str) -> dict[str, tuple[int, int, int]]:
    """For each file, what changes when its content does: time, size and inode."""
    found = {}
    for path in folder.rglob("*"):
        if path.name == leave_out or path.name.startswith(".") or not path.is_file():
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:  # removed since it was listed
            continue
        found[path.relative_to(folder).as_posix()] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found
