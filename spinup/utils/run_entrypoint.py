"""The process of one experiment: ``python -m spinup.utils.run_entrypoint FILE`` runs the call pickled in FILE."""

import sys
from pathlib import Path

from spinup.utils.errors import exit_on_user_error


def run(argv: list[str]) -> None:
    """Unpickle ``(thunk, kwargs)`` from the file ``argv[0]`` and call it."""
    import cloudpickle

    thunk, kwargs = cloudpickle.loads(Path(argv[0]).read_bytes())
    thunk(**kwargs)


if __name__ == "__main__":
    try:
        exit_on_user_error(run, sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
