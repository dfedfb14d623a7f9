"""How speed changes with size: which quantity is varied, over which values, in which tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.speed.tasks import FRAMEWORKS, LABELS, OFF_POLICY, OURS, TASKS, Case, Settings, Task, spaces_of
from spinup.errors import UserError
from spinup.mpi.tools import find_launcher

PPO = Task("PPO", "ppo")
DDPG, TD3, SAC = (Task(name.upper(), name, OFF_POLICY) for name in ("ddpg", "td3", "sac"))


@dataclass(frozen=True)
class Sweep:
    """One quantity that is varied.

    Args:
        axis: the name of the quantity.
        values: its values.
        tasks: the tasks that are measured.
        change: maps settings and a value to the settings with that value.
        process_flag: a flag of spinup's command line, ``jobs`` or ``cpu``, that takes the value instead.
        busy: whether the value is a number of cores that something else keeps busy.
        libraries: the libraries that are measured.
    """

    axis: str
    values: tuple[int, ...]
    tasks: tuple[Task, ...]
    change: Callable[[Settings, int], Settings] = lambda settings, _: settings
    process_flag: str = ""
    busy: bool = False
    libraries: tuple[str, ...] = tuple(OURS)


SWEEPS = {
    "width": Sweep(
        "Width of the two hidden layers",
        (64, 128, 256, 512, 1024),
        (PPO, SAC),
        lambda settings, value: replace(settings, hidden_sizes=(value, value)),
    ),
    "envs": Sweep(
        "Environments, in one process",
        (1, 2, 4, 8, 16),
        (PPO,),
        lambda settings, value: replace(settings, num_envs=value),
    ),
    "seeds": Sweep("Seeds side by side (--jobs)", (1, 2, 4, 8), (PPO,), process_flag="jobs"),
    "replay": Sweep(
        "Transitions in a full replay buffer",
        (10_000, 100_000, 1_000_000),
        (DDPG,),
        lambda settings, value: replace(settings, replay_size=value, replay_is_full=True),
    ),
    "busy": Sweep("Cores that something else keeps busy", (0, 1), (PPO, DDPG, TD3, SAC), busy=True),
    "ranks": Sweep("Processes over MPI (--cpu)", (1, 2), (PPO,), process_flag="cpu", libraries=("spinup PyTorch",)),
}


def sweep_cases(
    name: str, env: str, values: int, libraries: Sequence[str] = tuple(FRAMEWORKS), labels: Sequence[str] = LABELS
) -> list[Case]:
    """The cases of a sweep, for the named tasks and libraries and up to ``values`` of its values.

    Raises:
        UserError: if no case is left, the environment does not suit a task, or MPI is needed and not installed.
    """
    sweep = SWEEPS[name]
    tasks = [task for task in sweep.tasks if task.label in labels]
    suited = {task.algorithm for task in TASKS[spaces_of(env)[0]]}
    for task in tasks:
        if task.algorithm not in suited:
            raise UserError(
                f"{env} does not suit {task.label}, which the sweep {name} trains: name another --env first."
            )
    cases = [
        Case(
            env,
            replace(task, settings=sweep.change(task.settings, value)),
            library,
            value,
            sweep.process_flag,
            sweep.busy,
        )
        for task in tasks
        for library in sweep.libraries
        if library in libraries
        for value in sweep.values[:values]
    ]
    if not cases:
        trained = " and ".join(task.label for task in sweep.tasks)
        raise UserError(
            f"Nothing is left of the sweep {name}, which trains {trained} with {' and '.join(sweep.libraries)}: "
            "choose other --tasks or --libraries."
        )
    if sweep.process_flag == "cpu":
        find_launcher()
    return cases
