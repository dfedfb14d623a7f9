"""``spinup plot DIR...``: draw learning curves."""

from spinup.analysis.plot import can_show, make_plots
from spinup.commands.arguments import ArgumentParser
from spinup.errors import UserError, command


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=command("plot"),
        description="Plot learning curves. Runs that share an exp_name (and environment) are averaged into one curve.",
        epilog="Directories come first: plot data/cmd_ppo data/cmd_vpg --smooth 5 --save curves.png",
    )
    add = parser.add_argument
    parser.add_path(
        "logdir", nargs="*", help="directories, or beginnings of their names, searched recursively for progress.txt"
    )
    add("-l", "--legend", nargs="*", help="one name for each directory found (default: exp_name of config.json)")
    add("-x", "--xaxis", metavar="COLUMN", help="column on the x axis (default: TotalEnvInteracts)")
    performance = "Performance: AverageTestEpRet if logged, else AverageEpRet"
    add("-y", "--value", nargs="*", metavar="COLUMN", help=f"columns to plot, one graph each (default: {performance})")
    add("--count", action="store_true", help="show every run as its own curve")
    add("-s", "--smooth", type=int, default=1, help="width of the moving average, in epochs (default: 1, none)")
    add("--select", nargs="*", metavar="TEXT", help="only runs whose path contains all of these")
    add("--exclude", nargs="*", metavar="TEXT", help="only runs whose path contains none of these")
    bands = (
        "mean (band: one std; default), median (quartiles), iqm (interquartile mean, 95%% bootstrap interval), max, min"
    )
    add("-est", "--est", "--estimator", dest="estimator", default="mean", metavar="NAME", help=bands)
    parser.add_path(
        "--save",
        metavar="FILE",
        help="write FILE (.png, .svg, .pdf), or FILE_value for several values; no display needed",
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """The command line ``plot``: see ``plot --help``."""
    args = vars(_parser().parse_args(argv))
    logdirs, values = args.pop("logdir"), args.pop("value")
    if not logdirs:
        raise UserError("plot needs at least one directory, before the flags: plot data/cmd_ppo --save curve.png")
    make_plots(logdirs, values=values, show=False, **args)
    if args["save"]:
        return
    if not can_show():
        raise UserError(
            "there is no display to show the plot on; use --save FILE (.png, .svg or .pdf) to write it to a file."
        )
    import matplotlib.pyplot as plt

    plt.show()
