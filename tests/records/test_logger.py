"""Loggers: statistics, rows, tables, progress, configurations (DESIGN sections 6 and 9.10; defects 16, 17, 18)."""

import contextlib
import csv
import functools
import io
import json
import re
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spinup.analysis.curves import read_progress
from spinup.errors import UserError
from spinup.records.config import convert_json
from spinup.records.logger import EpochLogger, Logger, colorize


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self):
        return True


def on_a_terminal(function, *args, **kwargs):
    """What ``function`` shows there."""
    with contextlib.redirect_stdout(Terminal()) as shown:
        function(*args, **kwargs)
    return shown.getvalue()


def written(logger):
    """The cells of ``progress.txt``, row by row, the names of the columns first."""
    with (logger.output_dir / "progress.txt").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", strict=True))


def write_row(logger, **row):
    for key, val in row.items():
        logger.log_tabular(key, val)
    logger.dump_tabular()


# ---- statistics ----


def test_the_documented_example(capsys):
    logger = EpochLogger("run")
    for i in range(10):
        logger.store(Test=i)
    logger.log_tabular("Test", with_min_and_max=True)
    capsys.readouterr()
    logger.dump_tabular()
    assert capsys.readouterr().out.splitlines() == [
        "-------------------------------------",
        "|     AverageTest |             4.5 |",
        "|         StdTest |           2.872 |",
        "|         MaxTest |               9 |",
        "|         MinTest |               0 |",
        "-------------------------------------",
    ]
    assert written(logger) == [["AverageTest", "StdTest", "MaxTest", "MinTest"], ["4.5", str(8.25**0.5), "9", "0"]]


def test_the_columns_of_a_diagnostic():
    logger = EpochLogger("run")
    logger.store(Loss=1.0, KL=2.0, EpLen=3)
    logger.log_tabular("Epoch", 0)
    logger.log_tabular("Loss")
    logger.log_tabular("KL", average_only=True)
    logger.log_tabular("EpLen", average_only=True, with_min_and_max=True)
    logger.dump_tabular()
    assert written(logger)[0] == ["Epoch", "AverageLoss", "StdLoss", "KL", "EpLen", "MaxEpLen", "MinEpLen"]


@pytest.mark.parametrize(
    "values",
    [[1, 2, 6], [1.0, [2, 6]], [np.array([1, 2, 6])], [np.array([[1.0, 2.0]]), 6], [torch.tensor([1.0, 2.0, 6.0])]],
    ids=str,
)
def test_numbers_and_arrays_of_them_can_be_stored(values):
    logger = EpochLogger("run")
    for value in values:
        logger.store(X=value, Y=0)
    assert logger.get_stats("X") == pytest.approx((3.0, (14 / 3) ** 0.5, 1, 6))
    assert logger.get_stats("X")[0] == 3, "asking does not forget"


numbers = st.floats(-1e6, 1e6)
chunks = st.one_of(numbers, st.integers(-1000, 1000), hnp.arrays(np.float64, st.integers(0, 4), elements=numbers))


@given(st.lists(st.lists(chunks, max_size=5), min_size=1, max_size=4))
def test_statistics_are_numpys_however_the_values_come(epochs):
    logger = EpochLogger("run", overwrite=True)
    for values in epochs:
        for value in values:
            logger.store(X=value)
        logger.log_tabular("X", with_min_and_max=True)
        logger.dump_tabular()
    for values, cells in zip(epochs, written(logger)[1:], strict=True):
        x = np.concatenate([[], *map(np.ravel, values)])
        if x.size:
            np.testing.assert_allclose(np.float64(cells), [x.mean(), x.std(), x.max(), x.min()], rtol=1e-9, atol=1e-9)
        else:
            assert cells == ["", "", "", ""]


