"""Data-parallel training, by real processes: what they exchange, that they learn as one would, and how they end."""

import csv
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import toy_mpi

import spinup
from spinup.errors import UserError
from spinup.experiments import cores
from spinup.experiments.launch import call_experiment
from spinup.hyperparameters import check_hyperparameters
from spinup.mpi import pytorch as mpi_pytorch
from spinup.mpi import tools as mpi_tools

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
AS_A_PROGRAM = "import toy_mpi; from spinup.commands.arguments import exit_on_user_error as run; "


def start(command, n=2, env=(), launcher=True):
    """Run ``python *command``, as ``n`` processes where there is a ``launcher``; returns how it ended."""
    paths = os.pathsep.join([str(ROOT), str(TESTS)])
    command = [*(mpi_tools.launch_command(n) if launcher else []), sys.executable, *command]
    env = mpi_tools.launch_environment(n) | {"PYTHONPATH": paths} | dict(env)
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def together(call, n=2):
    """Let ``n`` processes make a call to ``toy_mpi``, which none may fail."""
    done = start(["-c", f"import toy_mpi; toy_mpi.{call}"], n)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(run):
    with open(f"{run}/progress.txt", newline="") as file:
        return [{k: v for k, v in row.items() if k != "Time"} for row in csv.DictReader(file, delimiter="\t")]


# ---- one process ----


def test_alone_everything_is_the_identity():
    x = np.float32([1, 5])
    assert (mpi_tools.proc_id(), mpi_tools.num_procs(), mpi_tools.num_procs_here()) == (0, 1, 1)
    for same in (mpi_tools.mpi_sum, mpi_tools.mpi_avg, mpi_tools.broadcast, lambda x: mpi_tools.mpi_op(x, "max")):
        assert same(x) is x
    result = np.empty(2)
    mpi_tools.allreduce(x, result)
    assert (result == x).all()
    assert mpi_tools.gather(x)[0] is mpi_tools.scatter([x]) is x
    assert mpi_tools.process_seed(2**32 - 1) == 2**32 - 1
    assert mpi_tools.only_first(lambda y: y)(x) is x
    assert mpi_tools.mpi_statistics_scalar(x, with_min_and_max=True) == (3, 2, 1, 5)
    assert np.isnan(mpi_tools.mpi_statistics_scalar([])).all()
    y = torch.ones(2, requires_grad=True)
    assert mpi_pytorch.average(y) is y and mpi_pytorch.average_all([y])[0] is y
    mpi_tools.mpi_fork(1)


def test_msg_tells_who_speaks(capsys):
    mpi_tools.msg(3, "x = ")
    assert capsys.readouterr().out == "process 0: x = 3\n"


@pytest.mark.slow
def test_alone_nothing_needs_mpi():
    code = """
        import sys
        sys.modules["mpi4py"] = None                 # as if it were not installed
        import toy_mpi
        toy_mpi.ppo.ppo(toy_mpi.Counter, steps_per_epoch=8, epochs=1)
        toy_mpi.synchronise()
    """
    done = start(["-c", textwrap.dedent(code)], launcher=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variables", "placed"),
    [
        ({}, (0, 1)),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, (3, 4)),
        ({"PMI_SIZE": "2", "PMI_RANK": "1"}, (1, 2)),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "7"}, (7, 8)),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, (0, 1)),  # a batch script, before any srun
        # mpirun on Slurm: srun has started one daemon for each of two hosts
        ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "PMI_SIZE": "4", "PMI_RANK": "2"}, (2, 4)),
    ],
)
def test_launchers_tell_a_process_its_number(monkeypatch, variables, placed):
    for name in [*os.environ]:
        if name.startswith(("OMPI_", "PMI", "SLURM_")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (mpi_tools.proc_id(), mpi_tools.num_procs()) == placed


@pytest.mark.slow
def test_a_launcher_of_another_mpi_is_noticed():
    strangers = {"PMI_SIZE": "2", "PMI_RANK": "0"}
    code = f"{AS_A_PROGRAM}run(lambda _: toy_mpi.exchange())"
    done = start(["-c", code], env=strangers, launcher=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: 2 processes were started, but MPI does not connect them"), done.stderr


# ---- several ----


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3])
def test_processes_exchange_numbers(n):
    together("exchange()", n)


