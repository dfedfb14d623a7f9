"""The plotter, at its documented address; it lives in :mod:`spinup.analysis.plot`."""

from spinup.analysis.plot import main, make_plots
from spinup.commands.arguments import exit_on_user_error

__all__ = ["main", "make_plots"]

if __name__ == "__main__":
    exit_on_user_error(main)
