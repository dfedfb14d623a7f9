"""Figures of the course. Each module has a function ``draw``; ``python -m docs.figures`` writes all to docs/images."""
