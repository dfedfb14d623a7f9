"""The process of one experiment: ``python -m spinup.commands.run_entrypoint FILE`` runs the call pickled in FILE."""

import _thread
import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from spinup.commands.arguments import exit_on_user_error


def run(argv: list[str]) -> None:
    """Unpickle ``(thunk, kwargs)`` and call it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--output_dir", help="where the run saves, in place of what the call says")
    parser.add_argument("--leash", action="store_true", help="interrupt the process when its standard input ends")
    args = parser.parse_args(argv)
    if args.leash:
        _put_on_leash()

    import cloudpickle

    thunk, kwargs = cloudpickle.loads(args.file.read_bytes())
    if args.output_dir:
        kwargs["logger_kwargs"]["output_dir"] = args.output_dir
    thunk(**kwargs)


def _put_on_leash() -> None:
    """A launcher of many stops them by closing their input: on every system, and even by dying itself."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with & would ignore it
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # Ray's workers have it blocked
    watch = threading.Thread(target=_interrupt_at_end_of_input, args=[threading.get_ident()], daemon=True)
    watch.start()


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
