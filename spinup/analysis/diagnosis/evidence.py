"""What a run directory says about its training: the columns of the log, the settings, the environment."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spinup.analysis.curves import PERFORMANCE_COLUMNS, read_json, read_progress, smooth_values
from spinup.records.directory import PROGRESS, log_file

# A column by which an algorithm is known, where those before it do not have theirs.
LOGGED_BY = dict(ppo="ClipFrac", trpo="BacktrackIters", vpg="KL", sac="Alpha", td3="Q2Vals", ddpg="LossPi", dqn="LossQ")
ROWS = 10  # fewer rows than this, after the random steps, are too few to be sure of anything


@dataclass(frozen=True)
class Evidence:
    """The log of one run by column, [rows] (NaN: empty cells), its ``config.json`` and its ``env.json``."""

    path: Path
    columns: dict[str, np.ndarray]
    config: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)

    # ---- settings ----

    @cached_property
    def algo(self) -> str:
        """The name of the algorithm, such as ``ppo``: by the configuration, or by the columns that it alone logs."""
        if named := str(self.config.get("algorithm", "")).rpartition(".")[2]:
            return named
        return next((algo for algo, column in LOGGED_BY.items() if column in self), "")

    def number(self, name: str, default: float = 0.0) -> float:
        """A setting as a number; ``default`` if there is none (``target_kl=None``, ``alpha="auto"``)."""
        value = self.config.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default

    @cached_property
    def horizon(self) -> float:
        """How many rewards of 1 the value of endless ones adds up to: 1 / (1 - gamma), or an episode if gamma is 1."""
        gamma = self.number("gamma", 0.99)
        return 1 / (1 - gamma) if gamma < 1 else float(np.nanmax(self["EpLen"], initial=1.0))

    @cached_property
    def steps_per_epoch(self) -> float:
        """Environment steps of an epoch."""
        return self.number("steps_per_epoch", 4000)

    # ---- columns ----

    def __contains__(self, name: str) -> bool:
        return f"Average{name}" in self.columns or name in self.columns

    def __getitem__(self, name: str) -> np.ndarray:
        """The column ``name``, or the average if it stands for four; all NaN if there is none."""
        missing = np.full(self.rows, np.nan)
        return self.columns.get(f"Average{name}", self.columns.get(name, missing))

    @cached_property
    def rows(self) -> int:
        """How many epochs are logged."""
        return len(next(iter(self.columns.values()), []))

    @cached_property
    def steps(self) -> np.ndarray:
        """Environment steps since the start; where the log does not count them, as many as the settings say."""
        counted = self["TotalEnvInteracts"]
        by_settings = np.arange(1, self.rows + 1) * self.steps_per_epoch
        return counted if np.isfinite(counted).all() else by_settings

    @cached_property
    def learning(self) -> np.ndarray:
        """Which rows come after the steps that are random, or without updates, on purpose."""
        return self.steps > max(self.number("start_steps"), self.number("update_after"))

    @cached_property
    def is_thin(self) -> bool:
        """Whether there are too few rows to be sure."""
        return bool(self.learning.sum() < ROWS)

    # ---- returns ----

    @cached_property
    def performance(self) -> str:
        """The column that says how good the policy is."""
        return next((name for name in PERFORMANCE_COLUMNS if name in self.columns), PERFORMANCE_COLUMNS[-1])

    @cached_property
    def window(self) -> int:
        """Over how many epochs returns are averaged before they are compared."""
        return max(3, self.rows // 10)

    @cached_property
    def returns(self) -> np.ndarray:
        """The performance of the epochs in which an episode ended."""
        y = self[self.performance]
        return y[~np.isnan(y)]

    @cached_property
    def score(self) -> np.ndarray:
        """The returns, each averaged with those of a few epochs around it."""
        return smooth_values(self.returns, self.window) if len(self.returns) else self.returns

    @cached_property
    def first(self) -> float:
        """The performance before learning had much effect."""
        few = min(3, max(1, len(self.returns) // 20))
        return float(self.returns[:few].mean()) if len(self.returns) else np.nan

    @cached_property
    def last(self) -> float:
        """The performance at the end."""
        return float(self.returns[-self.window :].mean()) if len(self.returns) else np.nan

    @cached_property
    def spread(self) -> float:
        """How much episodes of one epoch differ, as a standard deviation."""
        stds = [self.columns[f"Std{name[7:]}"] for name in PERFORMANCE_COLUMNS if f"Std{name[7:]}" in self.columns]
        found = [np.nanmedian(std) for std in stds if not np.isnan(std).all()]
        return float(max(found, default=0.0))

    @cached_property
    def is_solved(self) -> bool:
        """Whether the end reaches the return from which the environment itself counts as solved."""
        threshold = self.env.get("reward_threshold")
        return isinstance(threshold, int | float) and self.last >= 0.9 * threshold + 0.1 * min(self.first, threshold)

    @cached_property
    def reward(self) -> np.ndarray:
        """The mean reward of a step, in the episodes of each epoch."""
        return self["EpRet"] / self["EpLen"]

    @cached_property
    def has_units_of_rewards(self) -> bool:
        """Whether values have the units of the logged returns."""
        return not self.config.get("norm_reward")

    def late(self, name: str, share: float = 1 / 3) -> np.ndarray:
        """The filled cells of the last ``share`` of a column."""
        y = self[name]
        y = y[self.rows - max(1, round(share * self.rows)) :]
        return y[~np.isnan(y)]


def median(y: np.ndarray) -> float:
    """The median of the filled cells; NaN, with which nothing compares, if there are none."""
    y = y[~np.isnan(y)]
    return float(np.median(y)) if len(y) else np.nan


def read_evidence(path: Path) -> Evidence:
    """Read a run directory; ``columns`` is empty if the log has no complete row."""
    columns = read_progress(log_file(path) or path / PROGRESS)
    return Evidence(path, columns, read_json(path / "config.json"), read_json(path / "env.json"))
