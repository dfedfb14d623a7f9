"""The command line: ``spinup ppo --env CartPole-v1``, also ``python -m spinup.run``.

    spinup ALGORITHM [--key value ...] [--key[short] value ...] [--key:sub value ...]
    spinup plot | test_policy | convert | resume | rerun ...

Several values for a key make a grid, with one experiment for each combination.
"""

import importlib
import os
import signal
import sys

from spinup import ALGORITHMS, __version__, user_config
from spinup.commands import COMMANDS
from spinup.commands.arguments import exit_on_user_error
from spinup.commands.flags import refuse_other_dashes
from spinup.errors import UserError, typed_program

_HELP = ("help", "--help", "-h")


def main(argv: list[str] | None = None) -> None:
    """Run the command in ``argv`` (the process's own arguments if None).

    Raises:
        SystemExit: status 2 for a user's mistake, reported in one line; 1 for a crashed experiment; 130 for Ctrl-C.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # as after nohup
            signal.signal(number, lambda number, _: sys.exit(128 + number))  # ends the experiments too
    try:
        exit_on_user_error(dispatch, sys.argv[1:] if argv is None else argv)
    except BrokenPipeError:  # the reader (such as `head`) has exited; keep the interpreter from flushing into the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def dispatch(argv: list[str]) -> None:
    """Run the command in ``argv``; raises :class:`UserError` for a mistake in it."""
    refuse_other_dashes(argv)
    _find_modules_here()
    first, *rest = [argv[0].lower(), *argv[1:]] if argv else ["help"]
    if first in _HELP and rest and rest[0] not in _HELP:
        dispatch([*rest, "--help"])
    elif first in _HELP:
        print(help_text())
    elif first == "--version":
        print(f"spinup {__version__}")
    elif first in COMMANDS:
        importlib.import_module(f"spinup.commands.{first}").main(rest)
    else:
        importlib.import_module("spinup.commands.train").main(argv)


def _find_modules_here() -> None:
    """Let ``--env module:EnvId`` find modules in the working directory."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise UserError("The working directory has been removed: change to another.") from None
    if here not in sys.path:
        sys.path.append(here)


def help_text() -> str:
    """The text of ``--help``: algorithms, commands, flags and examples, as the user types them."""
    backends = "\n".join(f"  {backend:<12} {', '.join(algos)}" for backend, algos in ALGORITHMS.items())
    tools = "\n".join(f"  {name:<12} {what}" for name, what in COMMANDS.items())
    spinup = typed_program() or "spinup"
    return f"""Spinning Up in Deep RL {__version__}

usage:  {spinup} ALGORITHM --env ENV [--key value ...]
        {spinup} COMMAND ...

Algorithms, by backend (add _BACKEND to choose one: ppo_pytorch; each has a default in spinup/user_config.py)
{backends}

Commands
{tools}

Flags of every algorithm
  --env ENV             a Gymnasium environment, or module:EnvId for a custom one; --env_kwargs:key value
  --hid [64,64]         sizes of the hidden layers; 64: one   (--ac_kwargs:hidden_sizes)
  --act tanh            activation, or torch.nn.Tanh          (--ac_kwargs:activation)
  --actor_critic m:C    the class C of the module m as the agent (in JAX, m:C.create)
  --seed 0 10 20        random seeds; several values of any flag run one experiment for each combination
  --exp_name NAME       name of the experiment                (default: cmd_ALGORITHM)
  --data_dir DIR        where to save                         (default: {user_config.DEFAULT_DATA_DIR})
  --cpu N               train with N processes over MPI (VPG, TRPO and PPO in PyTorch), or auto: one for each core
  --dt                  date and time in directory names      (--datestamp)
  --overwrite           replace a run that is already there
  --resume              continue a run from its last checkpoint; finished experiments are skipped
  --jobs 4              experiments to run in parallel, or auto: one on each core; a failure does not stop the others
                        (performance in their table: the last AverageTestEpRet, or AverageEpRet where nothing is tested)
  --retries 2           retries after a crash, from the last checkpoint (default: 0; on Ray: 3)
  --launcher ray        run on a Ray cluster: --ray_address HOST:PORT, --cpus_per_run 1, --gpus_per_run 0
  --track tensorboard   show every row in tensorboard, wandb or both (to watch: tensorboard --logdir data)
  --key[k] v1 v2        use k for the key in directory names (quote the brackets in zsh)

Examples
  {spinup} ppo --env CartPole-v1 --exp_name first
  {spinup} ppo --env LunarLander-v3 --hid "[32,32]" --gamma 0.999 --seed 0 10 20
  {spinup} plot data/first
  {spinup} diagnose data/first
  {spinup} test_policy data/first/first_s0
  {spinup} resume data/first
  {spinup} rerun data/first/first_s0/config.json --seed 1 2 --epochs 100
  {spinup} ppo --help        all hyperparameters of an algorithm, and the columns of its log"""


if __name__ == "__main__":
    main()
