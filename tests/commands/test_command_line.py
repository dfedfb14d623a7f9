"""The command line as a user types it: values, flags, directories, errors."""

import errno
import io
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinup import run, user_config
from spinup.algos.pytorch.ppo import COLUMNS as PPO_COLUMNS
from spinup.algos.pytorch.ppo import ppo
from spinup.analysis.plot import make_plots
from spinup.analysis.video import check_video_path
from spinup.commands.flags import parse_flags
from spinup.commands.train import find_algorithm
from spinup.commands.values import parse_value
from spinup.errors import ExperimentFailed, OutputClosed, UserError
from spinup.records.agents import load
from spinup.records.columns import describe_columns

TINY = ["--steps_per_epoch", "40", "--epochs", "1", "--num_envs", "2", "--hid", "[8]", "--data_dir", "d"]


def spinup(command):
    """Type ``command`` (split at blanks)."""
    run.main(command.split())


def files():
    """All files here but the bytecode of modules that were imported."""
    return sorted(path for path in Path().rglob("*") if "__pycache__" not in path.parts)


def fails(command, capfd):
    """Type a command that must end with status 2, one line and no files; returns the line."""
    before = files()
    with pytest.raises(SystemExit) as exit_:
        spinup(command)
    lines = capfd.readouterr().err.splitlines()
    assert exit_.value.code == 2
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert files() == before
    return lines[0]


# ---- values ----


@pytest.mark.parametrize(
    "text, value",
    [
        ("3", 3),
        ("-3", -3),
        ("1e-3", 1e-3),
        ("-1.5E+2", -150.0),
        ("1_000", 1000),
        ("True", True),
        ("None", None),
        ("'3'", "3"),
        ("-inf", -float("inf")),
        ("[32,32]", [32, 32]),
        ("(64,)", (64,)),
        ("[64]*2", [64, 64]),
        ("3e-4*2", 6e-4),
        ("2**10", 1024),
        ("7//2 - 10 % 4", 1),
        ("{'a': [1, -2]}", {"a": [1, -2]}),
        ("dict(a=1, b=dict(c=2.))", {"a": 1, "b": {"c": 2.0}}),
        ("torch.nn.ELU", torch.nn.ELU),
        ("[torch.nn.ELU, np.pi]", [torch.nn.ELU, np.pi]),
    ],
)
def test_values_that_parse(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "npg",
        "cuda:0",
        "CartPole-v1",
        "a.b",
        "torch",
        "[a,b]",
        "",
        "path/to/data",
        "os.system('true')",
        "__import__('os')",
        "open('x')",
        "().__class__",
        "lambda: 1",
        "[x for x in (1,)]",
        "'a'*3",
        "True+1",
        "1/0",
        "9**9**9**9",
        "[0]*10**10",
        "dict(**{})",
        "{**{}}",
        "...",
        "(" * 500,
    ],
)
def test_any_other_text_stands_for_itself(text):
    assert parse_value(text) == text


values = st.recursive(
    st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), st.text()),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_literals_survive(value):
    assert parse_value(repr(value)) == value


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(st.text(alphabet="tfnp.0123456789()[]{},*+-/'e =x"))
def test_no_text_breaks_the_parser(text):
    value = parse_value(text)
    assert not callable(value) and (not isinstance(value, int) or math.log2(abs(value) + 1) < 1e5)


@pytest.mark.parametrize(
    "text, hint",
    [
        ("torch.nn.Elu", "torch.nn.ELU"),
        ("torch.nm.ELU", "torch.nn"),
        ("torch.nn.LeakyReLU(0.1)", "is a call, which the command line does not allow"),
        ("[torch.nope]", "does not exist"),
    ],
)
def test_dotted_names_that_lead_nowhere(text, hint):
    with pytest.raises(UserError, match=hint):
        parse_value(text)


MODULE = """
from spinup.algos.pytorch.core import MLPActorCritic
class Mine(MLPActorCritic): pass
"""


@pytest.fixture
def a_module_of_mine(monkeypatch):
    monkeypatch.syspath_prepend(Path.cwd())
    Path("of_mine.py").write_text(MODULE)
    yield
    sys.modules.pop("of_mine", None)


