"""Ctrl-C: while importing, while saving, and the message that it gets while a run trains."""

import os
import signal
import threading

import pytest

from spinup import interrupts
from spinup.errors import command_line


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_while_importing_it_waits_in_python_and_ends_a_command(monkeypatch):
    statuses, reached = [], []
    monkeypatch.setattr(interrupts.os, "_exit", statuses.append)
    with pytest.raises(KeyboardInterrupt), interrupts.importing():
        press_ctrl_c()
        reached.append("the end of the import")
    with command_line("spinup"), interrupts.importing():
        press_ctrl_c()
    assert (reached, statuses) == (["the end of the import"], [130])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_gets_a_message_after_the_save():
    said, reached = "epoch 3 is saved", []
    with pytest.raises(KeyboardInterrupt, match=said), interrupts.interrupts_explained(lambda: said):
        with interrupts.interrupts_deferred():
            press_ctrl_c()
            reached.append("the end of the save")
        reached.append("more")
    assert reached == ["the end of the save"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_and_other_threads_are_left_alone(monkeypatch):
    handled = []
    before = signal.signal(signal.SIGINT, lambda *_: handled.append("mine"))
    try:
        with interrupts.interrupts_explained(lambda: "never said"):
            press_ctrl_c()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interrupts.interrupts_explained(lambda: "never said"), interrupts.interrupts_deferred():
            press_ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)
    thread = threading.Thread(target=lambda: handled.append(interrupts.importing().__enter__()))
    thread.start()
    thread.join()
    assert handled == ["mine", None]


def test_a_second_one_is_ignored_for_a_moment_or_ends_the_process_at_once():
    before = signal.getsignal(signal.SIGINT)
    with interrupts.interrupts_ignored():
        press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before
    try:
        interrupts.end_at_next_interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
