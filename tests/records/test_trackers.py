"""Trackers: what TensorBoard and Weights & Biases get is what ``progress.txt`` says, whatever becomes of the run."""

import csv
import json
import math
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from spinup import ppo_pytorch, run
from spinup.errors import UserError
from spinup.experience.envs import EnvFn
from spinup.experiments.grid import ExperimentGrid
from spinup.experiments.launch import call_experiment
from spinup.records.columns import tag_of
from spinup.records.logger import Logger
from spinup.records.trackers import TRACKERS, Tracking, check_trackers

pytest.importorskip("tensorboard")
wandb = pytest.importorskip("wandb")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData  # noqa: E402
from wandb.proto.wandb_internal_pb2 import Record  # noqa: E402

CONFIG = {"seed": 3, "lr": 0.5, "ac_kwargs": {"hidden_sizes": [8, 8], "bias": True}, "target_kl": None, "act": "tanh"}


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """No network and no account, and no settings kept from the test before."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    yield
    wandb.teardown()


# ---- what the services have got ----


def events(where="run"):
    return EventAccumulator(str(Path(where) / "tensorboard")).Reload()


def scalars(where="run"):
    """``{column: [(step, number), ...]}`` as TensorBoard reads them."""
    found = events(where)
    return {column_of(tag): [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def column_of(tag):
    return tag.rpartition("/")[2]


def hyperparameters(where="run"):
    content = events(where).SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in found.items()}


def log_records(data):
    """The records of a LevelDB log, as W&B keeps: fragments with a header of 7 bytes, in blocks of 32 KiB."""
    at, record = 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(record)
            record = b""


def wandb_runs(where="run"):
    """The records of each offline run that W&B keeps, the first one first, once its own process has written them."""
    wandb.teardown()
    return [[*log_records(file.read_bytes())] for file in sorted(Path(where).glob("wandb/offline-run-*/run-*.wandb"))]


def items(updates):
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in updates}


def history(records):
    """The rows of a run of W&B, by column."""
    rows = [items(record.history.item) for record in records if record.WhichOneof("record_type") == "history"]
    return [{column_of(tag): value for tag, value in row.items()} for row in rows]


def configuration(records):
    return {
        key: value
        for record in records
        for update in (record.config, record.run.config)
        for key, value in items(update.update).items()
    }


def exit_codes(records):
    return [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"]


def progress(where="run"):
    """The numbers of ``progress.txt``, row by row."""
    with (Path(where) / "progress.txt").open(encoding="utf-8", newline="") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file, delimiter="\t")]


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-6, abs=0)  # single precision


def assert_both_have_the_rows_of_progress(where="run", steps="TotalEnvInteracts"):
    rows, [records] = progress(where), wandb_runs(where)
    columns = {key: [(row[steps], row[key]) for row in rows if key in row] for key in {k for row in rows for k in row}}
    in_tensorboard = scalars(where)
    assert in_tensorboard.keys() == columns.keys()
    assert [*events(where).Tags()["scalars"]] == [tag_of(key) for key in in_tensorboard]
    for key, expected in columns.items():
        assert [step for step, _ in in_tensorboard[key]] == [step for step, _ in expected]
        assert all(same(a, b) for (_, a), (_, b) in zip(in_tensorboard[key], expected, strict=True)), key
    sent = history(records)
    assert [row["_step"] for row in sent] == [row[steps] for row in rows]
    for row, expected in zip(sent, rows, strict=True):
        numbers = {key: float(value) for key, value in row.items() if key[0] != "_"}
        assert numbers.keys() == expected.keys()
        assert all(same(numbers[key], expected[key]) for key in expected)


# ---- the same as in progress.txt ----


def test_training_sends_its_rows_and_hyperparameters_to_both(capfd):
    settings = dict(steps_per_epoch=40, epochs=3, num_envs=2, train_pi_iters=1, train_v_iters=1, seed=5)
    logger_kwargs = dict(output_dir="data/mine_s5", exp_name="mine", track=["tensorboard", "wandb"])
    ppo_pytorch(EnvFn("CartPole-v1"), ac_kwargs={"hidden_sizes": [8]}, **settings, logger_kwargs=logger_kwargs)
    assert len(progress("data/mine_s5")) == 3
    assert_both_have_the_rows_of_progress("data/mine_s5")
    config = json.loads(Path("data/mine_s5/config.json").read_text(encoding="utf-8"))
    [records] = wandb_runs("data/mine_s5")
    sent = configuration(records)
    assert {key: sent[key] for key in config} == config
    in_tensorboard = hyperparameters("data/mine_s5")
    assert in_tensorboard["seed"] == 5 and in_tensorboard["ac_kwargs:hidden_sizes"] == "[8]"
    assert {key.split(":")[0] for key in in_tensorboard} == config.keys()
    [started] = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (started.project, started.run_group, started.display_name) == ("spinup", "mine", "mine_s5")
    assert exit_codes(records) == [0], "the run is over when the training is, not when the process is"


@pytest.mark.parametrize(
    ("column", "tag"),
    [
        ("AverageEpRet", "rollout/AverageEpRet"),
        ("MinTestEpRet", "rollout/MinTestEpRet"),
        ("EpLen", "rollout/EpLen"),
        ("LossPi", "train/LossPi"),
        ("StdVVals", "train/StdVVals"),
        ("TotalEnvInteracts", "time/TotalEnvInteracts"),
        ("Time", "time/Time"),
        ("MaxTime", "time/MaxTime"),
        ("custom", "train/custom"),
        ("my/own", "my/own"),
    ],
)
def test_columns_are_in_groups(column, tag):
    assert tag_of(column) == tag


def write_row(logger, **row):
    for key, val in row.items():
        logger.log_tabular(key, val)
    logger.dump_tabular()


def test_rows_with_gaps_text_and_what_is_no_number():
    logger = Logger("run", track=["wandb", "tensorboard"])
    for steps, value, note in ((100, 1.5, "a"), (200, None, "b"), (300, math.nan, "c"), (400, 1e-30, None)):
        write_row(logger, TotalEnvInteracts=steps, X=value, Note=note)
    del logger
    [records] = wandb_runs()
    assert [row["_step"] for row in history(records)] == [100, 200, 300, 400]
    assert [str(row.get("X")) for row in history(records)] == ["1.5", "None", "nan", "1e-30"]
    assert not any("Note" in row for row in history(records)) and "Note" not in scalars()
    assert [step for step, _ in scalars()["X"]] == [100, 300, 400]
    assert exit_codes(records) == [0]


def test_without_steps_rows_are_counted():
    logger = Logger("run", track=["tensorboard", "wandb"])
    for n in range(3):
        write_row(logger, Row=n, X=n**2)
    del logger
    assert_both_have_the_rows_of_progress(steps="Row")


def test_a_row_can_be_seen_as_soon_as_it_is_there():
    logger = Logger("run", track=["tensorboard"])
    for n in range(3):
        write_row(logger, X=n)
        assert [value for _, value in scalars()["X"]] == [*range(n + 1)]


def test_hyperparameters_of_every_kind():
    logger = Logger("run", exp_name="mine", track=["tensorboard", "wandb"])
    logger.save_config(CONFIG)
    del logger
    assert hyperparameters() == {
        "seed": 3.0,
        "lr": 0.5,
        "ac_kwargs:hidden_sizes": "[8, 8]",
        "ac_kwargs:bias": True,
        "target_kl": "None",
        "act": "tanh",
        "exp_name": "mine",
    }
    sent = configuration(wandb_runs()[0])
    assert {key: sent[key] for key in [*CONFIG, "exp_name"]} == {**CONFIG, "exp_name": "mine"}


def test_neither_code_nor_output_is_sent():
    logger = Logger("run", track=["wandb"])
    write_row(logger, X=1)
    del logger
    [records] = wandb_runs()
    assert not {record.WhichOneof("record_type") for record in records} & {"output", "output_raw"}
    assert not any(record.run.HasField("git") for record in records)


# ---- runs that go on ----


def test_a_resumed_run_goes_on_where_its_checkpoint_was():
    def track(first, last):
        for steps in range(first, last, 100):
            tracking.row(dict(TotalEnvInteracts=steps, X=first + steps))

    Path("run").mkdir()
    tracking = Tracking([*TRACKERS], Path("run"), None)
    track(100, 500)
    tracking.finish()
    tracking = Tracking([*TRACKERS], Path("run"), None)
    tracking.rewind("TotalEnvInteracts\tX\n100\t200\n200\t300\n")  # what was known at the last checkpoint
    track(300, 700)
    tracking.finish()
    expected = [(100, 200), (200, 300), (300, 600), (400, 700), (500, 800), (600, 900)]
    assert scalars()["X"] == expected
    first, second = wandb_runs()
    assert [row["_step"] for row in history(first)] == [100, 200, 300, 400]
    assert [(row["_step"], row["X"]) for row in history(second)] == expected[2:], "no server says what it has"
    ids = {record.run.run_id for records in (first, second) for record in records if record.HasField("run")}
    assert len(ids) == 1


def test_what_the_server_has_is_not_sent_again(monkeypatch):
    Path("run").mkdir()
    tracking = Tracking(["wandb"], Path("run"), None)
    monkeypatch.setattr(type(tracking._trackers[0]._run), "starting_step", 401)  # as a resumed run finds it
    for steps in (300, 400, 500):
        tracking.row(dict(TotalEnvInteracts=steps))
    tracking.finish()
    assert [row["_step"] for row in history(wandb_runs()[0])] == [500]


def test_a_resumed_run_without_steps_goes_on_counting():
    Path("run").mkdir()
    tracking = Tracking(["tensorboard"], Path("run"), None)
    for x in (0, 1, 2):
        tracking.row({"X": x})
    tracking.rewind("X\n0\n")
    tracking.row({"X": 10})
    assert scalars()["X"] == [(0, 0), (1, 10)]


def test_a_run_that_replaces_another_is_a_new_one():
    ids = []
    for x in (1, 2):
        logger = Logger("run", overwrite=True, track=["tensorboard", "wandb"])
        write_row(logger, X=x)
        del logger
        ids.append(Path("run/wandb/spinup_id.txt").read_text())
    assert scalars()["X"] == [(0, 2)]
    assert [row["X"] for records in wandb_runs() for row in history(records)] == [2]
    assert ids[0] != ids[1]


# ---- runs that end, well or badly ----


@pytest.mark.parametrize(("epochs", "failed"), [(0, False), (1, True), (2, False)])
def test_a_run_is_over_when_its_logger_is_and_failed_if_epochs_were_to_come(epochs, failed, monkeypatch):
    ends = []
    monkeypatch.setattr(TRACKERS["tensorboard"], "finish", lambda self, failed: ends.append(failed))
    logger = Logger("run", track=["tensorboard"])
    write_row(logger, X=0)
    for epoch in range(epochs):
        assert len([*logger.progress(epoch, 2, 10)]) == 10
        write_row(logger, X=1)
    assert not ends
    del logger
    assert ends == [failed]


DIE = {
    "a crash": "raise ZeroDivisionError",
    "a mistake": "raise UserError('a reward of nan')",
    "Ctrl-C": "raise KeyboardInterrupt",
    "SIGKILL": "time.sleep(5); os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("death", [pytest.param("a mistake"), *(pytest.param(d, marks=pytest.mark.slow) for d in DIE)])
def test_what_was_logged_is_kept_whatever_ends_the_run(death):
    script = f"""