@pytest.mark.usefixtures("a_module_of_mine")
@pytest.mark.parametrize("name", ["of_mine:Mine", "of_mine.Mine"])
def test_an_agent_may_be_named_as_an_environment_is(name, started):
    spinup(f"ppo --env CartPole-v1 --actor_critic {name} --data_dir d")
    agent = started[0].kwargs["actor_critic"]
    assert agent is sys.modules["of_mine"].Mine


@pytest.mark.slow  # two processes
@pytest.mark.usefixtures("a_module_of_mine")
def test_a_named_agent_is_found_again_if_trusted():
    spinup("ppo --env CartPole-v1 --actor_critic of_mine:Mine " + " ".join(TINY))
    (run_,) = Path("d").glob("*/*")
    assert json.loads((run_ / "config.json").read_text())["actor_critic"] == "of_mine.Mine"
    spinup(f"test_policy {run_} --trust --norender -n 1")
    spinup(f"resume {run_} --trust --epochs 2")
    assert len((run_ / "progress.txt").read_text().splitlines()) == 3


@pytest.mark.usefixtures("a_module_of_mine")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("of_mine:Mien", ["of_mine has no 'Mien'", "Did you mean 'Mine'?"]),
        ("of_mien:Mine", ["there is no module 'of_mien'", "Did you mean 'of_mine'?"]),
        ("Mine", ["--actor_critic 'Mine' is invalid", "module:Class"]),
        ("of_mine:", ["module:Class"]),
        ("of_mine:MLPActorCritic.create", ["has no 'create'"]),
    ],
)
def test_an_agent_that_is_not_there(name, words, capfd):
    line = fails(f"ppo --env CartPole-v1 --actor_critic {name} --data_dir d", capfd)
    assert all(word in line for word in words)


# ---- flags ----


def parsed(line):
    return {key: (flag.shorthand, flag.values) for key, flag in parse_flags(line.split()).items()}


def test_the_grammar():
    line = "--env CartPole-v1 --clip_ratio 0.1 0.2 --hid[h] [32,32] [64,32] --act torch.nn.Tanh --seed 0 10 --dt"
    assert parsed(line) == {
        "env_name": (None, ["CartPole-v1"]),
        "clip_ratio": (None, [0.1, 0.2]),
        "ac_kwargs:hidden_sizes": ("h", [[32, 32], [64, 32]]),
        "ac_kwargs:activation": (None, [torch.nn.Tanh]),
        "seed": (None, [0, 10]),
        "datestamp": (None, [True]),
    }


@pytest.mark.parametrize(
    "line, key, values",
    [
        ("--target_entropy -3", "target_entropy", [-3]),
        ("--x -1e-3 2", "x", [-1e-3, 2]),
        ("--x:y:z 1", "x:y:z", [1]),
        ("--x=1 2", "x", [1, 2]),
        ("--cpu auto", "num_cpu", ["auto"]),
        ("--exp_name 1e3", "exp_name", ["1e3"]),  # as typed
        ("--env_kwargs:goal torch.pi", "env_kwargs:goal", [torch.pi]),
    ],
)
def test_flags_and_their_values(line, key, values):
    assert parse_flags(line.split())[key].values == values


@pytest.mark.parametrize(
    "line, message",
    [
        ("3 --gamma 0.9", "before any flag"),
        ("--gamma 0.9 --gamma 0.8", "given twice"),
        ("--hid [8] --ac_kwargs:hidden_sizes [8]", "given twice"),
        ("--", "not a flag"),
        ("-gamma 0.9", r"not a flag.*Did you mean '--gamma'\?"),
        ("--num-envs=2", r"not a flag.*Did you mean '--num_envs'\?"),
        ("--hid[h [8]", "not a flag"),
        ("--a::b 1", "not a flag"),
        ("--env --gamma 0.9", "needs a value"),
    ],
)
def test_flags_that_are_wrong(line, message):
    with pytest.raises(UserError, match=message):
        parse_flags(line.split())


