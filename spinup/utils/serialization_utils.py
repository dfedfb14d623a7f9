"""Conversion to JSON, at its address in the original; it lives in :mod:`spinup.records.config`."""

from spinup.records.config import convert_json

__all__ = ["convert_json"]
