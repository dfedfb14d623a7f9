"""The process of one experiment: ``python -m spinup.utils.run_entrypoint FILE`` runs the call pickled in FILE.

With ``--leash`` after FILE, the process is interrupted, as by Ctrl-C, when its standard input ends. That is how a
launcher of many stops them, on every system, and how none of them outlives a launcher that was killed.
"""

import _thread
import os
import signal
import sys
import threading
from pathlib import Path

from spinup.utils.errors import exit_on_user_error

LEASH = "--leash"


def run(argv: list[str]) -> None:
    """Unpickle ``(thunk, kwargs)`` from the file ``argv[0]`` and call it."""
    import cloudpickle

    file, *flags = argv
    if LEASH in flags:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with & would ignore it
        watch = threading.Thread(target=_interrupt_at_end_of_input, args=[threading.get_ident()], daemon=True)
        watch.start()
    thunk, kwargs = cloudpickle.loads(Path(file).read_bytes())
    thunk(**kwargs)


def _interrupt_at_end_of_input(main_thread: int) -> None:
    os.read(sys.stdin.fileno(), 1)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, signal.SIGINT)  # also wakes a main thread that sleeps
    else:
        _thread.interrupt_main()


if __name__ == "__main__":
    try:
        exit_on_user_error(run, sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
