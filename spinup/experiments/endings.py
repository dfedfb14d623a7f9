"""What is said when experiments start and end: where results are, how to look at them, how to continue."""

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from spinup.analysis.curves import complete
from spinup.backends import backend_of
from spinup.errors import command, setting
from spinup.experience.registration import with_module
from spinup.experiments.experiment import Experiment, readable
from spinup.mpi.tools import only_first
from spinup.records import directory
from spinup.records.config import convert_json
from spinup.records.console import colorize, say


@only_first
def announce(experiment: Experiment) -> None:
    """Print the settings of ``experiment``, and where it saves."""
    say(colorize(f"\nRunning experiment {experiment.output_dir.name} with", "cyan", bold=True))
    for key, value in experiment.config.items():
        say(f"  {key}: {json.dumps(value, default=readable)}")
    if experiment.num_cpu > 1:
        say(f"in {experiment.num_cpu} processes")
    say(f"saving to {experiment.output_dir}\n")


@only_first
def suggest_next_steps(experiment: Experiment) -> None:
    """Print the commands that plot ``experiment`` and watch its agent."""
    where = _quoted(experiment.output_dir)
    say(colorize("\nThe experiment has ended. Plot its results with", "cyan", bold=True))
    say(f"  {command(f'plot {where}')}")
    say(colorize("and watch the trained agent with", "cyan", bold=True))
    say(f"  {command(f'test_policy {where}{_trust(experiment)}')}")


@only_first
def suggest_plot(experiments: Sequence[Experiment]) -> None:
    """Print the command that plots all ``experiments`` together."""
    folders = list(dict.fromkeys(_folder(experiment) for experiment in experiments))
    prefix = os.path.commonprefix([str(folder) for folder in folders])  # noqa: RUF071 (by characters)
    if len(folders) > 1 and sorted(complete(prefix)) == sorted(folders):
        folders = [Path(prefix)]
    say(colorize("\nPlot all of them with", "cyan", bold=True))
    say(f"  {command('plot')} {' '.join(map(_quoted, folders))}")


def after_interrupt(experiments: Sequence[Experiment], counts: str) -> str:
    """What an interruption has left of ``experiments``, and how to continue; ``counts`` are those in each state."""
    if not all(experiment.can_resume for experiment in experiments):
        return f"Interrupted: {counts}."
    if len(experiments) == 1:
        run = experiments[0].output_dir
        return directory.after_interrupt(run, f"{_quoted(run)}{_trust(experiments[0])}")
    again = setting("command and --resume", "grid and grid.add('resume', True)")
    if all(experiment.resumes for experiment in experiments):
        again = setting("command", "grid")
    return f"Interrupted: {counts}. Resume with the same {again}."


def _folder(experiment: Experiment) -> Path:
    """The directory of all seeds of ``experiment``; that of its run, if a script has chosen another."""
    run = experiment.output_dir
    return run.parent if run.parent.name.endswith(experiment.name) else run


def _trust(experiment: Experiment) -> str:
    """The flag without which a command would not import the user's own module, of the environment or of the agent."""
    agent = experiment.kwargs.get("actor_critic")
    custom = agent is not None and not backend_of(convert_json(agent))
    return " --trust" if custom or ":" in with_module(str(experiment.config.get("env_name"))) else ""


def _quoted(path: Path) -> str:
    """``path`` as a shell reads it."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
