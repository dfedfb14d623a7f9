"""The examples run what they say."""

from pathlib import Path

import pytest
import torch

from spinup.errors import UserError
from spinup.examples.pytorch import bench_ppo_cartpole


def test_the_benchmark_runs_its_grid(started):
    bench_ppo_cartpole.main(["--num_runs", "2", "--data_dir", "results"])
    kwargs = [experiment.kwargs for experiment in started]
    nets = [(k["ac_kwargs"]["hidden_sizes"], k["ac_kwargs"]["activation"], k["seed"]) for k in kwargs]
    sizes, activations = [(32,), (64, 64)], [torch.nn.Tanh, torch.nn.ReLU]
    assert sorted(nets, key=str) == sorted([(h, a, s) for h in sizes for a in activations for s in (0, 10)], key=str)
    assert {(k["epochs"], k["steps_per_epoch"]) for k in kwargs} == {(10, 4000)}


def test_the_benchmark_goes_on_or_starts_anew_where_it_was_run_before(started):
    def start(*flags):
        started.clear()
        bench_ppo_cartpole.main(["--num_runs", "1", "--data_dir", "results", *flags])
        return started

    for experiment in start():
        directory = Path(experiment.kwargs["logger_kwargs"]["output_dir"])
        directory.mkdir(parents=True)
        (directory / "progress.txt").write_text("")
    with pytest.raises(UserError, match="already holds a run: add resume=True to continue it, overwrite=True"):
        start()
    assert len(start("--overwrite")) == 4
    assert [experiment.kwargs["resume"] for experiment in start("--resume")] == [True] * 4
