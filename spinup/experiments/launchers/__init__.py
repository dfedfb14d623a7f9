"""Launchers: run experiments in series, in parallel, or on a Ray cluster."""
