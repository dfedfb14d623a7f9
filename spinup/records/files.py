"""Files that are written whole or not at all, and trees of numbers, text and arrays as bytes."""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spinup.errors import UserError


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file, then rename it to ``path``: readers see the old file or the new one.

    Its folder is made if it is missing. Even a loss of power leaves one of the two.

    Raises:
        UserError: if it cannot be written, because the disk is full for instance; the old file is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with saying_what_failed(path):
        path.parent.mkdir(exist_ok=True)
        try:
            write(temporary)
            with temporary.open("rb+") as file:  # "rb" would be enough, but not on Windows
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def saying_what_failed(path: Path) -> Iterator[None]:
    """Turn an error of the system about ``path`` into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): what was saved before is still there; "
            "fix this, then add --resume."
        ) from error


def versions(itr: int | None) -> list[str]:
    """What follows the name of each file that a save writes: the snapshot's number, and nothing for the last one."""
    return [""] if itr is None else [str(itr), ""]


def pack(tree: Any) -> bytes:
    """``tree`` as an uncompressed ``.npz``: its arrays, each with a checksum, and the rest as JSON that names them."""
    arrays: list[np.ndarray] = []
    text = json.dumps(_take_arrays(tree, arrays))
    data = io.BytesIO()
    np.savez(data, np.frombuffer(text.encode(), np.uint8), *arrays)
    return data.getvalue()


def _take_arrays(x: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(x, dict):
        taken = {key: _take_arrays(value, arrays) for key, value in x.items()}
        return {"array": taken} if "array" in x else taken  # so that it is not taken for an array itself
    if isinstance(x, list | tuple):
        return [_take_arrays(item, arrays) for item in x]
    if isinstance(x, np.ndarray):
        arrays.append(x)
        return {"array": len(arrays)}
    return x


def unpack(data: bytes) -> Any:
    """What :func:`pack` was given (tuples come back as lists); raises one of several errors if it is damaged."""
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
