"""What is compared: which algorithms, with which settings, in which libraries and environments."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

from spinup.backends import missing_packages
from spinup.errors import UserError
from spinup.experience.envs import EnvFn, make_env

OURS = {"spinup PyTorch": "pytorch", "spinup JAX": "jax"}  # libraries of ours, and their backends
SB3, SBX = "Stable-Baselines3", "SBX"
FRAMEWORKS = {"spinup PyTorch": "torch", "spinup JAX": "jax", SB3: "torch", SBX: "jax"}
MODULES = {SB3: "stable_baselines3", SBX: "sbx"}
INSTALL = {
    "spinup PyTorch": "pip install torch",
    "spinup JAX": 'pip install "spinningup[jax]"',
    SB3: "pip install stable-baselines3",
    SBX: "pip install sbx-rl",
}
ON_POLICY = ("vpg", "trpo", "ppo")


@dataclass(frozen=True)
class Settings:
    """Hyperparameters, named alike for all libraries; on-policy algorithms use the first eight, off-policy ones all.

    ``learning_rate`` is that of every network; ``policy_steps`` and ``value_steps`` are gradient steps an epoch, on all
    its steps at once.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)
    steps_per_epoch: int = 4000
    num_envs: int = 4
    policy_steps: int = 80
    value_steps: int = 80
    target_kl: float | None = None
    max_ep_len: int = 1000
    learning_rate: float = 3e-4
    batch_size: int = 100
    update_every: int = 50
    replay_size: int = 1_000_000
    replay_is_full: bool = False  # from the beginning, with random transitions
    alpha: float | str = 0.2


@dataclass(frozen=True)
class Task:
    """An algorithm with its settings, and the libraries that can run exactly that."""

    label: str
    algorithm: str
    settings: Settings = field(default_factory=Settings)
    libraries: tuple[str, ...] = ("spinup PyTorch", "spinup JAX", SB3, SBX)

    @property
    def is_a_variant(self) -> bool:
        """Whether it varies the algorithm's main task; its label then says how, after a comma."""
        return "," in self.label


OFF_POLICY = Settings(
    hidden_sizes=(256, 256), steps_per_epoch=1000, num_envs=1, policy_steps=0, value_steps=0, learning_rate=1e-3
)
CLEANRL = replace(OFF_POLICY, batch_size=256, update_every=1)
ONE_STEP = Settings(policy_steps=1)
NO_SBX = ("spinup PyTorch", "spinup JAX", SB3)
ON_POLICY_TASKS = (
    Task("VPG", "vpg", ONE_STEP, tuple(OURS)),
    Task("VPG, one value step", "vpg", replace(ONE_STEP, value_steps=1), NO_SBX),
    Task("TRPO", "trpo", ONE_STEP, NO_SBX),
    Task("PPO", "ppo"),
    Task("PPO, early stop", "ppo", Settings(target_kl=0.01), NO_SBX),
)
TASKS = {  # by the kind of action space
    "Box": (
        *ON_POLICY_TASKS,
        *(Task(name.upper(), name, OFF_POLICY) for name in ("ddpg", "td3", "sac")),
        Task("TD3, CleanRL's settings", "td3", CLEANRL),
        Task("SAC, CleanRL's settings", "sac", replace(CLEANRL, alpha="auto")),
    ),
    "Discrete": (*ON_POLICY_TASKS, Task("DQN", "dqn", OFF_POLICY)),
}
LABELS = tuple(dict.fromkeys(task.label for tasks in TASKS.values() for task in tasks))
ON, OFF = ON_POLICY_TASKS[0].settings, OFF_POLICY
MEASURED = """\
A speed is that of whole training (acting, simulating, learning, logging, saving) after the first epoch, which warms up
and compiles; no library tests its agent meanwhile. Gradient steps a second count only the time spent learning, with the
sampling of minibatches: a step of one network, or off-policy one minibatch; a step of policy and value together counts
as two. "Of bound" is the share of what this machine allows: the time of the bare simulators, each on a core of its own
as far as there are threads and environments, and the least arithmetic that acting and learning take, at the speed of
large float32 matrix products in the same framework with as many threads (bench/speed/bounds.py). Threads are cores too:
a process with one thread has one core. Where several numbers of threads are listed, the first round chose the one that
is best for that row."""
SWEEP_NOTE = f"{MEASURED} All else is as in [the main table](speed.md)."
NOTE = f"""\
{MEASURED}

On-policy: tanh networks {list(ON.hidden_sizes)}, {ON.num_envs} environments, {ON.steps_per_epoch} steps an epoch,
full batches, learning rates {ON.learning_rate}, gamma 0.99, lambda 0.97, gradients not clipped.

- PPO takes 80 policy and 80 value steps an epoch everywhere. With early stop (target_kl 0.01, exceeded 1.5 times)
  Stable-Baselines3 ends both, spinup those of the policy; SBX has no early stop. Where that leaves them with unlike
  numbers of steps, environment steps a second are not compared.
- VPG takes 1 policy step and 80 value steps, which no other library does. With one value step it does what A2C of
  Stable-Baselines3 does with Adam and normalised advantages.
- TRPO takes 1 natural gradient step, with 10 iterations of conjugate gradients, and 80 value steps. Its peer is that of
  sb3-contrib, where that is installed.

Off-policy: relu networks {list(OFF.hidden_sizes)}, one environment, {OFF.update_every} gradient steps after every
{OFF.update_every} environment steps, batches of {OFF.batch_size}, learning rates {OFF.learning_rate}, gamma 0.99,
polyak 0.995, SAC's alpha {OFF.alpha}, a replay buffer of {OFF.replay_size:,}; learning begins after
{OFF.steps_per_epoch // 2} steps, whose actions are random (DQN: with epsilon 0.05, as always). DQN is plain (no double
Q) with Huber's loss, as in the other libraries. The time spent learning is not quite the same everywhere: DQN's target
network moves within it in spinup, and outside of it, after each environment step, in the other libraries; the noise of
TD3's target actions and of SAC's actions is drawn outside of it in spinup, and within it in the others.

CleanRL is scripts, not a package: what pip finds under that name is 0.4.8, which needs the old gym and runs with no
Gymnasium. Only its settings are compared: batches of {CLEANRL.batch_size}, a gradient step after every step, a learned
alpha. Those of its PPO (32 minibatches) and DQN (a step for every ten) cannot be had in spinup, which takes full
batches and as many gradient steps as environment steps; its DDPG delays the policy."""


