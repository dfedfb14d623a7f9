"""Copying a run directory to another machine: finding its changes, and writing them there."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from spinup.records.directory import PROGRESS, log_file
from spinup.records.files import write_atomically


class Changes(NamedTuple):
    """Contents of new and changed files, by name, and the names of removed files."""

    files: dict[str, bytes]
    removed: list[str]


def read_all(folder: Path, leave_out: str) -> Changes:
    """All files below ``folder``, except those named ``leave_out`` and hidden ones (half-written files, the lock)."""
    return Changes({name: (folder / name).read_bytes() for name in _scan(folder, leave_out)}, [])


def write_all(changes: Changes, folder: Path) -> None:
    """Apply ``changes`` to ``folder`` in order, each file atomically, so that an interruption does no harm."""
    for name, data in changes.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, partial(_write, data))
    for name in changes.removed:
        (folder / name).unlink(missing_ok=True)


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)


class Mirror:
    """Finds the changes in ``folder`` since the last call of :meth:`changes`, or since construction."""

    def __init__(self, folder: Path, leave_out: str):
        self._folder, self._leave_out = folder, leave_out
        self._seen = _scan(folder, leave_out)

    def changes(self) -> Changes:
        """The changes, oldest first; during a save, only those of the log.

        Every copy is therefore a state that the run was in, with a log that is never behind its checkpoint.
        """
        now = _scan(self._folder, self._leave_out)
        changed = sorted((name for name in now if now[name] != self._seen.get(name)), key=now.__getitem__)
        try:
            files = {name: (self._folder / name).read_bytes() for name in changed}
        except FileNotFoundError:  # a file was removed after the scan
            return Changes({}, [])
        later = _scan(self._folder, self._leave_out)
        log = (log_file(self._folder) or Path(PROGRESS)).name  # grows at any time; other files change in a save
        if {**now, log: None} != {**later, log: None}:
            return self._only(log, files, now)
        removed = [name for name in self._seen if name not in now]
        self._seen = now
        return Changes(files, removed)

    def _only(self, name: str, files: dict[str, bytes], now: dict[str, tuple]) -> Changes:
        if name not in files:
            return Changes({}, [])
        self._seen[name] = now[name]
        return Changes({name: files[name]}, [])


def _scan(folder: Path, leave_out: str) -> dict[str, tuple[int, int, int]]:
    """The time, size and inode of each file, which change with its contents."""
    found = {}
    for path in folder.rglob("*"):
        if path.name == leave_out or path.name.startswith(".") or not path.is_file():
            continue
        try:
            stat = path.stat()
        except FileNotFoundError:  # removed after it was listed
            continue
        found[path.relative_to(folder).as_posix()] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return found
