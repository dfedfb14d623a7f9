"""``spinup diagnose PATH...``: say in plain words what looks wrong in the logs of runs, and what to try."""

import contextlib
import json
import sys
from typing import Any

from spinup.analysis.curves import find_all
from spinup.analysis.diagnosis.evidence import Evidence, read_evidence
from spinup.analysis.diagnosis.report import (
    as_data,
    by_experiment,
    diagnose,
    paragraph,
    run_as_data,
    seeds_disagree,
    words,
)
from spinup.commands.arguments import ArgumentParser
from spinup.errors import UserError, command
from spinup.records.console import say

GLOSSARY = "The glossary is part of the documentation: docs/user/metrics.md, or the site (make docs-serve)."


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=command("diagnose"),
        description="Say in plain words what looks wrong in the logs of runs: what is seen, why, and what to try.",
        epilog="A run that looks healthy gets one line. Several seeds of an experiment are also compared.\n"
        "The exit status is 0, whatever is found.",
    )
    add = parser.add_argument
    parser.add_path(
        "path", nargs="*", help="directories, or beginnings of their names, searched recursively for progress.txt"
    )
    add("--json", action="store_true", help="print the findings as JSON, for programs")
    return parser


def main(argv: list[str] | None = None) -> None:
    """The command line ``diagnose``: see ``diagnose --help``."""
    args = _parser().parse_args(argv)
    if not args.path:
        raise UserError(f"diagnose needs at least one directory: {command('diagnose data/cmd_ppo')}.")
    with contextlib.redirect_stdout(sys.stderr):  # warnings, which are no part of the JSON
        paths = {path.resolve(): path for found in find_all(args.path).values() for path in found}
        runs = [run for path in paths.values() if (run := read_evidence(path)).columns]
    if not runs:
        raise UserError("nothing to diagnose: no run has finished an epoch yet.")
    if args.json:
        print(json.dumps(_data(runs), indent=2))
    else:
        _report(runs)


def _report(runs: list[Evidence]) -> None:
    found_any = False
    for run in runs:
        findings = diagnose(run)
        say(words(run, findings) + "\n" * bool(findings))
        found_any |= bool(findings)
    for name, seeds in by_experiment(runs).items():
        if finding := seeds_disagree(seeds):
            say(f"{name}, {len(seeds)} runs:\n{paragraph(finding, 1)}\n")
            found_any = True
    if found_any:
        say(GLOSSARY)


def _data(runs: list[Evidence]) -> dict[str, Any]:
    experiments = [
        {"name": name, "runs": [str(run.path) for run in seeds], "findings": [as_data(finding)] if finding else []}
        for name, seeds in by_experiment(runs).items()
        for finding in [seeds_disagree(seeds)]
    ]
    return {"runs": [run_as_data(run, diagnose(run)) for run in runs], "experiments": experiments}
