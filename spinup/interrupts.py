"""Ctrl-C: never in the middle of an import or a save, and with a message that says what is saved."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from spinup.errors import typed_program


def hold_interrupts() -> None:
    """Hold Ctrl-C back until :func:`accept_interrupts`, in this process and in those that it starts.

    So a new process is never interrupted in the middle of an import.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def accept_interrupts() -> None:
    """Let Ctrl-C take effect, also one that was held back; Ray's workers hold it back, too."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def end_at_next_interrupt() -> None:
    """Let Ctrl-C end this process at once, as one has stopped it already: Python's own end would show a traceback."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """In the block, Ctrl-C ends a command at once, quietly; in Python it waits for the end of the block.

    Frameworks may ignore it while they are imported, or fail with any error; and a command has nothing to lose then.
    """
    with _handled_by(lambda *_: os._exit(130)) if typed_program() else interrupts_deferred():
        yield


@contextlib.contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in the block, which ends soon."""
    with _handled_by(lambda *_: None):
        yield


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block; no effect outside the main thread, where no signal arrives."""
    raised: list[tuple] = []
    before = signal.getsignal(signal.SIGINT)
    with _handled_by(lambda *args: raised.append(args)):
        yield
    if raised and callable(before):
        before(*raised[0])


@contextlib.contextmanager
def interrupts_explained(explain: Callable[[], str]) -> Iterator[None]:
    """Give the KeyboardInterrupt that Ctrl-C raises in the block the message ``explain()``."""
    before = signal.getsignal(signal.SIGINT)

    def handle(*args):
        try:
            if callable(before):
                before(*args)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(explain()) from None

    with _handled_by(handle):
        yield


@contextlib.contextmanager
def _handled_by(handle: Callable) -> Iterator[None]:
    """Let ``handle`` handle Ctrl-C in the block, if this is the main thread and Ctrl-C is not ignored."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
