"""Atomic writes, and trees of numbers, text and arrays as bytes."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spinup.errors import UserError, setting


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file, then rename it to ``path``: readers see the old file or the new one.

    This holds even after a loss of power. A missing folder is created.

    Raises:
        UserError: if it cannot be written, for instance because the disk is full; the old file is kept.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with reporting_write_errors(path):
        path.parent.mkdir(exist_ok=True)
        try:
            write(temporary)
            with temporary.open("rb+") as file:  # Windows syncs only files open for writing
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def reporting_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError on writing ``path`` into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{str(path)!r} cannot be written ({error.strerror or error}). Earlier saves are kept: once this is fixed, "
            f"a training continues with {setting('--resume')}."
        ) from error


def versions(itr: int | None) -> list[str]:
    """Suffixes for the file names of one save: the snapshot's number, if any, and ``""`` for the latest."""
    return [""] if itr is None else [str(itr), ""]


def pack(tree: Any) -> bytes:
    """``tree`` as an uncompressed ``.npz``: its arrays with checksums, and the rest as JSON that refers to them."""
    arrays: list[np.ndarray] = []
    text = json.dumps(_take_arrays(tree, arrays))
    data = io.BytesIO()
    np.savez(data, np.frombuffer(text.encode(), np.uint8), *arrays)
    return data.getvalue()


def _take_arrays(x: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(x, dict):
        taken = {key: _take_arrays(value, arrays) for key, value in x.items()}
        return {"array": taken} if "array" in x else taken  # so that unpack() does not take the dict for an array
    if isinstance(x, list | tuple):
        return [_take_arrays(item, arrays) for item in x]
    if isinstance(x, np.ndarray):
        arrays.append(x)
        return {"array": len(arrays)}
    return x.item() if isinstance(x, np.generic) else x


def unpack(data: bytes) -> Any:
    """The inverse of :func:`pack`, except that tuples become lists; raises one of several errors if damaged."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:

        def put_arrays(x: Any) -> Any:
            if isinstance(x, list):
                return [put_arrays(item) for item in x]
            if isinstance(x, dict):
                if isinstance(number := x.get("array"), int):
                    return arrays[f"arr_{number}"]
                return {key: put_arrays(value) for key, value in x.get("array", x).items()}
            return x

        return put_arrays(json.loads(arrays["arr_0"].tobytes()))
