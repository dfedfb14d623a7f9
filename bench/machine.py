"""The machine that a benchmark runs on: its processor, cores, libraries and device."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from bench.commits import ROOT
from spinup.backends import import_backend
from spinup.commands.arguments import exit_on_user_error
from spinup.errors import UserError

TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"  # on Linux: the logical cores of one core
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")  # what OpenMP, MKL and XLA take their number of threads from
LIBRARIES = ("gymnasium", "mujoco", "numpy", "torch", "jax", "stable-baselines3", "sb3-contrib", "sbx-rl")


def describe_machine() -> dict[str, str | int]:
    """Everything about this machine that the numbers depend on."""
    import psutil

    cpu_info = Path("/proc/cpuinfo")  # on Linux, where `platform` does not know the processor's name
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = {found.name.lower().replace("_", "-"): found.version for found in distributions()}
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": psutil.cpu_count(logical=False) or 0,
        "logical cores": psutil.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {versions[name]}" for name in LIBRARIES if name in versions),
    }


def choose_cores(count: int) -> list[int]:
    """Up to ``count`` of the logical cores that this process may use, on different physical cores where possible."""
    seen: list[str] = []
    ranked = []
    for cpu in sorted(os.sched_getaffinity(0)):
        file = Path(TOPOLOGY.format(cpu))
        core = file.read_text() if file.exists() else str(cpu)
        ranked.append((seen.count(core), cpu))
        seen.append(core)
    return [cpu for _, cpu in sorted(ranked)[:count]]


def describe_device(device: str, backend: str) -> dict[str, str]:
    """The name of the device that ``backend`` trains on, such as a GPU's; empty for ``cpu``, described already.

    Raises:
        UserError: if the machine does not have that device.
    """
    if device == "cpu":
        return {}
    # In a process of its own, as a framework that has touched a GPU keeps some of its memory.
    command = [sys.executable, "-m", "bench.machine", device, backend]
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(done.stderr.strip().rpartition("\n")[2].removeprefix("error: "))
    return {"device": done.stdout.strip()}


def print_device(argv: Sequence[str] | None = None) -> None:
    """Print the name of the device that a training function uses, given ``device`` and the backend."""
    device, backend = argv or sys.argv[1:]
    found = import_backend(backend, "training").start(0, device)
    if backend == "jax":
        print(found.device_kind)
    else:
        import torch

        print(torch.cuda.get_device_name(found) if found.type == "cuda" else found.type)


if __name__ == "__main__":
    exit_on_user_error(print_device)