def test_an_epoch_in_which_no_episode_ended_has_empty_cells(capsys):
    logger = EpochLogger("run")
    for ep_ret in ([], [3.0], []):
        logger.store(EpRet=np.array(ep_ret))
        logger.log_tabular("EpRet", with_min_and_max=True)
        logger.log_tabular("Never", average_only=True)
        logger.dump_tabular()
    assert written(logger)[1:] == [["", "", "", "", ""], ["3.0", "0.0", "3.0", "3.0", ""], ["", "", "", "", ""]]
    assert "|    AverageEpRet |                 |" in capsys.readouterr().out
    assert logger.get_stats("EpRet") == (None, None, None, None)


# ---- rows ----


def test_the_file_can_be_read_by_pandas():
    pd = pytest.importorskip("pandas")
    logger = Logger("run")
    write_row(logger, Epoch=0, AverageEpRet=None, Loss=np.float32(0.1), Time=1e-10)
    write_row(logger, Epoch=1, AverageEpRet=-0.1 - 0.2, Loss=float("nan"), Time=1e10)
    table = pd.read_csv("run/progress.txt", sep="\t")
    assert list(table) == ["Epoch", "AverageEpRet", "Loss", "Time"]
    assert table.Epoch.tolist() == [0, 1]
    assert table.AverageEpRet.isna().tolist() == [True, False]
    assert written(logger)[2][1] == repr(-0.1 - 0.2), "in full precision"
    assert table.Loss[0] == 0.1 and np.isnan(table.Loss[1])
    assert table.Time.tolist() == [1e-10, 1e10]


def test_every_row_is_in_the_file_as_soon_as_it_is_dumped():
    logger = Logger("run")
    for i in range(3):
        write_row(logger, Epoch=i)
        assert Path("run/progress.txt").read_bytes() == b"Epoch\n" + b"".join(b"%d\n" % k for k in range(i + 1))


@pytest.mark.parametrize("kind", [Logger, EpochLogger])
def test_the_first_row_fixes_the_columns(kind):
    logger = kind("run")
    write_row(logger, A=1, B=2)
    with pytest.raises(ValueError, match=r"'C' was not in the first row, .*: A, B\.$"):
        logger.log_tabular("C", 3)
    write_row(logger, B=4, A=3)
    write_row(logger, B=5)
    assert written(logger) == [["A", "B"], ["1", "2"], ["3", "4"], ["", "5"]]


def test_a_key_comes_once_a_row():
    logger = EpochLogger("run")
    logger.log_tabular("A", 1)
    with pytest.raises(ValueError, match="'A' is already in this row"):
        logger.log_tabular("A", 2)
    logger.store(X=1)
    logger.log_tabular("X")
    with pytest.raises(ValueError, match="'AverageX' is already in this row"):
        logger.log_tabular("X")


def test_a_value_given_is_logged_though_others_are_stored():
    logger = EpochLogger("run")
    logger.store(X=5)
    write_row(logger, X=0)
    assert written(logger) == [["X"], ["0"]]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (torch.tensor(0.5, requires_grad=True), "0.5"),
        (torch.tensor([3]), "3"),
        (np.array([[0.25]], np.float32), "0.25"),
        (np.float32(0.1), "0.1"),
        ('a\ttab, a\nline\x85break and a 6" pole', "a tab, a line break and a 6' pole"),
    ],
)
def test_whatever_is_logged_is_one_cell(value, cell):
    logger = EpochLogger("run")
    write_row(logger, A=1, X=value, B=2)
    assert written(logger) == [["A", "X", "B"], ["1", cell, "2"]]
    assert read_progress(Path("run/progress.txt")).keys() == {"A", "X", "B"}


def test_tensors_of_a_graph_can_be_stored():
    logger = EpochLogger("run")
    logger.store(Loss=torch.tensor(1.0, requires_grad=True))
    logger.store(Loss=torch.tensor([2.0, 3.0], requires_grad=True))
    assert logger.get_stats("Loss")[0] == 2


def test_a_key_is_one_cell():
    for key in ("a\tb", "a\nb"):
        with pytest.raises(ValueError, match="cannot name a column: leave out tabs and line breaks"):
            Logger("run", overwrite=True).log_tabular(key, 1)


