"""A demo: ``python -m spinup.examples.demo`` trains PPO on CartPole-v1, films the agent and plots its learning curve.

Every step prints the equivalent command line. The results replace those of an earlier demo, and nothing else.
"""

import subprocess
import sys
from pathlib import Path

from spinup import run
from spinup.analysis.policy import load_policy_and_env, run_policy
from spinup.commands.arguments import ArgumentParser, exit_on_user_error
from spinup.records.console import colorize, say

ENV = "CartPole-v1"
SOLVED = 475  # mean return per episode, of 500 at most
EPISODES = 20


def main(argv: list[str] | None = None) -> None:
    """Run the demo.

    Raises:
        SystemExit: status 1 if the trained agent's mean return is below 475; 2 for a mistake in the flags.
    """
    parser = ArgumentParser(prog="python -m spinup.examples.demo", description="Train, watch and plot.")
    parser.add_argument("--epochs", type=int, default=30, help="epochs of 4000 steps to train (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="folder for all results (default: demo)")
    args = parser.parse_args(argv)

    results = args.folder / "cartpole" / "cartpole_s0"
    train(args.folder, args.epochs)
    mean = evaluate(results)
    film(results, args.folder / "cartpole.gif")
    plot(results, args.folder / "learning_curve.png")
    if mean < SOLVED:
        raise SystemExit(f"The agent reached {mean:.0f} of {SOLVED}: {ENV} is not solved after {args.epochs} epochs.")
    conclude(args.folder, results, mean)


def train(folder: Path, epochs: int) -> None:
    """Train PPO with its default hyperparameters."""
    headline(f"Training PPO on {ENV}: {epochs} epochs of 4000 steps, about a second each")
    spinup("ppo", "--env", ENV, "--epochs", epochs, "--exp_name", "cartpole", "--data_dir", folder, "--overwrite")


def evaluate(results: Path) -> float:
    """The mean return of the trained agent, which takes its most likely actions."""
    headline(f"Evaluating the agent over {EPISODES} episodes")
    show("test_policy", results, "--episodes", EPISODES, "--deterministic", "--norender")
    env, get_action = load_policy_and_env(results, deterministic=True)
    return run_policy(env, get_action, num_episodes=EPISODES, render=False)["AverageEpRet"]


def film(results: Path, video: Path) -> None:
    """Film one episode."""
    headline("Filming one episode")
    spinup("test_policy", results, "--episodes", 1, "--deterministic", "--video", video)


def plot(results: Path, picture: Path) -> None:
    """Draw the learning curve."""
    headline("Plotting the learning curve")
    spinup("plot", results, "--save", picture)


def conclude(folder: Path, results: Path, mean: float) -> None:
    """Print where the results are, and what to try next."""
    headline(f"Solved: the mean return is {mean:.0f} of 500")
    outputs = {
        folder / "cartpole.gif": "the trained agent",
        folder / "learning_curve.png": "how it learned",
        results: "all files of the run",
    }
    width = max(len(str(path)) for path in outputs)
    for path, what in outputs.items():
        print(f"  {path!s:{width}}  {what}")
    headline("Try next (after `source .venv/bin/activate`, on Windows `.venv\\Scripts\\activate`)")
    show("test_policy", results)
    show("ppo", "--env", "LunarLander-v3", "--gamma", 0.999, "--epochs", 100, "--exp_name", "lander")
    show("ppo", "--help")


def spinup(*arguments: object) -> None:
    """Show a command line and run it."""
    show(*arguments)
    run.main([str(argument) for argument in arguments])


def show(*arguments: object) -> None:
    """Print a command line as typed in a shell."""
    say(f"  spinup {subprocess.list2cmdline(map(str, arguments))}")


def headline(text: str) -> None:
    """Print the headline of a step."""
    say(colorize(f"\n{text}", "cyan", bold=True))


if __name__ == "__main__":
    exit_on_user_error(main, sys.argv[1:])
