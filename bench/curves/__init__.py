"""Learning curves beside those of the original; ``python -m bench.curves`` runs it."""