# ---- what is printed ----


def test_the_table_grows_with_its_cells(capsys):
    logger = Logger("run")
    capsys.readouterr()
    write_row(logger, TheNameOfADiagnostic=1234.5678, Note="sixteen letters.", Steps=4_000_000)
    assert capsys.readouterr().out.splitlines() == [
        "-" * 43,
        "| TheNameOfADiagnostic |             1235 |",
        "|                 Note | sixteen letters. |",
        "|                Steps |          4000000 |",
        "-" * 43,
    ]


def test_colours_are_for_terminals():
    def log():
        logger = Logger("run")
        write_row(logger, Epoch=0)
        logger.log("beware", color="red")
        print(colorize("plain", "blue"))

    assert on_a_terminal(log).splitlines() == [
        f"\x1b[32;1mLogging to {Path('run/progress.txt')}\x1b[0m",
        "-" * 37,
        "|           Epoch | \x1b[36m              0\x1b[0m |",
        "-" * 37,
        "\x1b[31;1mbeware\x1b[0m",
        "\x1b[34mplain\x1b[0m",
    ]
    assert "\x1b" not in Path("run/progress.txt").read_text()


def test_no_colours_and_no_bar_where_the_output_is_piped(capsys):
    logger = Logger("run")
    assert list(logger.progress(0, 2, 6, 2)) == [0, 2, 4]
    assert list(logger.progress(1, 2, 6, 2)) == [6, 8, 10]
    logger.log("beware", color="red")
    assert capsys.readouterr().out == f"Logging to {Path('run/progress.txt')}\nbeware\n"
    assert colorize("x", "blue", bold=True) == "x"


def train_for_a_moment(epochs=2, first=0):
    logger = Logger("run")
    for epoch in range(first, epochs):
        for t in logger.progress(epoch, epochs, 400, 40):
            time.sleep(0.03)
            if t % 400 == 200:
                logger.log("half way")
        write_row(logger, Epoch=epoch)


def test_the_bar_shows_the_epoch_the_run_the_speed_and_the_time_left():
    shown = on_a_terminal(train_for_a_moment)
    told = re.findall(r"Epoch (\d)/2 +(\d+)%, run (\d+)% \|.*?\| +[\d.]+ steps/s, \d\d:\d\d left", shown)
    assert {epoch for epoch, _, _ in told} == {"1", "2"}
    for epoch, done, run in told:
        assert int(run) == (100 * (int(epoch) - 1) + int(done)) // 2


def test_the_bar_makes_room_for_messages_and_is_gone_at_the_end():
    shown = on_a_terminal(train_for_a_moment)
    assert shown.count("half way") == 2
    assert not re.search("left[^\r]*(half way|Epoch)", shown), "the bar is wiped before anything else is printed"
    assert re.search(r"left\r +\r-+\n\|  .*\n-+\n$", shown), "and after the last step"


def test_the_bar_leaves_its_line_to_the_message_of_an_error():
    def fail():
        for _ in Logger("run").progress(0, 1, 10):
            raise UserError("a reward of nan")

    def fail_and_tell():
        try:
            fail()
        except UserError as error:
            print(f"error: {error}")

    assert re.search(r"left\r +\rerror: a reward of nan\n$", on_a_terminal(fail_and_tell))


def test_the_bar_of_a_resumed_run_starts_where_it_stopped():
    assert re.search(r"run (\d+)%", on_a_terminal(train_for_a_moment, first=1))[1] == "50"


# ---- where the files go ----


def test_without_a_directory_there_is_a_new_temporary_one():
    first, second = Logger(), Logger()
    assert first.output_dir != second.output_dir
    for logger in (first, second):
        assert logger.output_dir.is_dir()
        assert Path(tempfile.gettempdir()) in logger.output_dir.parents
        shutil.rmtree(logger.output_dir)


