"""Benchmarks: how well the algorithms learn (bench.curves), and how fast they train (bench.speed)."""
