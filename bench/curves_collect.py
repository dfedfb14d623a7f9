"""From run directories to the files that are committed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from curves_files import MEASURED, STEPS, Experiment, name_of, read_experiment, rows_of, write_experiment

from spinup.utils.configs import read_config
from spinup.utils.curves import Run, column_name, find_runs, read_run
from spinup.utils.errors import UserError
from spinup.utils.saving import write_atomically

MADE_BY = "made_by.json"  # in the folder of an experiment's runs: a list of what they were trained by
# What may differ between the runs of one experiment.
OF_ONE_RUN = {"seed", "epochs", "exp_name", "logger_kwargs", "resume", "save_freq", "snapshots", "device", "num_cpu"}


def collect(sources: Sequence[Path], folder: Path, overwrite: bool = False, unfinished: bool = False) -> None:
    """Write the experiments whose runs are somewhere in ``sources`` into ``folder``.

    Runs that have not got all their epochs yet are left out, with a line to say so, unless ``unfinished``.

    Raises:
        UserError: if there are none, if the runs of one do not belong together, or unless ``overwrite``, if what is in
            ``folder`` has runs or rows that would be lost, or other settings.
    """
    paths = {path.resolve(): path for source in sources for path in _runs_in(source)}
    groups: dict[str, list[_Trained]] = {}
    for path in paths.values():
        if run := read_run(path):
            trained = _read(run)
            if not (trained.finished or unfinished):
                print(f"note: {path} is left out, as it is not finished.")
                continue
            groups.setdefault(name_of(trained.env, trained.algo, trained.backend), []).append(trained)
    experiments = [_experiment(group) for _, group in sorted(groups.items())]
    if not experiments:
        raise UserError("nothing to collect: none of these runs is finished; --unfinished takes them as they are.")
    if not overwrite:
        for experiment in experiments:
            _refuse_loss(folder / f"{experiment.name}.csv", experiment)
    for experiment in experiments:
        write_experiment(folder, experiment)
        print(f"Collected {experiment.name}: seeds {', '.join(map(str, experiment.runs))}")


class _Trained(NamedTuple):
    """A run, and what its directory says of it."""

    env: str
    algo: str
    backend: str
    seed: int
    run: Run
    settings: dict[str, Any]
    finished: bool


def _runs_in(source: Path) -> list[Path]:
    if not (runs := find_runs(source, (), ())):
        raise UserError(f"{str(source)!r} holds no run: expected a folder with a progress.txt somewhere below.")
    return runs


def _read(run: Run) -> _Trained:
    config = read_config(run.path)
    if "algorithm" not in config or run.env is None:
        raise UserError(f"{str(run.path)!r} does not say in config.json and env.json what was trained where.")
    backend, algo = config["algorithm"].split(".")[-3:-1]  # spinup.algos.jax.ppo.ppo
    columns = {name: run.columns[column_name(run, name)] for name in MEASURED}
    settings = {"env": run.env} | {key: value for key, value in config.items() if key not in OF_ONE_RUN}
    finished = len(columns[STEPS]) >= config["epochs"]
    kept = replace(run, columns=columns)
    return _Trained(run.env, algo, backend, config["seed"], kept, settings, finished)


def _experiment(group: Sequence[_Trained]) -> Experiment:
    first = group[0]
    runs: dict[int, Run] = {}
    made_by: list[dict[str, Any]] = []
    for trained in sorted(group, key=lambda trained: trained.seed):
        if trained.seed in runs:
            both = f"{str(runs[trained.seed].path)!r} and {str(trained.run.path)!r}"
            raise UserError(f"{both} have the same seed: collect one of them.")
        _refuse_others(first, trained)
        runs[trained.seed] = trained.run
        made_by += [entry for entry in read_made_by(trained.run.path.parent) if entry not in made_by]
    about = {"seeds": list(runs), "made_by": made_by, "settings": first.settings}
    return Experiment(first.env, first.algo, first.backend, runs, about)


def _refuse_others(one: _Trained, other: _Trained) -> None:
    if differing := _differing(one.settings, other.settings):
        raise UserError(
            f"{str(one.run.path)!r} and {str(other.run.path)!r} differ in {differing}: they make no curve together; "
            "collect one of them."
        )


def _differing(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The settings that differ."""
    return ", ".join(sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key)))


def read_made_by(folder: Path) -> list[dict[str, Any]]:
    """What has trained the runs in ``folder``: command, commit and machine of each start."""
    file = folder / MADE_BY
    if not file.is_file():
        raise UserError(
            f"{str(file)!r} is missing: python bench/curves.py run writes it; for other runs, write a list of objects "
            'with "command", "commit" and "machine".'
        )
    return json.loads(file.read_text(encoding="utf-8"))


def add_made_by(folder: Path, entry: dict[str, Any]) -> None:
    """Note what trains the runs in ``folder`` from now on, unless that is there already."""
    entries = read_made_by(folder) if (folder / MADE_BY).is_file() else []
    if entry not in entries:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([*entries, entry], indent=2) + "\n"
        write_atomically(folder / MADE_BY, lambda part: part.write_bytes(text.encode()))


def _refuse_loss(file: Path, new: Experiment) -> None:
    """Every row that ``file`` has of a seed must be among the first that there are of it now."""
    if not file.is_file():
        return
    old, rows = read_experiment(file), rows_of(new)
    if differing := _differing(old.about["settings"], new.about["settings"]):
        raise UserError(
            f"{str(file)!r} is of other settings than these runs, which differ in {differing}: choose another folder "
            "with --to, or add --overwrite."
        )
    lost = [seed for seed, kept in rows_of(old).items() if rows.get(seed, [])[: len(kept)] != kept]
    if lost:
        raise UserError(
            f"{str(file)!r} has runs or rows that are not in these folders (seeds {', '.join(map(str, lost))}): "
            "collect them from where they are too, or add --overwrite."
        )
