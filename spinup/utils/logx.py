"""The loggers, at their documented address; they live in :mod:`spinup.records.logger`."""

from spinup.records.logger import EpochLogger, Logger, colorize

__all__ = ["EpochLogger", "Logger", "colorize"]
