"""Doors at the addresses that the course documents; what is behind them lives in the rooms."""