def test_directories_are_made_as_needed():
    logger = Logger(Path("a/b/c"), output_fname="log.tsv")
    write_row(logger, A=1)
    assert Path("a/b/c/log.tsv").read_text() == "A\n1\n"


@pytest.mark.parametrize("name", ["progress.txt", "log.tsv"])
def test_a_run_is_not_written_over(name):
    write_row(Logger("run", name), A=1)
    with pytest.raises(UserError, match=r"'run' already holds a run.*logger_kwargs=dict\(overwrite=True\).*output_dir"):
        Logger("run", name)
    assert Path("run", name).read_text() == "A\n1\n"
    write_row(Logger("run", name, overwrite=True), B=2)
    assert Path("run", name).read_text() == "B\n2\n"


def test_a_run_is_either_replaced_or_resumed():
    write_row(Logger("run"), A=1)
    message = (
        "^overwrite and resume contradict each other: use overwrite to replace the run in 'run', or resume to cont"
    )
    with pytest.raises(UserError, match=message):
        Logger("run", overwrite=True, resume=True)
    assert Path("run/progress.txt").read_text() == "A\n1\n"


RUN = [
    "progress.txt",
    "config.json",
    "env.json",
    "vars.pkl",
    "vars3.pkl",
    "pyt_save/model.pt",
    "checkpoint/x",
    "tensorboard/x",
]
OTHERS = ["notes.txt", "vars_of_mine.pkl", "variables.pkl", "pyt_save.txt", "sub/progress.txt", "sub/config.json"]


def test_overwriting_removes_what_a_run_leaves_and_nothing_else():
    for name in RUN + OTHERS:
        Path("run", name).parent.mkdir(parents=True, exist_ok=True)
        Path("run", name).write_text("old")
    Logger("run", overwrite=True)
    left = {p.relative_to("run").as_posix() for p in Path("run").rglob("*") if p.is_file()}
    assert left == {*OTHERS, ".lock"}


@pytest.mark.parametrize("trace", ["checkpoint/x", "pyt_save/model.pt", "jax_save/model3.safetensors", "vars3.pkl"])
def test_whatever_a_run_has_saved_is_neither_removed_nor_replaced(trace):
    mine = ["config.json", trace]
    for name in mine:
        Path("mine", name).parent.mkdir(parents=True, exist_ok=True)
        Path("mine", name).write_text("mine")
    with pytest.raises(UserError, match="'mine' already holds a run: add resume=True to continue it, "):
        Logger("mine")
    assert all(Path("mine", name).read_text() == "mine" for name in mine)


def test_a_run_that_ended_before_it_saved_anything_is_in_nobodys_way():
    for name in ("config.json", "env.json", "vars.pkl", "output.log"):
        Path("mine").mkdir(exist_ok=True)
        Path("mine", name).write_text("{}")
    Logger("mine")


def test_a_log_of_another_name_makes_a_run_too():
    logger = Logger("mine", output_fname="seed0.txt")
    logger.save_config({"logger_kwargs": {"output_fname": "seed0.txt"}})
    logger.log_tabular("Epoch", 0)
    logger.dump_tabular()
    for name in ("seed1.txt", "seed0.txt", "progress.txt"):
        with pytest.raises(UserError, match="'mine' already holds a run"):
            Logger("mine", output_fname=name)
    Logger("mine", output_fname="seed1.txt", overwrite=True)
    assert not Path("mine/seed0.txt").exists()


def test_overwriting_takes_the_name_of_a_log_as_a_name_and_not_as_a_pattern():
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("mine")
    Path("mine/config.json").write_text(json.dumps({"logger_kwargs": {"output_fname": "*"}}))
    Logger("mine", overwrite=True)
    assert Path("mine/notes.txt").read_text() == "mine"


def test_a_directory_that_cannot_be_made():
    Path("file").touch()
    for overwrite in (False, True):
        for where in ("file", "file/run"):
            with pytest.raises(UserError, match=r"is a file|cannot be created"):
                Logger(where, overwrite=overwrite)


