"""Loading and running agents, at their documented address; they live in :mod:`spinup.analysis.policy`."""

from spinup.analysis.policy import load_policy_and_env, run_policy
from spinup.commands.arguments import exit_on_user_error
from spinup.commands.test_policy import main

__all__ = ["load_policy_and_env", "main", "run_policy"]

if __name__ == "__main__":
    exit_on_user_error(main)
