"""From run directories to the files that are committed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.curves.files import ALGOS, MEASURED, STEPS, Experiment, name_of, read_experiment, rows_of, write_experiment
from spinup.analysis.curves import Run, column_name, find_runs, read_run
from spinup.backends import backend_of
from spinup.errors import UserError
from spinup.records.config import read_config
from spinup.records.files import write_atomically

MADE_BY = "made_by.json"  # in the folder of an experiment's runs: a list of what has trained which of them
ENTRY = {"command": str, "commit": str, "machine": dict, "seeds": list}
# What may differ between the runs of one experiment.
OF_ONE_RUN = {"seed", "epochs", "exp_name", "logger_kwargs", "resume", "save_freq", "snapshots", "device", "num_cpu"}


def collect(sources: Sequence[Path], folder: Path, overwrite: bool = False, unfinished: bool = False) -> None:
    """Add the experiments whose runs are somewhere in ``sources`` to those in ``folder``.

    Runs that have not got all their epochs yet are left out, with a line to say so, unless ``unfinished``.

    Raises:
        UserError: if there are none, if the runs of one do not belong together, or unless ``overwrite``, if ``folder``
            has other rows of the same seeds, or other settings.
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
    for experiment in [_joined(folder / f"{new.name}.csv", new, overwrite) for new in experiments]:
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
    backend = backend_of(config["algorithm"])  # of spinup.algos.jax.ppo.ppo
    algo = config.get("algo") or config["algorithm"].rpartition(".")[2]  # TRPO may be told to do NPG
    if not backend or algo not in ALGOS:
        raise UserError(
            f"{str(run.path)!r} was trained by {algo} of {config['algorithm']}: only curves of spinup's own "
            f"{', '.join(ALGOS)} can be collected."
        )
    columns = {name: run.columns[column_name(run, name)] for name in MEASURED}
    settings = {"env": run.env} | {key: value for key, value in config.items() if key not in OF_ONE_RUN}
    finished = len(columns[STEPS]) >= config["epochs"]
    kept = replace(run, columns=columns)
    return _Trained(run.env, algo, backend, config["seed"], kept, settings, finished)


def _experiment(group: Sequence[_Trained]) -> Experiment:
    first = group[0]
    runs: dict[int, Run] = {}
    entries: list[dict[str, Any]] = []
    for trained in sorted(group, key=lambda trained: trained.seed):
        if trained.seed in runs:
            both = f"{str(runs[trained.seed].path)!r} and {str(trained.run.path)!r}"
            raise UserError(f"{both} have the same seed: collect one of them.")
        _refuse_others(first, trained)
        runs[trained.seed] = trained.run
        entries += _trainers_of(trained)
    about = {"seeds": list(runs), "made_by": _united(entries), "settings": first.settings}
    return Experiment(first.env, first.algo, first.backend, runs, about)


def _trainers_of(trained: _Trained) -> list[dict[str, Any]]:
    folder = trained.run.path.parent
    if not (entries := _of(read_made_by(folder), [trained.seed])):
        raise UserError(f"{str(folder / MADE_BY)!r} does not say what has trained seed {trained.seed}: add that.")
    return entries


def _refuse_others(one: _Trained, other: _Trained) -> None:
    if differing := _differing(one.settings, other.settings):
        raise UserError(
            f"{str(one.run.path)!r} and {str(other.run.path)!r} differ in {differing}: they make no curve together; "
            "collect one of them."
        )


def _differing(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The settings that differ."""
    return ", ".join(sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key)))


def _joined(file: Path, new: Experiment, overwrite: bool) -> Experiment:
    """What ``file`` holds and ``new`` together. Of a seed in both, the rows there must be the first of the new ones."""
    if not file.is_file():
        return new
    old, rows = read_experiment(file), rows_of(new)
    if differing := _differing(old.about["settings"], new.about["settings"]):
        if overwrite:
            return new
        raise UserError(
            f"{str(file)!r} is of other settings than these runs, which differ in {differing}: choose another folder "
            "with --to, or replace it by them with --overwrite."
        )
    replaced = [seed for seed, kept in rows_of(old).items() if seed in rows and rows[seed][: len(kept)] != kept]
    if replaced and not overwrite:
        raise UserError(
            f"{str(file)!r} has rows that these runs do not have (seeds {', '.join(map(str, replaced))}): choose "
            "another folder with --to, or replace them with --overwrite."
        )
    runs = dict(sorted((old.runs | new.runs).items()))
    kept = _of(old.about["made_by"], old.runs.keys() - set(replaced))
    about = new.about | {"seeds": list(runs), "made_by": _united([*kept, *new.about["made_by"]])}
    return new._replace(runs=runs, about=about)


# ---- what has trained them ----


def read_made_by(folder: Path) -> list[dict[str, Any]]:
    """What has trained the runs in ``folder``: command, commit, machine and seeds of each start."""
    file = folder / MADE_BY
    expected = 'a list of objects with "command" and "commit" (text), "machine" (an object) and "seeds" (a list)'
    if not file.is_file():
        raise UserError(
            f"{str(file)!r} is missing: python -m bench.curves run writes it; for other runs, write {expected}."
        )
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        entries = None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise UserError(f"{str(file)!r} will not do: expected {expected}.")
    return entries


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in ENTRY.items())


def add_made_by(folder: Path, entry: dict[str, Any], untrained: Sequence[int]) -> None:
    """Note what trains the runs of some seeds in ``folder`` from now on.

    Earlier starts that were to train the ``untrained`` ones, and stopped before, are no longer said to have.
    """
    entries = read_made_by(folder) if (folder / MADE_BY).is_file() else []
    entries = _of(entries, {seed for earlier in entries for seed in earlier["seeds"]} - {*untrained})
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_united([*entries, entry]), indent=2) + "\n"
    write_atomically(folder / MADE_BY, lambda part: part.write_bytes(text.encode()))


def _of(entries: Iterable[dict[str, Any]], seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Those of ``entries`` that have trained any of ``seeds``, without their other seeds."""
    found = [entry | {"seeds": [seed for seed in entry["seeds"] if seed in seeds]} for entry in entries]
    return [entry for entry in found if entry["seeds"]]


def _united(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each command, commit and machine once, with all seeds that it has trained."""
    united: dict[str, dict[str, Any]] = {}
    for entry in entries:
        start = json.dumps([entry[key] for key in ENTRY if key != "seeds"])
        seeds = {*entry["seeds"], *united.get(start, entry)["seeds"]}
        united[start] = {key: entry[key] for key in ENTRY} | {"seeds": sorted(seeds)}
    return list(united.values())
