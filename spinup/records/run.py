"""The records of one training: logging, saving and resuming."""

import time
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from spinup.backends import backend_of_agent, import_backend
from spinup.errors import UserError, setting
from spinup.experience.buffers import ReplayBuffer
from spinup.experience.seeding import random_numbers_kept
from spinup.experience.vector_env import VectorEnv
from spinup.interrupts import interrupts_explained
from spinup.mpi.tools import only_first
from spinup.records.agents import refuse_diverged, save_agent
from spinup.records.checkpoints import Checkpoint
from spinup.records.config import refuse_taken_directory
from spinup.records.directory import after_interrupt
from spinup.records.environment import save_normalization
from spinup.records.logger import EpochLogger
from spinup.records.recipe import NoRecipe, describe, with_normalized_inputs


class Run:
    """Logs, saves and resumes one training; the training loop itself belongs to the algorithm.

    Combines an :class:`~spinup.records.logger.EpochLogger` and a :class:`~spinup.records.checkpoints.Checkpoint`, which
    can also be used on their own.

    Args:
        config: the arguments of the training function, from ``check_hyperparameters``; written to ``config.json``.
        columns: names of the columns of ``progress.txt`` between ``Epoch`` and ``Time``, in order, separated by spaces.
            A star after a name stands for four columns: average, standard deviation, maximum, minimum.
        envs: the training environments; they, and their copies to test in, are closed at the end.
        buffer: the replay buffer, if any.
        rng: the algorithm's own random generator, if it uses one besides NumPy's global one.

    Raises:
        UserError: if the output directory already holds a run and ``resume`` is false, or another run if it is true.
    """

    def __init__(
        self,
        config: dict[str, Any],
        columns: str,
        envs: VectorEnv,
        buffer: ReplayBuffer | None = None,
        rng: np.random.Generator | None = None,
    ):
        only_first(refuse_taken_directory)(config)  # the logger, which does not know the configuration, says less
        self.logger = EpochLogger(resume=config["resume"], **(config["logger_kwargs"] or {}))
        self._checkpoint = Checkpoint(self.logger, envs, buffer, rng)
        self.logger.save_config(config, envs.first)
        self.logger.save_env(config["env_fn"], envs.first)
        self.store = self.logger.store
        self._config, self._columns, self._envs = config, columns.split(), envs
        self._backend, self._first, self._epoch, self._start_time = "", 0, 0, time.time()
        self._has_buffer = buffer is not None

    def restore(self, learner: Any) -> Any:
        """``learner`` from the last checkpoint if the run resumes, else unchanged; starts or restores the episodes.

        Args:
            learner: everything that changes as the algorithm learns, as a named tuple with the agent first.

        Raises:
            UserError: if observations are normalised by ``norm_obs`` and the agent is a custom one.
        """
        self._backend = backend_of_agent(learner[0])
        self.finished(learner[0])  # raises an error now if it would after an epoch
        self._first, learner, self._start_time = self._checkpoint.begin(learner, self._module)
        if found := self._envs.unsaved_normaliser():
            self.logger.log(
                f"{found} seems to normalise by statistics of its own. They are resumed, but not saved with the agent: "
                f"use gymnasium.wrappers.NormalizeObservation, or {setting('--norm_obs')}, instead.",
                color="yellow",
            )
        return learner

    def finished(self, agent: Any) -> Any:
        """``agent`` as others can use it: on observations as they are, also where ``norm_obs`` normalises them.

        Its first layers then take over the normalisation; see ``with_normalized_inputs``.
        """
        scale = self._envs.obs_scale()
        if scale is None:
            return agent
        with random_numbers_kept():  # agents are built, and a run may not depend on how often it is saved
            try:
                recipe = describe(agent, self._module)
            except NoRecipe as error:
                raise UserError(
                    f"{setting('--norm_obs')} cannot become part of the saved agent: {error} "
                    "Put gymnasium.wrappers.NormalizeObservation around the environment instead."
                ) from error
            return self._module.agent_from(with_normalized_inputs(recipe, *scale))

    @property
    def _module(self) -> ModuleType:
        return import_backend(self._backend, "backend")

    def epochs(self) -> Iterator[int]:
        """The epochs to train, counted from 0; the environments are closed after the last."""
        with interrupts_explained(partial(after_interrupt, self.logger.output_dir)):
            for epoch in range(self._first, self._config["epochs"]):
                self._epoch = epoch
                yield epoch
        self._envs.close()

    def steps(self) -> Iterator[int]:
        """The number of environment steps taken before each step of this epoch, over all environments."""
        config = self._config
        return self.logger.progress(self._epoch, config["epochs"], config["steps_per_epoch"], config["num_envs"])

    def end_epoch(self, learner: Any) -> None:
        """Log this epoch's row and save.

        The agent is saved every ``save_freq`` epochs and at the end. So is a checkpoint; without a replay buffer, whose
        transitions make it large, one is written after every epoch.
        """
        logger, epoch = self.logger, self._epoch
        logger.log_tabular("Epoch", epoch)
        for column in self._columns:
            name = column.rstrip("*")
            if name == "TotalEnvInteracts":
                logger.log_tabular(name, (epoch + 1) * self._config["steps_per_epoch"])
            else:
                logger.log_tabular(name, with_min_and_max=name != column, average_only=name == column)
        logger.log_tabular("Time", time.time() - self._start_time)
        logger.dump_tabular()
        saves = epoch % self._config["save_freq"] == 0 or epoch == self._config["epochs"] - 1
        if saves:
            self._save(learner[0], epoch if self._config["snapshots"] else None)
        if saves or not self._has_buffer:
            self._refuse_diverged(learner[0])
            self._checkpoint.save(epoch, learner, self._module)

    @only_first
    def _save(self, agent: Any, itr: int | None) -> None:
        save_normalization(self.logger.output_dir, self._envs.statistics(), itr)
        save_agent(self.logger.output_dir, self._backend, self.finished(agent), itr)

    @only_first
    def _refuse_diverged(self, agent: Any) -> None:
        refuse_diverged(self._module.parameters_of(agent))  # or the last checkpoints could not be used