@given(st.lists(st.text(alphabet="-abc:[]=1. ", max_size=8)))
def test_any_flags_parse_or_are_refused(argv):
    try:
        flags = parse_flags(argv)
    except UserError:
        return
    assert all(flag.values for flag in flags.values())


# ---- help ----


def test_help(capsys):
    for line in ("", "help", "--help", "-h"):
        spinup(line)
        text = capsys.readouterr().out
        assert all(word in text for word in ("vpg", "trpo", "ppo", "pytorch", "plot", "test_policy", "--env"))


@pytest.mark.parametrize("line", ["ppo --help", "PPO -h", "help ppo", "--help Ppo"])
def test_help_on_an_algorithm(line, capsys):
    spinup(line)
    text = capsys.readouterr().out
    assert "--clip_ratio 0.2" in text and find_algorithm("ppo").__doc__.splitlines()[0] in text
    assert text.endswith(textwrap.indent(describe_columns(PPO_COLUMNS), "    ") + "\n")


@pytest.mark.parametrize("line", ["help plot", "PLOT --help"])
def test_help_on_a_command(line, capsys):
    with pytest.raises(SystemExit):
        spinup(line)
    assert capsys.readouterr().out.startswith("usage: spinup plot ")


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        ("/any/bin/spinup", "spinup"),
        ("/any/spinup/run.py", "python -m spinup.run"),
        ("/any/spinup/__main__.py", "python -m spinup"),
        ("/any/script.py", "spinup"),
    ],
)
def test_messages_say_what_was_typed(program, typed, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program])
    assert f"See `{typed} ppo --help`." in fails("ppo --env CartPole-v1 --gama 0.9", capfd)
    assert f"See {typed} test_policy --help." in fails("test_policy", capfd)
    spinup("help")
    assert f"\n  {typed} plot data/first\n" in capfd.readouterr().out


@pytest.mark.parametrize("line", ["rerun --help", "rerun -h", "rerun nowhere/config.json --help"])
def test_help_on_rerun(line, capsys):
    spinup(line)
    text = capsys.readouterr().out
    assert "rerun PATH/config.json" in text and "--trust" in text


def test_help_is_fast_because_no_framework_is_imported():
    code = (
        "import sys; from spinup import run; run.main(['help']); "
        "print([m for m in ('torch', 'gymnasium', 'numpy', 'jax') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], env=clone_env(), capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines()[-1] == "[]"


def clone_env():
    return {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[1])}


# ---- from flags to directories ----


def directories(experiments):
    return [e.output_dir.as_posix() for e in experiments]


@pytest.mark.parametrize("algo", ["ppo", "ppo_pytorch"])
def test_the_default_directory(started, algo):
    spinup(f"{algo} --env CartPole-v1 --data_dir d")
    assert directories(started) == [f"d/cmd_{algo}/cmd_{algo}_s0"]
    assert started[0].thunk is find_algorithm("ppo_pytorch")


def test_every_algorithm_has_a_default_backend():
    assert set(user_config.DEFAULT_BACKEND) == {algo for algos in run.ALGORITHMS.values() for algo in algos}


def test_a_default_backend_that_is_not_there(monkeypatch, capfd):
    monkeypatch.setitem(user_config.DEFAULT_BACKEND, "ppo", "tf1")
    told = "spinup/user_config.py: DEFAULT_BACKEND['ppo'] is 'tf1', which has no ppo: expected one of pytorch, jax."
    assert fails("ppo --env CartPole-v1", capfd) == f"error: {told}"
    assert find_algorithm("ppo_jax")


def test_the_grid_of_the_documentation(started):
    spinup(
        "ppo --exp_name ppo_pend --env Pendulum-v1 --clip_ratio 0.1 0.2 --hid[h] [32,32] [64,32] "
        "--act torch.nn.Tanh --seed 0 10 20 --data_dir path/to/data"
    )
    names = [f"ppo_pend_cli0-{c}_h{h}-32" for c in (1, 2) for h in (32, 64)]
    assert directories(started) == [f"path/to/data/{n}/{n}_s{s}" for n in names for s in (0, 10, 20)]
    assert started[0].kwargs["ac_kwargs"] == {"hidden_sizes": [32, 32], "activation": torch.nn.Tanh}


