"""Turns run directories into the CSV and JSON files that are committed."""

import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import spinup
from bench.curves.files import (
    ALGOS,
    MEASURED,
    STEPS,
    CollectedRuns,
    csv_rows,
    experiment_name,
    read_collected,
    write_collected,
)
from spinup.analysis.curves import LoggedRun, column_name, find_runs, read_run
from spinup.backends import backend_of
from spinup.errors import UserError
from spinup.records.config import MAY_CHANGE, convert_json, read_config
from spinup.records.files import write_atomically

MADE_BY = "made_by.json"  # in the folder of an experiment's runs: which command trained which seeds
ENTRY_FIELDS = {"command": str, "commit": str, "machine": dict, "seeds": list}
# Settings that may differ between the runs of one experiment.
MAY_DIFFER = MAY_CHANGE | {"seed", "num_cpu"}


def collect(sources: Sequence[Path], folder: Path, overwrite: bool = False, unfinished: bool = False) -> None:
    """Add the runs found anywhere below ``sources`` to the files in ``folder``.

    Runs that lack epochs are left out with a note, unless ``unfinished``.

    Raises:
        UserError: if there are no runs; if the runs of one experiment have the same seed or different settings; and
            unless ``overwrite``, if ``folder`` has different rows for the same seeds, or different settings.
    """
    paths = {path.resolve(): path for source in sources for path in _runs_in(source)}
    groups: dict[str, list[_TrainedRun]] = {}
    for path in paths.values():
        if run := read_run(path):
            trained = _read_trained(run)
            if not (trained.finished or unfinished):
                print(f"note: {path} is left out, because it is not finished.")
                continue
            groups.setdefault(experiment_name(trained.env, trained.algo, trained.backend), []).append(trained)
    all_collected = [_collected_runs(group) for _, group in sorted(groups.items())]
    if not all_collected:
        raise UserError("nothing to collect: none of these runs is finished; --unfinished takes them as they are.")
    for collected in [_merged_with_file(folder / f"{new.name}.csv", new, overwrite) for new in all_collected]:
        write_collected(folder, collected)
        print(f"Collected {collected.name}: seeds {', '.join(map(str, collected.runs))}")


class _TrainedRun(NamedTuple):
    """A run, and what its directory records about it."""

    env: str
    algo: str
    backend: str
    seed: int
    run: LoggedRun
    settings: dict[str, Any]
    finished: bool


def _runs_in(source: Path) -> list[Path]:
    if not (runs := find_runs(source, (), ())):
        raise UserError(f"{str(source)!r} holds no run: expected a folder with a progress.txt in it or below it.")
    return runs


def _read_trained(run: LoggedRun) -> _TrainedRun:
    config = read_config(run.path)
    if "algorithm" not in config or run.env is None:
        raise UserError(f"{str(run.path)!r} does not record in config.json and env.json what was trained where.")
    backend = backend_of(config["algorithm"])  # of spinup.algos.jax.ppo.ppo
    algo = config.get("algo") or config["algorithm"].rpartition(".")[2]  # TRPO with algo='npg' is NPG
    if not backend or algo not in ALGOS:
        raise UserError(
            f"{str(run.path)!r} was trained by {algo} of {config['algorithm']}: only curves of spinup's own "
            f"{', '.join(ALGOS)} can be collected."
        )
    columns = {name: run.columns[column_name(run, name)] for name in MEASURED}
    settings = {"env": run.env} | {key: value for key, value in config.items() if key not in MAY_DIFFER}
    finished = len(columns[STEPS]) >= config["epochs"]
    kept = replace(run, columns=columns)
    return _TrainedRun(run.env, algo, backend, config["seed"], kept, settings, finished)


def _collected_runs(group: Sequence[_TrainedRun]) -> CollectedRuns:
    first = group[0]
    runs: dict[int, LoggedRun] = {}
    entries: list[dict[str, Any]] = []
    for trained in sorted(group, key=lambda trained: trained.seed):
        if trained.seed in runs:
            both = f"{str(runs[trained.seed].path)!r} and {str(trained.run.path)!r}"
            raise UserError(f"{both} have the same seed: collect one of them.")
        _check_same_settings(first, trained)
        runs[trained.seed] = trained.run
        entries += _made_by_of(trained)
    about = {"seeds": list(runs), "made_by": _merged_entries(entries), "settings": first.settings}
    return CollectedRuns(first.env, first.algo, first.backend, runs, about)


