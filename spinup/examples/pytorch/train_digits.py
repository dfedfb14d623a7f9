"""The logger outside reinforcement learning: a network learns to read handwritten digits.

    python -m spinup.examples.pytorch.train_digits --output_dir data/digits
    spinup plot data/digits --value TestAcc --xaxis TotalGradientSteps

The images, 1797 of 8 x 8 pixels, come with scikit-learn: nothing is downloaded.
"""

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from spinup.algos.pytorch import core, training
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.errors import UserError
from spinup.utils.logx import EpochLogger


def load_digits():
    """Images ``[N, 64]`` in [0, 1] and their digits ``[N]``: those to learn from, then every fifth, to test with."""
    try:
        from sklearn import datasets
    except ImportError:
        raise UserError('The digits come with scikit-learn: run pip install "spinningup[examples]".') from None
    x, y = datasets.load_digits(return_X_y=True)
    x, y = torch.as_tensor(x / 16, dtype=torch.float32), torch.as_tensor(y)
    test = np.arange(len(y)) % 5 == 0
    return (x[~test], y[~test]), (x[test], y[test])


def accuracy(net, x, y):
    """The share of the images ``x`` that ``net`` reads as ``y``."""
    with torch.no_grad():
        return (net(x).argmax(-1) == y).float().mean()


def train_digits(
    steps_per_epoch=100, epochs=10, lr=1e-3, layers=2, hidden_size=64, seed=0, logger_kwargs=None, save_freq=1
):
    """Train a fully connected network, and return it."""
    config = locals()
    logger = EpochLogger(**logger_kwargs or {})
    logger.save_config(config)  # config.json: how to repeat this

    training.start(seed, "cpu")
    (x_train, y_train), (x_test, y_test) = load_digits()
    net = core.mlp([64, *[hidden_size] * layers, 10], nn.ReLU)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    logger.setup_pytorch_saver(net)  # what save_state() will save

    start_time = time.time()
    for epoch in range(epochs):
        for _ in range(steps_per_epoch):
            rows = torch.randint(len(x_train), (32,))
            loss = F.cross_entropy(net(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            logger.store(Loss=loss, Acc=accuracy(net, x_train[rows], y_train[rows]))  # one of many in this epoch

        if epoch % save_freq == 0 or epoch == epochs - 1:
            logger.save_state({})

        # one row of progress.txt: first the statistics of what was stored, then plain values
        logger.log_tabular("Epoch", epoch)
        logger.log_tabular("Acc", with_min_and_max=True)
        logger.log_tabular("Loss", average_only=True)
        logger.log_tabular("TestAcc", accuracy(net, x_test, y_test))
        logger.log_tabular("TotalGradientSteps", (epoch + 1) * steps_per_epoch)
        logger.log_tabular("Time", time.time() - start_time)
        logger.dump_tabular()
    return net


def main(argv: list[str] | None = None) -> None:
    """Train with the settings on the command line."""
    parser = ArgumentParser(prog="python -m spinup.examples.pytorch.train_digits", description=__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="epochs of 100 gradient steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    parser.add_argument("--output_dir", help="directory of the results (default: a new one in the temporary folder)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing run")
    args = parser.parse_args(argv)
    logger_kwargs = dict(output_dir=args.output_dir, exp_name="digits", overwrite=args.overwrite)
    train_digits(epochs=args.epochs, seed=args.seed, logger_kwargs=logger_kwargs)


if __name__ == "__main__":
    exit_on_user_error(main, sys.argv[1:])