@pytest.mark.slow
def test_processes_of_a_users_own_script_are_kept_the_same():
    together("synchronise()")


@pytest.mark.slow
def test_the_gradient_of_a_split_batch_is_that_of_the_whole():
    together("split_gradient('split.pt')")
    toy_mpi.split_gradient("whole.pt")
    for split, whole in zip(torch.load("split.pt"), torch.load("whole.pt"), strict=True):
        torch.testing.assert_close(split, whole, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_an_epoch_split_among_processes_teaches_what_one_process_learns_from_the_whole():
    together("improve_all('split.pt')")
    split = torch.load("split.pt", weights_only=False)
    for algorithm in toy_mpi.ALGORITHMS:
        (theta, stats), (other, _) = split[algorithm]
        whole, whole_stats = toy_mpi.improve(algorithm)
        assert (theta == other).all(), "not to the same bits"
        np.testing.assert_allclose(theta, whole, rtol=0, atol=1e-6)
        assert stats == pytest.approx(whole_stats, abs=1e-5)
    assert 0 < split["ppo"][0][1]["StopIter"] < 80, "the test wants an early stop"


@pytest.mark.slow
def test_processes_share_the_steps_of_an_epoch_and_log_as_one():
    out = together("train_all()")
    assert out.count("Logging to") == 6 and out.count("TotalEnvInteracts") == 18, "only the first process prints"
    for algorithm in toy_mpi.ALGORITHMS:
        table = rows(f"{algorithm}_first")
        assert [row["TotalEnvInteracts"] for row in table] == ["24", "48", "72"]
        # 12 steps for each process, 6 for each of its environments: episodes of 10 steps end in the 2nd and 3rd epoch
        assert [row["EpLen"] for row in table] == ["", "10.0", ""]
        assert [table[1][key] for key in ("AverageEpRet", "MinEpRet", "MaxEpRet")] == ["555.0", "55.0", "1055.0"]
        assert rows(f"{algorithm}_again") == table


@pytest.mark.slow
def test_a_resumed_run_is_the_one_that_was_not_interrupted():
    together("train_and_resume()")
    assert len(rows("run")) == 4 and rows("run") == rows("whole")
    with pytest.raises(UserError, match="num_cpu=2 and cannot be resumed with 1"):
        toy_mpi.train("run", epochs=4, resume=True)


@pytest.mark.slow
def test_every_process_draws_random_numbers_of_its_own():
    together("train_apart()")


# ---- from the command line and from scripts ----

BRIEFLY = [
    "--env",
    "CartPole-v1",
    "--epochs",
    "2",
    "--steps_per_epoch",
    "80",
    "--train_v_iters",
    "2",
    "--data_dir",
    "d",
]


@pytest.mark.slow
def test_the_command_line_starts_processes():
    done = start(["-m", "spinup.run", "trpo", "--cpu", "2", *BRIEFLY], launcher=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Logging to") == 1 and "test_policy" in done.stdout
    run = "d/cmd_trpo/cmd_trpo_s0"
    assert [row["TotalEnvInteracts"] for row in rows(run)] == ["80", "160"]
    done = start(["-m", "spinup.run", "resume", run, "--epochs", "3"], launcher=False)
    assert (done.returncode, done.stderr, len(rows(run))) == (0, "", 3)
    assert "in 2 processes" in done.stdout and "Resuming after epoch 1" in done.stdout


@pytest.mark.slow
def test_a_grid_runs_in_the_processes_that_an_outer_launcher_has_started():
    command = ["-m", "spinup.run", "vpg", *BRIEFLY, "--seed", "0", "1"]
    done = start(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Running experiment") == done.stdout.count("Logging to") == 2
    assert done.stdout.count("\nExperiment grid") == 1
    for seed in (0, 1):
        assert len(rows(f"d/cmd_vpg/cmd_vpg_s{seed}")) == 2
    again = start(command)
    assert again.returncode == 2
    assert "error: 'd/cmd_vpg/cmd_vpg_s0' already holds a run" in again.stderr


@pytest.mark.slow
def test_a_script_forks_itself():
    Path("script.py").write_text(
        textwrap.dedent("""
            import sys
            from spinup.mpi.tools import mpi_fork, mpi_sum, num_procs, proc_id
            mpi_fork(2)
            assert num_procs() == 2 and mpi_sum(1) == 2
            print(f"{proc_id()} of {sys.argv[1]}\\n", end="", flush=True)
            sys.exit(3 if proc_id() else 0)
        """)
    )
    done = start(["script.py", "mine"], launcher=False)
    assert sorted(done.stdout.split("\n")) == ["", "0 of mine", "1 of mine"]
    assert done.returncode == 3, done.stderr


# ---- what is refused ----


@pytest.mark.parametrize(
    ("algorithm", "settings", "message"),
    [
        ("sac_pytorch", {}, "replay buffer are not data-parallel.*num_envs=2.*jobs=2"),
        ("ppo_jax", {}, "JAX algorithms train in one process.*num_envs=2.*jobs=2"),
        ("ppo_pytorch", {"steps_per_epoch": 4004}, "num_envs=4 environments in each of 2 processes.* multiple of 8"),
    ],
)
def test_what_several_processes_cannot_do_is_told_first(algorithm, settings, message):
    with pytest.raises(UserError, match=message):
        call_experiment("x", getattr(spinup, algorithm), num_cpu=2, env_name="CartPole-v1", **settings)
    assert not os.listdir()


@pytest.mark.parametrize(("hidden", "missing"), [("mpi4py", "mpi4py"), ("mpirun", "mpirun")])
def test_what_is_not_installed_is_named(monkeypatch, hidden, missing):
    ppo = spinup.ppo_pytorch
    if hidden == "mpi4py":
        monkeypatch.setattr(mpi_tools.importlib.util, "find_spec", lambda name: None)
    else:
        monkeypatch.setattr(mpi_tools.shutil, "which", lambda *_, **__: None)
    with pytest.raises(UserError, match=rf'needs {missing}, not installed here: pip install "spinningup\[mpi\]"'):
        call_experiment("x", ppo, num_cpu=2, env_name="CartPole-v1")


@pytest.fixture
def one_of_two(monkeypatch):
    """Makes this process believe that a launcher has started it and another."""
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", "1")


def test_processes_that_a_launcher_has_started_are_counted(one_of_two):
    assert cores.check_num_cpu(1) == cores.check_num_cpu(2) == cores.check_num_cpu("auto") == 2
    with pytest.raises(UserError, match="num_cpu=3 does not fit the 2 processes that MPI has started: leave it out"):
        cores.check_num_cpu(3)
    with pytest.raises(UserError, match="in each of 2 processes"):
        check_hyperparameters({"steps_per_epoch": 12, "num_envs": 4})
    check_hyperparameters({"steps_per_epoch": 16, "num_envs": 4})


@pytest.mark.parametrize("algorithm", ["dqn_pytorch", "vpg_jax", "dqn_jax"])
def test_training_functions_refuse_processes_too(one_of_two, algorithm):
    from spinup.experience.envs import EnvFn

    with pytest.raises(UserError, match="so 2 processes are too many"):
        getattr(spinup, algorithm)(EnvFn("CartPole-v1"), logger_kwargs=dict(output_dir="run"))


# ---- the end ----


@pytest.mark.slow
@pytest.mark.parametrize("how", ["raise", "everywhere", "before"])
def test_an_error_of_one_process_ends_all_and_is_told_once(how):
    done = start(["-c", f"import toy_mpi; toy_mpi.die({how!r})"])
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: boom") == 1, done.stderr
    assert "the end" not in done.stdout


@pytest.mark.slow
def test_an_exit_of_one_process_ends_all():
    done = start(["-c", AS_A_PROGRAM + "run(lambda _: toy_mpi.die('exit'))"])
    assert done.returncode == 1
    assert done.stderr.startswith("boom\n")


@pytest.mark.slow
def test_a_mistake_is_one_line_and_ends_all():
    done = start(["-c", AS_A_PROGRAM + "run(lambda _: toy_mpi.die('mistake'))"])
    assert done.returncode == 2
    assert done.stderr.count("error: boom is invalid.") == 1, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_ends_all():
    started = time.monotonic()
    done = start(["-c", "import toy_mpi; toy_mpi.die('kill')"])
    assert done.returncode == 137
    assert "the end" not in done.stdout
    assert time.monotonic() - started < 60
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if "toy_mpi" in " ".join(child.cmdline())]
