"""Training speed beside other libraries; ``python -m bench.speed`` runs it."""