# ---- configurations ----


def some_function():
    """Has a name."""


class SomeClass:
    """Says what it is."""

    def __repr__(self):
        return "SomeClass(3)"

    def method(self):
        """Has a name, too."""

    @classmethod
    def create(cls):
        """Has that of the class it is taken from."""


class Heir(SomeClass):
    """One that inherits ``create``."""


def saved_config(config, **kwargs):
    Logger("run", overwrite=True, **kwargs).save_config(config)
    return json.loads(Path("run/config.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


HALF = np.float32(0.5)


def test_a_configuration_as_the_algorithms_save_it():
    def algorithm(env_fn, actor_critic=SomeClass, ac_kwargs=None, seed=0, lr=HALF, logger_kwargs=None):
        return saved_config(locals(), exp_name="mine")

    config = algorithm(lambda: None, ac_kwargs=dict(hidden_sizes=(64, 32), activation=torch.nn.Tanh))
    assert list(config) == sorted(config)
    assert config == {
        "exp_name": "mine",
        "env_fn": f"{__name__}.test_a_configuration_as_the_algorithms_save_it.<locals>.<lambda>",
        "actor_critic": f"{__name__}.SomeClass",
        "ac_kwargs": {"hidden_sizes": [64, 32], "activation": "torch.nn.modules.activation.Tanh"},
        "seed": 0,
        "lr": 0.5,
        "logger_kwargs": None,
    }


def test_a_configuration_may_hold_itself():
    config = {"a": [1]}
    config["self"], same = config, {"x": 1}
    config["a"].append({"deep": config["a"], "twice": [same, same]})
    assert saved_config(config) == {"a": [1, {"deep": "...", "twice": [{"x": 1}, {"x": 1}]}], "self": "..."}


def test_a_name_in_the_configuration_itself_counts_more():
    assert saved_config({"exp_name": "theirs"}, exp_name="mine") == {"exp_name": "theirs"}
    assert saved_config({}) == {}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (some_function, f"{__name__}.some_function"),
        (SomeClass.method, f"{__name__}.SomeClass.method"),
        (SomeClass(), "SomeClass(3)"),
        ((1, SomeClass()), [1, "SomeClass(3)"]),
        ([{"deep": (SomeClass,)}], [{"deep": [f"{__name__}.SomeClass"]}]),
        ({1: 2, None: (3,), (4, 5): {}}, {"1": 2, "None": [3], "(4, 5)": {}}),
        ({7}, [7]),
        (frozenset({7}), [7]),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.0, np.nan, np.inf]), [1.0, "nan", "inf"]),
        (float("-inf"), "-inf"),
        (np.float64("nan"), "nan"),
        (2j, "2j"),
        (b"x", "b'x'"),
        (True, True),
        ("ü", "ü"),
        (Path("a"), repr(Path("a"))),
        (len, "builtins.len"),
        (str.upper, "str.upper"),
        ([].append, "list.append"),
        (Heir.create, f"{__name__}.Heir.create"),  # the class that runs, not the one that defines it
        (dict.fromkeys, "dict.fromkeys"),
        (functools.partial(int, base=2), "functools.partial(<class 'int'>, base=2)"),
        (torch.nn.ReLU(), "ReLU()"),
        (torch.float32, "torch.float32"),
    ],
)
def test_everything_becomes_json(value, told):
    assert saved_config({"value": value}) == {"value": told}


text = st.text("ab \tü", max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
others = st.sampled_from([float("nan"), -np.inf, np.float32(2), 2j, b"x", SomeClass, SomeClass(), len, ..., {3}])
awkward_values = st.recursive(
    json_values | others,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.integers() | text, inner),
    max_leaves=5,
)


@given(json_values)
def test_what_is_json_stays_as_it_is(value):
    assert json.loads(json.dumps(convert_json(value))) == value


@given(awkward_values)
def test_json_can_hold_whatever_it_is(value):
    json.dumps(convert_json(value), allow_nan=False, sort_keys=True)
