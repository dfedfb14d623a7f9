"""The plotter, at its documented address; it lives in :mod:`spinup.analysis.plot`."""

from spinup.analysis.plot import make_plots
from spinup.commands.arguments import exit_on_user_error
from spinup.commands.plot import main

__all__ = ["main", "make_plots"]

if __name__ == "__main__":
    exit_on_user_error(main)
