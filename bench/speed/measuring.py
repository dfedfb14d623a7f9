"""Measures every case in a process of its own, in several rounds, and summarises the results.

The first round measures everything with every number of threads, because small networks often learn faster on one;
later rounds, and the table, use the number that is best for a case. Every second round runs backwards, so that a
machine that slows down slows all cases alike. A ratio is the median over rounds.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.commits import ROOT
from bench.machine import THREADS, choose_cores
from bench.speed.bounds import measure_peak, measure_step_time, speed_bounds, work_of
from bench.speed.peers import train, train_in_processes
from bench.speed.tasks import FRAMEWORKS, OURS, Case, Settings, spaces_of
from spinup.errors import UserError

BUSY = "while True: pass"
SPEEDS = ("steps_per_second", "gradient_steps_per_second")
EQUAL_WORK = 0.05  # environment steps/s are compared where gradient steps per epoch differ by no more than this
Key = tuple[str, int]  # the name of a case or yardstick, and the number of threads
Results = dict[Key, list[Any]]


# ---- one measurement ----


def measure(call: dict[str, Any], threads: int) -> Any:
    """Make a call (see :func:`main`) in a new process with ``threads`` threads, as many cores, and no GPU.

    Raises:
        UserError: if it fails; its traceback is printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "call.json", Path(folder) / "result.json"
        files[0].write_text(json.dumps(call | {"threads": threads}))
        environment = os.environ | dict.fromkeys(() if "busy" in call else THREADS, str(threads))
        environment |= {"JAX_PLATFORMS": "cpu", "SB3_LOGDIR": folder}
        command = [sys.executable, "-m", "bench.speed.measuring", *map(str, files)]
        output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        with kept_busy(call.get("busy", 0)):
            done = subprocess.run(command, cwd=ROOT, env=environment, **output)
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            raise UserError(f"{call} could not be measured: its traceback is above.")
        return json.loads(files[1].read_text())


