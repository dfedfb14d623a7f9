"""Environments, evaluation and experience buffers."""
