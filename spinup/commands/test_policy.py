"""``spinup test_policy PATH``: watch, measure or film a trained agent."""

import os
import sys
from pathlib import Path

from spinup.analysis.policy import FILMED_EPISODES, check_numbers, policy_of, rebuild_env, run_policy
from spinup.analysis.video import check_video_path
from spinup.commands.arguments import ArgumentParser
from spinup.errors import command
from spinup.hyperparameters import check_hyperparameters
from spinup.records.agents import load
from spinup.records.config import read_config
from spinup.records.console import say


def has_display() -> bool:
    """Whether a window can be opened here; the variable DISPLAY alone does not guarantee it."""
    if sys.platform not in ("win32", "darwin") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    try:
        pygame.display.init()
        return pygame.display.get_driver().lower() in ("x11", "wayland", "cocoa", "windows")
    except pygame.error:
        return False
    finally:
        pygame.display.quit()


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog=command("test_policy"), description="Watch, measure or film a trained agent.")
    add = parser.add_argument
    parser.add_path("fpath", help="output directory of a run")
    add("-l", "--len", type=int, help="cut episodes after LEN steps, 0: never (default: max_ep_len of the training)")
    add("-n", "--episodes", type=int, default=100, help="number of episodes (default: %(default)s)")
    add("-nr", "--norender", action="store_true", help="do not show the episodes, only print returns and lengths")
    add("-i", "--itr", type=int, default=-1, help="snapshot of the agent to load (default: -1, the latest)")
    likely, default = "take the most likely actions", "up to the agent; VPG, TRPO and PPO sample"
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("-d", "--deterministic", action="store_const", const=True, help=f"{likely} (default: {default})")
    mode.add_argument(
        "--stochastic", dest="deterministic", action="store_const", const=False, help="sample the actions"
    )
    filming = (
        f"film the first {FILMED_EPISODES} episodes (or -n, if fewer) to FILE (.mp4, .gif) instead of showing them"
    )
    parser.add_path("--video", metavar="FILE", help=filming)
    add("--seed", type=int, default=0, help="seed of the environment and the sampled actions (default: %(default)s)")
    add("--trust", action="store_true", help="allow code from the run to execute; only for runs you trust")
    return parser


def _choose_render_mode(video: str | None, norender: bool) -> str | None:
    if video:
        return "rgb_array"
    if norender:
        return None
    if not has_display():
        print("There is no display here, so the episodes are not shown: use --video FILE to film them.")
        return None
    return "human"


def _length_in_training(run: Path) -> int | None:
    """The ``max_ep_len`` of the run; None if there is none, as after a custom training loop."""
    length = read_config(run).get("max_ep_len") if (run / "config.json").is_file() else None
    return None if length is None else check_hyperparameters({"max_ep_len": length})["max_ep_len"]


def main(argv: list[str] | None = None) -> None:
    """The command line ``test_policy``: see ``test_policy --help``."""
    args = _parser().parse_args(argv)
    check_numbers(args.len, args.episodes, args.seed)
    if args.video:
        check_video_path(args.video)
    say(f"Loading {args.fpath}")
    agent = load(args.fpath, args.itr, args.trust)
    mode = _choose_render_mode(args.video, args.norender)
    env = rebuild_env(args.fpath, args.trust, mode, args.itr)
    if args.video and not has_display():
        os.environ.setdefault("MUJOCO_GL", "egl")  # not earlier: with it set, importing MuJoCo fails if EGL is missing
    get_action = policy_of(agent, env, args.deterministic)
    length = _length_in_training(Path(args.fpath)) if args.len is None else args.len
    run_policy(env, get_action, length, args.episodes, render=mode == "human", seed=args.seed, video=args.video)
    if args.video:
        print(f"Saved {args.video}")