@pytest.mark.parametrize(
    ("flags", "networks"),
    [
        ("--hid 64", [{"hidden_sizes": [64]}]),
        ("--hid 64 [32,32]", [{"hidden_sizes": [64]}, {"hidden_sizes": [32, 32]}]),
        ("--act relu leaky_relu", [{"activation": torch.nn.ReLU}, {"activation": torch.nn.LeakyReLU}]),
        ("--act ELU torch.nn.Tanh", [{"activation": torch.nn.ELU}, {"activation": torch.nn.Tanh}]),
    ],
)
def test_networks_as_people_type_them(flags, networks, started):
    spinup(f"ppo --env CartPole-v1 --data_dir d {flags}")
    assert [experiment.kwargs["ac_kwargs"] for experiment in started] == networks


def test_an_activation_is_that_of_the_backend(started):
    jax = pytest.importorskip("jax")
    spinup("ppo_jax --env CartPole-v1 --data_dir d --act Tanh LeakyReLU soft_sign")
    activations = [experiment.kwargs["ac_kwargs"]["activation"] for experiment in started]
    assert activations == [jax.nn.tanh, jax.nn.leaky_relu, jax.nn.soft_sign]


def test_environments_and_their_arguments_make_a_grid_too(started):
    spinup("ppo --env CartPole-v1 Pendulum-v1 --data_dir d --exp_name x")
    spinup("ppo --env Pendulum-v1 --env_kwargs:g 9.8 1.6 --data_dir d --exp_name y")
    assert directories(started) == [f"d/{n}/{n}_s0" for n in ("x_envcartpole-v1", "x_envpendulum-v1")] + [
        f"d/{n}/{n}_s0" for n in ("y_env-g9-8", "y_env-g1-6")
    ]
    assert started[3].kwargs["env_fn"].env_kwargs == {"g": 1.6}


# ---- mistakes: one clear sentence, status 2, nothing written ----