import os, signal, sys, time
from spinup.commands.arguments import exit_on_user_error
from spinup.errors import UserError
from spinup.records.logger import Logger
def train(_):
    logger = Logger("run", track=["tensorboard", "wandb"])
    for epoch in range(4):
        for _ in logger.progress(epoch, 4, 10):
            if epoch == 2:
                {DIE[death]}
        logger.log_tabular("X", epoch)
        logger.dump_tabular()
try:
    exit_on_user_error(train)
except KeyboardInterrupt:
    sys.exit(130)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == {"a crash": 1, "a mistake": 2, "Ctrl-C": 130, "SIGKILL": -signal.SIGKILL}[death]
    assert scalars()["X"] == [(0, 0), (1, 1)]
    [records] = wandb_runs()
    assert [row["X"] for row in history(records)] == [0, 1]
    assert exit_codes(records) == ([] if death == "SIGKILL" else [1]), "a failed run"


# ---- the command line and scripts ----


PPO = ["ppo", "--env", "CartPole-v1", "--data_dir", "d"]


def test_a_finished_run_is_skipped_whatever_its_tracker_lacks(capsys, started, monkeypatch):
    place, tiny = dict(output_dir="d/cmd_ppo/cmd_ppo_s0"), dict(steps_per_epoch=20, num_envs=2, epochs=1)
    ppo_pytorch("CartPole-v1", **tiny, logger_kwargs=place)
    config = Path(place["output_dir"], "config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"logger_kwargs": {"track": ["wandb"]}}))

    def no_account():
        raise UserError("no account here")

    monkeypatch.setattr("spinup.records.trackers._check_account", no_account)
    run.main(["resume", "d"])
    assert f"{config.parent} has finished already: skipped.\n" in capsys.readouterr().out and not started
    flags = [word for key, value in tiny.items() for word in (f"--{key}", str(value))]
    run.main([*PPO, *flags, "--track", "wandb", "--resume"])
    assert [experiment.is_finished for experiment in started] == [True]


def test_trackers_are_a_setting_of_the_experiment(started):
    run.main([*PPO, "--track", "tensorboard", "wandb", "--seed", "0", "1"])
    run.main([*PPO, "--track", "wandb", "--exp_name", "other"])
    grid = ExperimentGrid("g")
    grid.add("env_name", "CartPole-v1")
    grid.run(ppo_pytorch, data_dir="d", track=["tensorboard"])
    call_experiment("c", ppo_pytorch, env_name="CartPole-v1", data_dir="d")
    names = [(e.output_dir.name, e.kwargs["logger_kwargs"].get("track")) for e in started]
    both = ["tensorboard", "wandb"]
    assert names == [
        ("cmd_ppo_s0", both),
        ("cmd_ppo_s1", both),
        ("other_s0", ["wandb"]),
        ("g_s0", ["tensorboard"]),
        ("c_s0", None),
    ]
    assert not any("track" in e.config or "track" in e.kwargs for e in started)


@pytest.mark.slow
def test_tracked_from_the_command_line():
    tiny = ["--steps_per_epoch", "40", "--epochs", "2", "--num_envs", "2", "--hid", "[8]"]
    command = [*PPO, *tiny, "--track", "tensorboard", "wandb"]
    subprocess.run([sys.executable, "-m", "spinup.run", *command], check=True)
    assert_both_have_the_rows_of_progress("d/cmd_ppo/cmd_ppo_s0")
    assert exit_codes(wandb_runs("d/cmd_ppo/cmd_ppo_s0")[0]) == [0]


# ---- refusals ----


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["tensorbord"], r"^There is no tracker 'tensorbord': expected 'tensorboard' or 'wandb'\. Did you mean 'ten"),
        (["wandb", "mlflow"], r"^There is no tracker 'mlflow': expected 'tensorboard' or 'wandb'\.$"),
        ([3], r"^There is no tracker 3: "),
        ("wandb", r"^track='wandb' is invalid: expected a list such as \['wandb'\]\.$"),
        (True, r"^track=True is invalid: expected a list such as \['tensorboard'\]\.$"),
    ],
)
def test_trackers_that_do_not_exist(names, told, started):
    for use in (
        lambda: Logger("run", track=names),
        lambda: call_experiment("c", ppo_pytorch, env_name="CartPole-v1", data_dir="d", track=names),
        lambda: ExperimentGrid("g").run(ppo_pytorch, data_dir="d", track=names),
    ):
        with pytest.raises(UserError, match=told):
            use()
    assert not started and not [*Path().iterdir()]


