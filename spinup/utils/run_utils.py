"""Experiments and grids, at their documented address; they live in :mod:`spinup.experiments`."""

from spinup.experiments.grid import ExperimentGrid
from spinup.experiments.launch import call_experiment
from spinup.experiments.names import setup_logger_kwargs

__all__ = ["ExperimentGrid", "call_experiment", "setup_logger_kwargs"]
