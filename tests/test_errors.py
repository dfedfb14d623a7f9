"""Messages in the words of the door: flags for those who type them, arguments for those who call Python."""

import pytest

from spinup.errors import command, command_line, setting, typed_program


@pytest.mark.parametrize(
    ("typed", "in_python", "expected"),
    [
        ("--trust", None, "trust=True"),
        ("--num_envs 2", None, "num_envs=2"),
        ("--launcher ray", "launcher='ray'", "launcher='ray'"),
        ("--dt", "datestamp=True", "datestamp=True"),
        ("--dt", "", ""),
    ],
)
def test_a_setting_is_a_flag_at_a_command_line_and_an_argument_in_python(typed, in_python, expected):
    assert setting(typed, in_python) == expected
    with command_line("spinup"):
        assert setting(typed, in_python) == typed


def test_commands_are_written_as_they_are_typed():
    assert (typed_program(), command("plot d")) == (None, "spinup plot d")
    with command_line("python -m spinup.run"):
        assert command("plot d") == "python -m spinup.run plot d"
        with command_line(None):  # the process of an experiment that a script has started
            assert setting("--trust") == "trust=True"
        assert setting("--trust") == "--trust"
    with pytest.raises(ZeroDivisionError), command_line("spinup"):
        _ = 1 / 0
    assert typed_program() is None