@pytest.mark.parametrize("name", TRACKERS)
@pytest.mark.parametrize("folder", [False, True])
def test_an_extra_that_is_not_installed(name, folder, monkeypatch):
    write_row(Logger("run"), X=1)
    before = Path("run/progress.txt").read_bytes()
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [os.getcwd(), *(p for p in sys.path if "site-packages" not in p)])
    if folder:
        Path(name).mkdir()  # as a run of W&B leaves where it was started: no package, but it can be imported
    with pytest.raises(UserError) as raised:
        Logger("run", overwrite=True, track=[name])
    command = f'pip install "spinningup[{name}]"'
    assert str(raised.value) == f"The tracker {name!r} needs a package that is not installed here: run {command}."
    assert Path("run/progress.txt").read_bytes() == before


def test_without_an_account_nothing_is_started(monkeypatch):
    wandb.teardown()
    monkeypatch.delenv("WANDB_MODE")
    with pytest.raises(
        UserError, match=r"^Weights & Biases is not logged in here: run `wandb login`, or set WANDB_MODE="
    ):
        Logger("run", track=["tensorboard", "wandb"])
    assert not Path("run").exists()


def test_flags_that_make_no_sense(capsys):
    for flags, told in ((["--track"], "--track needs a value."), (["--track", "tensorbord"], "There is no tracker")):
        with pytest.raises(SystemExit) as exited:
            run.main([*PPO, *flags])
        assert exited.value.code == 2 and capsys.readouterr().err.startswith(f"error: {told}")


def test_what_is_not_asked_for_is_not_imported():
    script = "from spinup.records.logger import Logger; Logger('run'); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"tensorboard", "wandb"} & set(done.stdout.split())


def test_tensorboard_needs_no_other_framework():
    script = "from spinup import Logger; logger = Logger('run', track=['tensorboard']); logger.save_config({})"
    script += "; logger.log_tabular('X', 1); logger.dump_tabular(); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "tensorflow", "jax"} & set(done.stdout.split())
    assert scalars()["X"] == [(0, 1)]


def test_every_tracker_can_be_used_here():
    check_trackers([*TRACKERS])
