"""Ctrl-C while a run trains: never in the middle of a save, and with a message that says what is saved."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


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
