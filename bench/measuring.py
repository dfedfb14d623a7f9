"""Measurements, each in a process of its own, in rounds that alternate; and what is made of them.

A round measures everything with every number of threads, and every second round runs backwards, so that a machine that
slows down slows all alike. Each line counts with the number of threads that suits it best, because small networks often
learn faster on one. A ratio is the median over rounds.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bounds import bounds, measure_peak, measure_step_time, work_of
from peers import launch, train
from tasks import FRAMEWORKS, OURS, Job, Settings, spaces_of

from spinup.utils.parallel import THREADS

SPEEDS = ("steps_per_second", "gradient_steps_per_second")
Key = tuple[str, int]  # the name of what is measured, and with how many threads
Results = dict[Key, list[Any]]


# ---- one measurement ----


def measure(call: dict[str, Any], threads: int) -> Any:
    """Make a call (see :func:`main`) in a new process that has so many threads, and as many cores."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "call.json", Path(folder) / "result.json"
        files[0].write_text(json.dumps(call | {"threads": threads}))
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        command = [sys.executable, __file__, *map(str, files)]
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{done.stderr}\nerror: {call} could not be measured; its traceback is above.")
        return json.loads(files[1].read_text())


def main(call_file: str, result_file: str) -> None:
    """Make the call in one file: ``call``, ``threads`` and keyword arguments. Write what it returns to the other."""
    keywords = json.loads(Path(call_file).read_text())
    threads = keywords.pop("threads")
    if hasattr(os, "sched_setaffinity"):  # PPO fits policy and value side by side, whatever number of threads is set
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    if "settings" in keywords:
        keywords["settings"] = Settings(**keywords["settings"])
    functions: dict[str, Callable] = {f.__name__: f for f in (train, launch, measure_step_time, measure_peak)}
    result = functions[keywords.pop("call")](**keywords)
    Path(result_file).write_text(json.dumps(result))


def call_of(job: Job, epochs: int) -> dict[str, Any]:
    """How a line is measured."""
    call = {"env": job.env, "library": job.library, "algorithm": job.task.algorithm, "epochs": epochs}
    call["settings"] = asdict(job.task.settings)
    if job.launched:
        return call | {"call": "launch", "launched": job.launched, "processes": job.value}
    return call | {"call": "train"}


def calls_of(jobs: Sequence[Job], threads: Sequence[int], epochs: int) -> dict[Key, dict[str, Any]]:
    """All that one round measures: simulators, matrix products, and every line."""
    calls: dict[Key, dict[str, Any]] = {}
    for env in dict.fromkeys(job.env for job in jobs):
        calls[f"step of {env}", 1] = {"call": "measure_step_time", "env": env}
    for framework in dict.fromkeys(FRAMEWORKS[job.library] for job in jobs):
        for count in threads:
            calls[f"matrix product of {framework}", count] = {"call": "measure_peak", "framework": framework}
    return calls | {(job.name, count): call_of(job, epochs) for job in jobs for count in threads}


def measure_rounds(calls: dict[Key, dict[str, Any]], rounds: int) -> Iterator[Results]:
    """Results so far, after each round."""
    results: Results = {key: [] for key in calls}
    for number in range(rounds):
        for key in calls if number % 2 == 0 else reversed(calls):
            result = measure(calls[key], threads=key[1])
            results[key].append(result)
            shown = result[SPEEDS[0]] if isinstance(result, dict) else result
            print(f"round {number + 1}/{rounds}: {key[0]}, threads {key[1]}: {shown:.4g}", file=sys.stderr, flush=True)
        yield results


# ---- what is made of them ----


def summarise(jobs: Sequence[Job], threads: Sequence[int], results: Results) -> list[dict[str, Any]]:
    """A row for each line: medians, ratios to the other libraries, and shares of what the machine allows."""
    spaces = {env: spaces_of(env) for env in dict.fromkeys(job.env for job in jobs)}
    rows = [_row(job, threads, results, spaces[job.env][1:]) for job in jobs]
    for row in rows:
        if row["library"] in OURS:
            peers = [peer for peer in rows if _is_peer(peer, row)]
            for speed in row.keys() & set(SPEEDS):
                row[speed]["ratios"] = {peer["library"]: _ratio(row, peer, speed) for peer in peers}
    return rows


def _is_peer(peer: dict[str, Any], row: dict[str, Any]) -> bool:
    return peer["library"] not in OURS and all(peer[key] == row[key] for key in ("env", "task", "value"))


def _ratio(row: dict[str, Any], peer: dict[str, Any], speed: str) -> float:
    return median(mine / theirs for mine, theirs in zip(row[speed]["each"], peer[speed]["each"], strict=True))


def _row(job: Job, threads: Sequence[int], results: Results, dims: tuple[int, int]) -> dict[str, Any]:
    medians = {count: median(result[SPEEDS[0]] for result in results[job.name, count]) for count in threads}
    best = max(medians, key=medians.__getitem__)
    each = results[job.name, best]
    steps = [median(result[key] for result in each) for key in ("policy_steps", "value_steps")]
    work = work_of(job.task.algorithm, *dims, job.task.settings, *steps)
    step_time = median(results[f"step of {job.env}", 1])
    peak = median(results[f"matrix product of {FRAMEWORKS[job.library]}", best])
    simulators = min(job.value, best) if job.launched and job.value else 1
    row: dict[str, Any] = {
        "env": job.env,
        "task": job.task.label,
        "library": job.library,
        "value": job.value,
        "threads": best,
    }
    row |= {"medians_by_threads": {str(count): value for count, value in medians.items()}, "steps_an_epoch": steps}
    row |= {"settings": asdict(job.task.settings), "step_time": step_time, "peak": peak, "work": asdict(work)}
    for speed, bound in zip(SPEEDS, bounds(work, step_time, peak, simulators), strict=True):
        if speed in each[0]:
            values = [result[speed] for result in each]
            row[speed] = {"each": values, "median": median(values), "bound": bound, "of_bound": median(values) / bound}
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
