"""The process of one experiment: ``python -m spinup.commands.run_entrypoint FILE`` makes the call pickled in FILE."""

import _thread
import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from spinup.commands.arguments import exit_on_user_error
from spinup.errors import command_line
from spinup.interrupts import accept_interrupts, end_at_next_interrupt, importing


def run(argv: list[str]) -> None:
    """Unpickle ``(thunk, kwargs, program)`` and call the thunk, for a user who types ``program``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--output_dir", help="output directory, which replaces that of the call")
    parser.add_argument("--leash", action="store_true", help="interrupt the process when its standard input ends")
    args = parser.parse_args(argv)
    if args.leash:
        _interrupt_when_input_ends()

    with importing():
        accept_interrupts()
        import cloudpickle

        thunk, kwargs, program = cloudpickle.loads(args.file.read_bytes())
    if args.output_dir:
        kwargs["logger_kwargs"]["output_dir"] = args.output_dir
    try:
        with command_line(program):
            thunk(**kwargs)
    except KeyboardInterrupt:
        end_at_next_interrupt()
        raise SystemExit(130) from None  # the launcher says what is saved


def _interrupt_when_input_ends() -> None:
    """Let a launcher stop this process by closing its input: this works on every system, even if the launcher dies."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process started with & in a shell ignores it
    watch = threading.Thread(target=_wait_for_end_of_input, args=[threading.get_ident()], daemon=True)
    watch.start()


def _wait_for_end_of_input(main_thread: int) -> None:
    os.read(sys.stdin.fileno(), 1)
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread, signal.SIGINT)  # also wakes a sleeping main thread
    else:
        _thread.interrupt_main()


if __name__ == "__main__":
    exit_on_user_error(run, sys.argv[1:])
