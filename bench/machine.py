"""What the numbers of a benchmark depend on."""

import platform
from importlib.metadata import distributions
from pathlib import Path

LIBRARIES = ("gymnasium", "mujoco", "numpy", "torch", "jax", "stable-baselines3", "sb3-contrib", "sbx-rl")


def describe_machine() -> dict[str, str | int]:
    """What the numbers depend on."""
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