@pytest.mark.parametrize(
    "command, words",
    [
        ("pp --env CartPole-v1", ["'pp'", "Did you mean", "'ppo'", "test_policy"]),
        ("ppo_flax --env CartPole-v1", ["'ppo_flax'", "'ppo_jax'"]),
        ("a2c --env CartPole-v1", ["'a2c'", "vpg, trpo, ppo, dqn, ddpg, td3, sac"]),
        ("plots", ["'plot'"]),
        ("ppo", ["--env CartPole-v1"]),
        ("ppo CartPole-v1", ["--env CartPole-v1"]),
        ("ppo --evn CartPole-v1", ["--evn", "'--env'"]),
        ("ppo --env CartPole-v1 --epoch 3", ["--epoch", "'--epochs'"]),
        ("ppo --env CartPole-v1 --gama 0.9", ["--gama", "'--gamma'"]),
        ("ppo --env CartPole-v1 --env_fn x", ["--env_fn"]),
        ("ppo --env CartPole-v1 --hid [8] --ac_kwargs:activatoin torch.nn.Tanh", ["activatoin", "activation"]),
        ("ppo --env CartPole-v1 --ac_kwargs {} --hid [8]", ["ac_kwargs", "same thing"]),
        ("ppo --env CartPole-v1 --act torch.nn.Elu", ["torch.nn.Elu", "torch.nn.ELU"]),
        ("ppo --env CartPole-v1 --act elo", ["'elo'", "torch.nn"]),
        ("ppo --env CartPole-v1 --act torch.nn.functional.relu", ["activation=", "torch.nn.Tanh"]),
        ("dqn --env Pendulum-v1", ["DQN needs Discrete actions", "SAC"]),
        ("sac --env CartPole-v1", ["continuous actions", "Discrete(2)", "PPO"]),
        ("ppo --env CartPole-v1 --hid 0", ["hidden_sizes", "[64,64]"]),
        ("ppo --env CartPole-v1 --gamma 1.5", ["gamma=1.5"]),
        ("ppo --env CartPole-v1 --gamma high", ["gamma='high'"]),
        ("ppo --env CartPole-v1 --gamma", ["gamma=True"]),
        ("ppo --env CartPole-v1 --epochs 0", ["epochs=0"]),
        ("ppo --env CartPole-v1 --seed 0 x", ["seed='x'"]),
        ("ppo --env CartPole-v1 --seed 0 0", ["would save to"]),
        ("ppo --env CartPole-v1 --steps_per_epoch 4001", ["steps_per_epoch=4001", "num_envs=4"]),
        ("ppo --env LunarLander-v2", ["'LunarLander-v2'", "'LunarLander-v3'"]),
        ("ppo --env HalfCheetah-v2", ["'HalfCheetah-v2'", "'HalfCheetah-v5'"]),
        ("ppo --env CartPol-v1", ["'CartPol-v1'", "'CartPole-v1'"]),
        ("ppo --env dm_control/cartpole-balance-v0", ["needs shimmy", "shimmy:dm_control/cartpole-balance-v0"]),
        ("ppo --env no_such_module:X-v0", ["no_such_module"]),
        ("ppo --env CartPole-v1 --env_kwargs:colour red", ["colour"]),
        ("ppo --env CartPole-v1 --env_kwargs 3", ["env_kwargs=3"]),
        ("ppo --env CarRacing-v3", ["images", "actor_critic"]),
        ("ppo --env CartPole-v1 --cpu 2 --steps_per_epoch 4004", ["steps_per_epoch=4004", "2 processes"]),
        ("sac --env Pendulum-v1 --cpu 2", ["replay buffer", "--num_envs 2", "--jobs 2"]),
        ("ppo --env CartPole-v1 --cpu 0", ["num_cpu=0"]),
        ("ppo --env CartPole-v1 --cpu 1 2", ["--cpu", "one value"]),
        ("ppo --env CartPole-v1 --jobs 0", ["jobs=0", "'auto'"]),
        ("ppo --env CartPole-v1 --jobs 2 4", ["--jobs", "one value"]),
        ("ppo --env CartPole-v1 --launcher slurm", ["launcher='slurm'", "'ray'"]),
        ("ppo --env CartPole-v1 --ray_address here:1", ["ray_address='here:1'", "--launcher ray"]),
        ("ppo --env CartPole-v1 --launcher ray --gpus_per_run some", ["gpus_per_run='some'"]),
        ("ppo --env CartPole-v1 --retries often", ["retries='often'"]),
        ("ppo --env CartPole-v1 --exp_name a b", ["--exp_name", "one value"]),
        ("ppo --env CartPole-v1 --exp_name a/b", ["'a/b'"]),
        ("ppo --env CartPole-v1 --exp_name=", ["--exp_name needs a value"]),
        ("ppo --env CartPole-v1 --track=", ["--track needs a value"]),
        ("ppo \u2013env CartPole-v1", ["no hyphen: type --env."]),  # as pages turn hyphens into dashes
        ("plot d \u2014save curve.png", ["no hyphen: type --save."]),
        ("ppo --env CartPole-v1 --seed 0,1", ["seed=(0, 1)", "For several values, use --seed 0 1."]),
        ("ppo --env CartPole-v1 --ac_kwargs {1:2}", ["MLPActorCritic has no parameter 1"]),
        ("ppo --env CartPole-v1 --dt yes", ["--dt", "'yes'"]),
        ("ppo --env CartPole-v1 --dt --resume", ["--dt", "`spinup resume PATH`"]),
        ("ppo --env CartPole-v1 --overwrite --resume", ["contradict each other"]),
        ("plot nowhere --save curve.png", ["nowhere"]),
        ("plot nowhere", ["'nowhere' is not a run"]),  # and there is no display
        ("ppo --env CartPol-v1 --launcher ray --cpus_per_run 2", ["'CartPol-v1'"]),  # and perhaps no Ray
        ("test_policy nowhere", ["nowhere"]),
    ],
)
def test_mistakes(command, words, capfd, started):
    line = fails(command + " --data_dir d" if command.startswith("ppo ") else command, capfd)
    assert not [word for word in words if word not in line], line
    assert not started


