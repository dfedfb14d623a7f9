"""Which exercises are passed: a JSON file for each backend, in the data directory."""

import json
from datetime import date
from pathlib import Path

from spinup.errors import UserError
from spinup.records.files import reporting_write_errors, write_atomically


def _file(data_dir: str | Path, backend: str) -> Path:
    return Path(data_dir) / f"exercises_{backend}.json"


def passed(data_dir: str | Path, backend: str) -> dict[str, str]:
    """The numbers of the exercises passed in ``backend``, each with the first day; raises UserError if damaged."""
    file = _file(data_dir, backend)
    if not file.exists():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{str(file)!r} cannot be read ({error}): correct it, or delete it to start anew.") from None


def record(data_dir: str | Path, backend: str, number: str) -> None:
    """Record that the exercise ``number`` is passed."""
    before = passed(data_dir, backend)
    if number not in before:
        with reporting_write_errors(Path(data_dir)):
            Path(data_dir).mkdir(parents=True, exist_ok=True)
        text = json.dumps(before | {number: date.today().isoformat()}, indent=2, sort_keys=True)
        write_atomically(_file(data_dir, backend), lambda file: file.write_text(text + "\n", encoding="utf-8"))
