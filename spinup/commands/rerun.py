"""``spinup rerun PATH/config.json``: run an experiment again, with the settings of any flags changed."""

import re
from pathlib import Path

from spinup.commands.flags import SETTINGS, Flag, check_flags, is_flag, parse_flags
from spinup.commands.train import launch_grid
from spinup.errors import UserError, command

HELP = """{command} PATH/config.json [--key value ...]

Run an experiment again, with the settings of its config.json; flags override them. Several values of a flag run one
experiment for each combination. Changed settings are added to its name, except the seed and the number of epochs.
PATH alone, the directory of the run, is enough.

    --key value ...   the flags of the run's algorithm, and those that `{help}` lists
    --trust           allow code from outside the package (environments, networks)"""


def main(argv: list[str]) -> None:
    """Launch the experiment of a ``config.json`` again; the flags in ``argv`` override its settings.

    Changed settings that affect its results are added to its name.
    """
    if {"--help", "-h"} & {*argv}:
        print(HELP.format(command=command("rerun"), help=command("--help")))
        return
    if not argv or not argv[0] or is_flag(argv[0]):
        raise UserError(f"rerun needs a file first: {command('rerun PATH/config.json')} [--key value ...].")
    trust = "--trust" in argv
    flags = parse_flags([token for token in argv[1:] if token != "--trust"])

    from spinup.experiments.grid import set_the_same
    from spinup.records.config import MAY_CHANGE, convert_json, flat_settings, read_call, read_config

    run = Path(argv[0]).parent if argv[0].endswith(".json") else Path(argv[0])
    function, kwargs, env = read_call(run, trust, with_env="env_name" not in flags)
    check_flags("rerun", function, flags)
    settings, config = flat_settings(kwargs | env), read_config(run)
    old = {key: Flag(f"--{key}", None, [value]) for key, value in settings.items()}
    old = {key: flag for key, flag in old.items() if not any(set_the_same(key, other) for other in flags)}
    changed = {key for key, flag in flags.items() if convert_json(flag.values) != [convert_json(settings.get(key))]}
    named = set() if "exp_name" in flags else changed - {"seed", *MAY_CHANGE, *SETTINGS}
    place = run.resolve()
    defaults = {"num_cpu": config.get("num_cpu", 1), **_name_beside(place, str(config.get("exp_name") or place.name))}
    launch_grid(function, old | flags, defaults, named)


def _name_beside(run: Path, exp_name: str) -> dict[str, str]:
    """The ``exp_name`` and ``data_dir`` of a new run, which put it beside ``run`` and never into an existing run."""
    in_experiment = re.sub(r"^\d\d-\d\d-\d\d_", "", run.parent.name) == exp_name  # without its datestamp
    folder = run.parent.parent if in_experiment else run.parent
    again = "-rerun" if (folder / exp_name / "config.json").is_file() else ""
    return {"exp_name": exp_name + again, "data_dir": str(folder)}