@pytest.mark.parametrize("command", ["resume", "plot", "diagnose", "test_policy", "convert", "rerun"])
def test_an_empty_path_is_not_the_working_directory(command, capfd, started):
    """``spinup resume "$RUN"`` with an unset variable resumed every run below it."""
    with pytest.raises(SystemExit) as exit_:
        run.main([command, ""])
    told = capfd.readouterr().err
    assert exit_.value.code == 2 and ("A path is empty" in told or "needs a file" in told)
    assert not started


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch, started):
    """No shell expands it in ``--data_dir=~/d``, nor does Python, and ``rm -r ~`` would not remove what that makes."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    spinup("ppo --env CartPole-v1 --data_dir=~/d")
    assert started[0].output_dir == tmp_path / "home/d/cmd_ppo/cmd_ppo_s0"
    tiny = dict(steps_per_epoch=80, num_envs=1, epochs=1, ac_kwargs={"hidden_sizes": [4]})
    ppo("CartPole-v1", **tiny, logger_kwargs={"output_dir": "~/run"})
    with pytest.raises(UserError, match=r"already holds a run: add resume=True"):
        ppo("CartPole-v1", **tiny, logger_kwargs={"output_dir": "~/run"})
    assert type(load("~/run")) is type(load("~/run/pyt_save/model.pt"))
    spinup("plot ~/run --save=~/curve.png")
    make_plots("~/run", save="~/more/curve.png")
    assert check_video_path("~/film.mp4").parent == tmp_path / "home"
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_a_directory_that_holds_a_run(capfd, started):
    Path("d/cmd_ppo/cmd_ppo_s0").mkdir(parents=True)
    Path("d/cmd_ppo/cmd_ppo_s0/progress.txt").touch()
    line = fails("ppo --env CartPole-v1 --data_dir d", capfd)
    assert "--overwrite" in line and "--dt" in line
    spinup("ppo --env CartPole-v1 --data_dir d --overwrite")
    spinup("ppo --env CartPole-v1 --data_dir d --dt")
    assert len(started) == 2


OTHER = "its environment is CartPole-v1): add --exp_name NAME to save this one elsewhere, --dt"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--env CartPole-v1", "already holds a run: add --resume to continue it"),
        ("--env CartPole-v1 --epochs 9", "already holds a run: add --resume to continue it"),
        ("--env Acrobot-v1", f"already holds a run of another experiment ({OTHER}"),
        ("--env CartPole-v1 --gamma 0.5", "another experiment (gamma=0.99 there, 0.5 here): add --exp_name NAME"),
        ("--env CartPol-v1", "does not exist"),
        ("--env CartPole-v1 --gamma 5", "gamma=5 is invalid"),
        ("--env Pendulum-v1 --act nothing", "activation"),
    ],
)
def test_a_directory_that_holds_a_run_of_another_experiment(flags, told, capfd, started, monkeypatch):
    monkeypatch.setattr("spinup.experiments.launch.run_in_series", lambda es, *_: es[0].thunk(**es[0].kwargs))
    tiny = "--epochs 1 --steps_per_epoch 20 --num_envs 2 --data_dir d"
    spinup(f"ppo --env CartPole-v1 {tiny}")
    assert told in fails(f"ppo {tiny.replace('--epochs 1 ', '')} {flags}", capfd)


def test_a_device_is_tried_before_the_directory_is_refused(capfd, monkeypatch):
    Path("d/cmd_ppo/cmd_ppo_s0").mkdir(parents=True)
    Path("d/cmd_ppo/cmd_ppo_s0/progress.txt").touch()
    monkeypatch.setattr("spinup.experiments.preflight.run_in_process", lambda _: 2)  # which has reported it
    with pytest.raises(SystemExit) as exit_:
        spinup("ppo --env CartPole-v1 --data_dir d --device cuda:77")
    assert (exit_.value.code, capfd.readouterr().err) == (2, "")


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (KeyboardInterrupt("Interrupted: nothing is saved yet."), 130, "Interrupted: nothing is saved yet.\n"),
        (ExperimentFailed("1 of 2 failed."), 1, "error: 1 of 2 failed.\n"),
        (ExperimentFailed("its error is above.", 2), 2, ""),
        (SystemExit(143), 143, ""),
        (OutputClosed(), 130, ""),
        (PermissionError(errno.EACCES, "no", Path("x")), 2, "error: 'x' cannot be used (no).\n"),
        (OSError(errno.ENOSPC, "full"), 2, "error: A file cannot be used (full).\n"),
    ],
)
def test_how_commands_end(end, status, said, capfd, monkeypatch):
    def launch(*_, **__):
        raise end

    monkeypatch.setattr("spinup.experiments.grid.launch", launch)
    monkeypatch.setattr("spinup.commands.arguments.end_at_next_interrupt", lambda: None)
    with pytest.raises(SystemExit) as exit_:
        spinup("ppo --env CartPole-v1")
    assert (exit_.value.code, capfd.readouterr().err) == (status, said)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="closing a terminal is SIGHUP on Unix")
def test_a_closed_terminal_ends_a_command_in_order_but_not_after_nohup(monkeypatch):
    handlers = {signal.SIGHUP: signal.SIG_IGN, signal.SIGTERM: signal.SIG_DFL}
    monkeypatch.setattr(signal, "getsignal", handlers.get)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    spinup("--version")
    assert handlers[signal.SIGHUP] is signal.SIG_IGN
    handlers[signal.SIGHUP] = signal.SIG_DFL
    spinup("--version")
    with pytest.raises(SystemExit, match="129"):
        handlers[signal.SIGHUP](signal.SIGHUP, None)


def test_a_working_directory_that_is_no_more(capfd, monkeypatch):
    def gone():
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", gone)
    with pytest.raises(SystemExit, match="2"):
        spinup("ppo --env CartPole-v1")
    assert capfd.readouterr().err == "error: The working directory has been removed: change to another.\n"


def test_names_that_the_console_cannot_show(monkeypatch, started):
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    spinup("ppo --env CartPole-v1 --exp_name größe --seed 0 1 --data_dir d")
    stdout.flush()
    shown = stdout.buffer.getvalue().decode("ascii")
    assert "Experiment grid 'gr\\xf6\\xdfe'" in shown and "spinup plot 'd/gr\\xf6\\xdfe'" in shown


# ---- for real ----

ENVS = """
    import gymnasium as gym
    import numpy as np
    from gymnasium.spaces import Box

    class Sick(gym.Env):
        observation_space, action_space = Box(-1, 1, (2,), np.float32), Box(-1, 1, (1,), np.float32)

        def reset(self, **kwargs):
            return np.zeros(2, np.float32), {}

        def step(self, action):
            return np.zeros(2, np.float32), float("nan"), False, False, {}

    gym.register("Sick-v0", Sick)
