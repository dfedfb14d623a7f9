"""The few defaults a user may want to change. Edit them here; the command line and ``ExperimentGrid`` read them."""

from pathlib import Path

# The backend that runs when an algorithm is named without a suffix: `ppo` means `ppo_pytorch`. An algorithm that is not
# listed here runs in the first backend that has it.
DEFAULT_BACKEND = dict.fromkeys(("vpg", "trpo", "ppo", "dqn", "ddpg", "td3", "sac"), "pytorch")

# Where results go unless --data_dir says otherwise: `data` in the root of a clone, else in the working directory.
_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA_DIR = str((_ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()) / "data")

# Put date and time into the names of all save directories, whether or not --datestamp is given.
FORCE_DATESTAMP = False

# Let ExperimentGrid shorten parameter names in experiment names (`clip_ratio` to `cli`) where no shorthand is given.
DEFAULT_SHORTHAND = True

# Seconds between printing a grid and starting its first experiment: time to read it and cancel.
WAIT_BEFORE_LAUNCH = 0
