"""``spinup convert PATH --to BACKEND``: write a trained agent in the format of another backend."""

from spinup.backends import algorithms
from spinup.commands.arguments import ArgumentParser
from spinup.errors import command
from spinup.records.recipe import convert


def main(argv: list[str] | None = None) -> None:
    """The command line ``convert``: see ``convert --help``."""
    parser = ArgumentParser(
        prog=command("convert"),
        description="Write a trained agent in the format of another backend, beside the original.",
    )
    parser.add_path("path", help="output directory of a run")
    parser.add_argument("--to", metavar="BACKEND", required=True, help=f"target format: {' or '.join(algorithms())}")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing agent in that format")
    args = parser.parse_args(argv)
    print(f"Wrote {convert(args.path, args.to, args.overwrite)}")