"""


@pytest.mark.slow
def test_train_as_typed(tmp_path):
    command = [sys.executable, "-m", "spinup.run", "ppo", "--env", "CartPole-v1", *TINY, "--exp_name", "first"]
    process = subprocess.run(command, env=clone_env(), capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")
    run_dir = tmp_path / "d" / "first" / "first_s0"
    assert {"config.json", "progress.txt", "env.json", "pyt_save"} <= {p.name for p in run_dir.iterdir()}
    assert "python -m spinup.run test_policy " + os.path.join("d", "first", "first_s0") in process.stdout
    again = subprocess.run(command, env=clone_env(), capture_output=True, text=True)
    assert again.returncode == 2 and "--overwrite" in again.stderr


@pytest.mark.slow
def test_a_grid_for_real():
    spinup(f"ppo --env CartPole-v1 --exp_name g --gamma 0.9 0.99 --seed 0 1 {' '.join(TINY)}")
    assert {p.parent.relative_to("d").as_posix() for p in Path("d").rglob("progress.txt")} == {
        f"g_gam0-{gamma}/g_gam0-{gamma}_s{seed}" for gamma in (9, 99) for seed in (0, 1)
    }


@pytest.mark.slow
def test_mistakes_that_only_training_finds(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "sick_envs.py").write_text(textwrap.dedent(ENVS))
    with pytest.raises(SystemExit) as exit_:
        spinup(f"ppo --env sick_envs:Sick-v0 {' '.join(TINY)}")
    assert exit_.value.code == 2 and "nan" in capfd.readouterr().err