@dataclass(frozen=True)
class Case:
    """One row of a table: a task in an environment, run by one library.

    Args:
        value: of the quantity that a sweep varies; None outside a sweep.
        process_flag: ``jobs`` or ``cpu`` if the case runs in ``value`` processes, started with that flag.
        busy: whether something else keeps ``value`` cores busy meanwhile.
    """

    env: str
    task: Task
    library: str
    value: int | None = None
    process_flag: str = ""
    busy: bool = False

    @property
    def name(self) -> str:
        """A name that no other case has."""
        return f"{self.env}: {self.library}: {self.task.label}" + (f": {self.value}" if self.value else "")


def installed(library: str) -> bool:
    """Whether a library and what it needs are installed."""
    if library in OURS:
        return not missing_packages(OURS[library])
    return find_spec(MODULES[library]) is not None


def choose_libraries(named: Sequence[str] | None) -> list[str]:
    """The ``named`` libraries; without names all that are installed, with a printed note for each that is not.

    Raises:
        UserError: if a named one is not installed; the message says how to install it.
    """
    missing = [library for library in named or FRAMEWORKS if not installed(library)]
    for library in missing:
        if named:
            raise UserError(f"{library} is not installed here: run {INSTALL[library]}, or leave it out of --libraries.")
        print(f"note: {library} is left out, because it is not installed here: {INSTALL[library]}")
    return [library for library in named or FRAMEWORKS if library not in missing]


def spaces_of(env: str) -> tuple[str, int, int]:
    """The kind of action space of an environment, and the dimensions of observation and action (or their number)."""
    made = make_env(EnvFn(env))
    observations, actions = made.observation_space, made.action_space
    made.close()
    kind = type(actions).__name__
    if kind not in TASKS:
        raise UserError(f"{env} has actions of kind {kind}: choose an environment with {' or '.join(TASKS)} actions.")
    return kind, observations.shape[0], int(actions.n) if kind == "Discrete" else actions.shape[0]


def table_cases(envs: Sequence[str], labels: Sequence[str], libraries: Sequence[str]) -> list[Case]:
    """Every case of the main table, for libraries that are installed; raises UserError if there is none."""
    cases = [
        Case(env, task, library)
        for env in envs
        for task in TASKS[spaces_of(env)[0]]
        for library in task.libraries
        if task.label in labels and library in libraries
    ]
    lacking = [case for case in cases if case.task.algorithm == "trpo" and case.library == SB3 and not has_contrib()]
    if lacking:
        print(f"note: TRPO beside {SB3} is left out, because sb3-contrib is not installed: pip install sb3-contrib")
    if len(lacking) == len(cases):
        raise UserError(
            f"Nothing is left to measure of {', '.join(labels)} in {', '.join(envs)} with {', '.join(libraries)}: "
            "choose other --tasks, --env or --libraries."
        )
    return [case for case in cases if case not in lacking]


def has_contrib() -> bool:
    """Whether sb3-contrib is installed, which has the TRPO for Stable-Baselines3."""
    return find_spec("sb3_contrib") is not None
