"""The files of a run: written while it trains, read to resume it or to load its agent."""