def _made_by_of(trained: _TrainedRun) -> list[dict[str, Any]]:
    folder = trained.run.path.parent
    if not (entries := _entries_of_seeds(read_made_by(folder), [trained.seed])):
        raise UserError(f"{str(folder / MADE_BY)!r} does not say what trained seed {trained.seed}: add an entry.")
    return entries


def _check_same_settings(one: _TrainedRun, other: _TrainedRun) -> None:
    if differing := _differing_settings(one.settings, other.settings):
        raise UserError(
            f"{str(one.run.path)!r} and {str(other.run.path)!r} differ in {differing}, so they cannot share a curve: "
            "collect one of them."
        )


def _differing_settings(one: dict[str, Any], other: dict[str, Any]) -> str:
    """The names of the settings that differ; one that an older version did not have yet counts as its default."""
    defaults = _defaults(one["algorithm"]) if one.keys() != other.keys() else {}
    one, other = ({key: s.get(key, defaults.get(key)) for key in one.keys() | other.keys()} for s in (one, other))
    return ", ".join(sorted(key for key in one if one[key] != other[key]))


def _defaults(algorithm: str) -> dict[str, Any]:
    _, _, backend, algo, _ = algorithm.split(".")  # spinup.algos.jax.ppo.ppo
    parameters = inspect.signature(getattr(spinup, f"{algo}_{backend}")).parameters
    return {name: convert_json(parameter.default) for name, parameter in parameters.items()}


def _merged_with_file(file: Path, new: CollectedRuns, overwrite: bool) -> CollectedRuns:
    """``new`` merged with what ``file`` holds. For a seed in both, the new rows must begin with those in the file."""
    if not file.is_file():
        return new
    old, rows = read_collected(file), csv_rows(new)
    if differing := _differing_settings(old.about["settings"], new.about["settings"]):
        if overwrite:
            return new
        raise UserError(
            f"{str(file)!r} has other settings than these runs, which differ in {differing}: choose another folder "
            "with --to, or replace it with --overwrite."
        )
    replaced = [seed for seed, kept in csv_rows(old).items() if seed in rows and rows[seed][: len(kept)] != kept]
    if replaced and not overwrite:
        raise UserError(
            f"{str(file)!r} has rows that these runs do not have (seeds {', '.join(map(str, replaced))}): choose "
            "another folder with --to, or replace them with --overwrite."
        )
    runs = dict(sorted((old.runs | new.runs).items()))
    kept = _entries_of_seeds(old.about["made_by"], old.runs.keys() - set(replaced))
    about = new.about | {"seeds": list(runs), "made_by": _merged_entries([*kept, *new.about["made_by"]])}
    return new._replace(runs=runs, about=about)


# ---- made_by.json ----


def read_made_by(folder: Path) -> list[dict[str, Any]]:
    """What trained the runs in ``folder``: command, commit, machine and seeds of each start."""
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
        raise UserError(f"{str(file)!r} is invalid: expected {expected}.")
    return entries


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in ENTRY_FIELDS.items())


def add_made_by(folder: Path, entry: dict[str, Any], untrained: Sequence[int]) -> None:
    """Record what is about to train some seeds in ``folder``.

    The ``untrained`` seeds have no epoch yet, so they are removed from the entries of earlier starts.
    """
    entries = read_made_by(folder) if (folder / MADE_BY).is_file() else []
    entries = _entries_of_seeds(entries, {seed for earlier in entries for seed in earlier["seeds"]} - {*untrained})
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_merged_entries([*entries, entry]), indent=2) + "\n"
    write_atomically(folder / MADE_BY, lambda part: part.write_bytes(text.encode()))


def _entries_of_seeds(entries: Iterable[dict[str, Any]], seeds: Iterable[int]) -> list[dict[str, Any]]:
    """The ``entries`` that trained any of ``seeds``, with their other seeds removed."""
    found = [entry | {"seeds": [seed for seed in entry["seeds"] if seed in seeds]} for entry in entries]
    return [entry for entry in found if entry["seeds"]]


def _merged_entries(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each command, commit and machine, with all seeds that it trained."""
    united: dict[str, dict[str, Any]] = {}
    for entry in entries:
        start = json.dumps([entry[key] for key in ENTRY_FIELDS if key != "seeds"])
        seeds = {*entry["seeds"], *united.get(start, entry)["seeds"]}
        united[start] = {key: entry[key] for key in ENTRY_FIELDS} | {"seeds": sorted(seeds)}
    return list(united.values())