@contextlib.contextmanager
def kept_busy(cores: int) -> Iterator[None]:
    """Let other processes compute on ``cores`` cores during the block."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(cores)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure_for(seconds: float, call: dict[str, Any], threads: int) -> Any:
    """Measure with enough epochs to last ``seconds`` after the first; ``call`` keeps their number for later rounds."""
    while True:
        result = measure(call, threads)
        if not isinstance(result, dict) or result["seconds"] >= seconds:
            return result
        more = 1.25 * seconds / result["seconds"] if result["seconds"] else 2
        call["epochs"] = 1 + math.ceil(more * (call["epochs"] - 1))


def main(call_file: str, result_file: str) -> None:
    """Make the call described in one file (``call``, ``threads`` and keywords), and write its result to the other."""
    keywords = json.loads(Path(call_file).read_text())
    threads = keywords.pop("threads")
    as_installed = keywords.pop("busy", None) is not None  # all cores, and the threads that a user has by default
    if (
        hasattr(os, "sched_setaffinity") and not as_installed
    ):  # PPO fits policy and value side by side, whatever the number of threads
        os.sched_setaffinity(0, choose_cores(threads))
    if "settings" in keywords:
        keywords["settings"] = Settings(**keywords["settings"])
    callables: tuple[Callable, ...] = (train, train_in_processes, measure_step_time, measure_peak)
    chosen = {function.__name__: function for function in callables}[keywords.pop("call")]
    result = chosen(**keywords)
    Path(result_file).write_text(json.dumps(result))


def call_of(case: Case) -> dict[str, Any]:
    """The call that measures a case, with the least number of epochs."""
    call = {"env": case.env, "library": case.library, "algorithm": case.task.algorithm, "epochs": 2}
    call["settings"] = asdict(case.task.settings)
    if case.process_flag:
        return call | {"call": "train_in_processes", "process_flag": case.process_flag, "processes": case.value}
    return call | {"call": "train"} | ({"busy": case.value} if case.busy else {})


def calls_of(cases: Sequence[Case], threads: Sequence[int]) -> dict[Key, dict[str, Any]]:
    """All that the first round measures: the yardsticks (simulators, matrix products), and every case."""
    calls: dict[Key, dict[str, Any]] = {}
    for env in dict.fromkeys(case.env for case in cases):
        calls[f"step of {env}", 1] = {"call": "measure_step_time", "env": env}
    for framework in dict.fromkeys(FRAMEWORKS[case.library] for case in cases):
        for count in threads:
            calls[f"matrix product of {framework}", count] = {"call": "measure_peak", "framework": framework}
    return calls | {(case.name, count): call_of(case) for case in cases for count in threads}


def measure_rounds(calls: dict[Key, dict[str, Any]], rounds: int, seconds: float) -> Iterator[Results]:
    """Yield the results so far after each round; a case that fails is reported and left out."""
    results: Results = {key: [] for key in calls}
    for number in range(rounds):
        keys = [key for key in calls if key in results and _is_measured_again(key, results)]
        for key in keys if number % 2 == 0 else reversed(keys):
            _measure_and_add(results, key, calls[key], seconds)
        yield results


def _is_measured_again(key: Key, results: Results) -> bool:
    """Whether the next round measures this number of threads: for yardsticks any, for a case the best so far."""
    measured = results[key]
    return not measured or not isinstance(measured[0], dict) or key[1] == best_threads(key[0], results)


def best_threads(name: str, results: Results) -> int:
    """The number of threads that a case was measured with most often; among equals, the fastest."""
    found = {count: measured for (other, count), measured in results.items() if other == name}
    return max(found, key=lambda count: (len(found[count]), _median_speed(found[count])))


def _median_speed(measured: Sequence[dict[str, Any]]) -> float:
    return median(result[SPEEDS[0]] for result in measured)


def _measure_and_add(results: Results, key: Key, call: dict[str, Any], seconds: float) -> None:
    name, threads = key
    if key not in results:  # another number of threads has failed in this round
        return
    try:
        result = measure_for(seconds, call, threads)
    except UserError as error:
        if "library" not in call:
            raise  # without a yardstick there is nothing to compare with
        print(f"error: {error} It is left out.", file=sys.stderr, flush=True)
        for other in [other for other in results if other[0] == name]:
            del results[other]
        return
    results[key].append(result)
    shown = result[SPEEDS[0]] if isinstance(result, dict) else result
    print(f"round {len(results[key])}: {name}, threads {threads}: {shown:.4g}", file=sys.stderr, flush=True)


# ---- summary ----


def summarise(cases: Sequence[Case], results: Results) -> list[dict[str, Any]]:
    """A row for each case: medians, ratios to the other libraries, and shares of what the machine allows."""
    measured = [case for case in cases if any(case.name == name for name, _ in results)]
    spaces = {env: spaces_of(env) for env in dict.fromkeys(case.env for case in measured)}
    rows = [_row(case, results, spaces[case.env][1:]) for case in measured]
    for row in rows:
        if row["library"] in OURS:
            peers = [peer for peer in rows if _is_peer(peer, row)]
            for speed in row.keys() & set(SPEEDS):
                fair = [peer for peer in peers if speed != SPEEDS[0] or _work_alike(peer, row)]
                row[speed]["ratios"] = {peer["library"]: _ratio(row, peer, speed) for peer in fair}
    return rows


def _is_peer(peer: dict[str, Any], row: dict[str, Any]) -> bool:
    return peer["library"] not in OURS and all(peer[key] == row[key] for key in ("env", "task", "value"))


def _work_alike(peer: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether both take about equally many gradient steps per epoch, which early stopping may prevent."""
    ours, theirs = sum(row["steps_an_epoch"]), sum(peer["steps_an_epoch"])
    return abs(ours - theirs) <= EQUAL_WORK * max(ours, theirs)


def _ratio(row: dict[str, Any], peer: dict[str, Any], speed: str) -> float:
    return median(mine / theirs for mine, theirs in zip(row[speed]["each"], peer[speed]["each"], strict=True))


def _row(case: Case, results: Results, dims: tuple[int, int]) -> dict[str, Any]:
    medians = {count: _median_speed(measured) for (name, count), measured in results.items() if name == case.name}
    best = best_threads(case.name, results)
    each = results[case.name, best]
    steps = [median(result[key] for result in each) for key in ("policy_steps", "value_steps")]
    work = work_of(case.task.algorithm, *dims, case.task.settings, *steps)
    step_time = median(results[f"step of {case.env}", 1])
    peak = median(results[f"matrix product of {FRAMEWORKS[case.library]}", best])
    runs = case.value if case.process_flag == "jobs" and case.value else 1
    simulators = min(best, runs * case.task.settings.num_envs)
    row: dict[str, Any] = {
        "env": case.env,
        "task": case.task.label,
        "library": case.library,
        "value": case.value,
        "threads": best,
    }
    row |= {"medians_by_threads": {str(count): value for count, value in medians.items()}, "steps_an_epoch": steps}
    row |= {"settings": asdict(case.task.settings), "step_time": step_time, "peak": peak, "work": asdict(work)}
    for speed, bound in zip(SPEEDS, speed_bounds(work, step_time, peak, simulators), strict=True):
        if speed in each[0]:
            values = [result[speed] for result in each]
            row[speed] = {"each": values, "median": median(values), "bound": bound, "of_bound": median(values) / bound}
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
