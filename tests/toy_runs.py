"""A training function that only pretends: it logs rows, keeps a checkpoint, and gets into any trouble asked for."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import spinup
from spinup.errors import UserError
from spinup.records.directory import last_epoch

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")


def train(seed=0, epochs=3, pause=0.0, trouble=None, late=False, logger_kwargs=None, resume=False):
    """Write a row and a checkpoint each epoch; ``trouble`` maps a seed to what befalls it in the middle.

    ``'crash'`` and ``'mistake'`` come each time, ``'kill'`` only where nothing was resumed. ``late`` takes a moment to
    end when interrupted.
    """
    run = Path(logger_kwargs["output_dir"])
    log, last = run / "progress.txt", last_epoch(run) if resume else None
    first = 0 if last is None else last + 1
    (run / "checkpoint").mkdir(parents=True, exist_ok=True)
    rows = log.read_text().splitlines()[: first + 1] if first else ["Epoch\tAverageEpRet\tTotalEnvInteracts\tTime"]
    log.write_text("\n".join(rows) + "\n")
    (run / "config.json").write_text(json.dumps({"epochs": epochs, **logger_kwargs}))
    print(f"seed {seed} from epoch {first}")
    began = time.time()
    try:
        for epoch in range(first, epochs):
            if epoch == 1:
                _suffer((trouble or {}).get(seed), first)
            time.sleep(pause)
            with log.open("a") as file:
                file.write(f"{epoch}\t{100.5 + epoch}\t{1000 * (epoch + 1)}\t{2.0 * (epoch + 1)}\n")
            (run / "checkpoint" / f"epoch{epoch:06d}.npz").touch()
    except KeyboardInterrupt:
        time.sleep(0.5 if late else 0)
        (run / "interrupted").touch()
        raise
    finally:
        threads = {name: os.environ.get(name) for name in THREADS}
        told = {"first": first, "began": began, "ended": time.time(), "pid": os.getpid(), **logger_kwargs, **threads}
        with (run / "told.jsonl").open("a") as file:
            file.write(json.dumps(told) + "\n")


def train_anew(seed=0, epochs=3, trouble=None, logger_kwargs=None):
    """The same, but it cannot resume; killed only once even so."""
    again = bool(logger_kwargs.get("overwrite"))
    train(seed, epochs, trouble=None if again else trouble, logger_kwargs=logger_kwargs)


def _suffer(trouble, first):
    if trouble == "crash":
        raise RuntimeError("boom")
    if trouble == "mistake":
        raise UserError("you erred")
    if trouble == "kill" and first == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def told(run):
    """What each call that ended in its own time left behind in the directory ``run``."""
    return [json.loads(line) for line in (run / "told.jsonl").read_text().splitlines()]


def epochs_of(run):
    """The epochs in ``progress.txt``."""
    return [int(line.split("\t")[0]) for line in (run / "progress.txt").read_text().splitlines()[1:]]


# ---- a grid of it in a process of its own, to be interrupted ----

SCRIPT = """
    import ast, signal, sys
    from spinup.experiments.grid import ExperimentGrid
    from toy_runs import train

    if __name__ == "__main__":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        parameters, how = map(ast.literal_eval, sys.argv[1:])
        grid = ExperimentGrid("g")
        for key, values in parameters.items():
            grid.add(key, values)
        grid.run(train, data_dir="d", **how)
"""


def start_grid(parameters, how, **streams):
    """Start a script in the current directory that runs the grid of ``parameters``."""
    Path("script.py").write_text(textwrap.dedent(SCRIPT))
    path = os.pathsep.join([str(Path(spinup.__file__).parents[1]), str(Path(__file__).parent)])
    command = [sys.executable, "script.py", repr(parameters), repr(how)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, start_new_session=True, **streams)


def wait_for_checkpoints(process, runs, seconds=60):
    """Wait until every one of ``runs`` has its first checkpoint."""
    deadline = time.monotonic() + seconds
    while not all((run / "checkpoint" / "epoch000000.npz").exists() for run in runs):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
