"""Watch, measure or film a trained agent."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from spinup.analysis.camera import follow
from spinup.analysis.video import VideoWriter
from spinup.errors import UserError, first_line, setting
from spinup.experience.contract import check_env
from spinup.experience.envs import clip_action
from spinup.experience.evaluation import deterministic_act
from spinup.experience.seeding import seed_env, seed_globals
from spinup.records.agents import load
from spinup.records.console import colorize, progress_bar, say, table
from spinup.records.environment import load_env

FILMED_EPISODES = 3
DEFAULT_FPS = 30

Policy = Callable[[np.ndarray], Any]


def load_policy_and_env(
    fpath: str | Path,
    itr: int | str = "last",
    deterministic: bool | None = False,
    *,
    trust: bool = False,
    render_mode: str | None = None,
) -> tuple[gym.Env | None, Policy]:
    """Load a trained agent and the environment it was trained in.

    Args:
        fpath: Output directory of a run.
        itr: Which snapshot of the agent; ``'last'`` (or -1) is the most recent one.
        deterministic: Take the most likely action instead of sampling one; None: the agent's default.
        trust: Allow code from the run to execute, see :mod:`spinup.records.agents`.
        render_mode: ``'human'`` to watch the environment, ``'rgb_array'`` to film it, None for neither.

    Returns:
        ``(env, get_action)``: ``get_action(obs)`` is the action for one observation, within the environment's bounds;
        where observations are flattened for the agent, it takes both kinds.
        ``env`` is None, with a printed warning, if it cannot be rebuilt: make it yourself, and pass it to
        :func:`run_policy`.

    Raises:
        UserError: If the run or snapshot does not exist, or the agent needs ``trust``.
    """
    agent = load(fpath, itr, trust)
    try:
        env = rebuild_env(fpath, trust, render_mode, itr)
    except UserError as error:
        say(colorize(f"warning: {error}", "yellow"))
        env = None
    return env, policy_of(agent, env, deterministic)


def rebuild_env(fpath: str | Path, trust: bool, render_mode: str | None, itr: int | str = "last") -> gym.Env:
    """The environment of the run at ``fpath``; raises UserError, which mentions ``MUJOCO_GL`` if that is the cause."""
    try:
        env = load_env(fpath, trust, render_mode, itr)
    except UserError:
        raise
    except Exception as error:  # importing MuJoCo raises nearly anything if MUJOCO_GL names a missing library
        if render_mode is None and "MUJOCO_GL" not in os.environ:
            raise
        graphics, blind = os.environ.get("MUJOCO_GL", ""), setting("--norender", "render_mode=None")
        raise UserError(
            f"the environment of {str(fpath)!r} cannot be built with render_mode={render_mode!r} and "
            f"MUJOCO_GL={graphics!r} ({first_line(error)}): unset MUJOCO_GL, or use {blind}."
        ) from error
    if render_mode:
        follow(env)
    return env


def policy_of(agent: Any, env: gym.Env | None, deterministic: bool | None) -> Policy:
    """``agent.act`` clipped to the bounds of ``env``; ``deterministic`` as in :func:`load_policy_and_env`."""
    if deterministic is None:
        deterministic = getattr(agent, "deterministic_by_default", False)
    act = deterministic_act(agent) if deterministic else agent.act

    def get_action(obs: Any) -> Any:
        a = act(_flat(obs, env))
        return a if env is None else clip_action(a, env.action_space)

    return get_action


def _flat(obs: Any, env: gym.Env | None) -> Any:
    """``obs`` as the agent takes it; flattened, if it is what ``env`` observed before it was flattened for the agent.

    Raises:
        UserError: for an observation of another environment.
    """
    if isinstance(env, gym.wrappers.FlattenObservation):
        whole = env.env.observation_space
        if isinstance(obs, Mapping | tuple) or np.shape(obs) == whole.shape:
            try:
                return gym.spaces.flatten(whole, obs)
            except Exception as error:  # it may hold anything, in any structure
                raise UserError(f"The observation is not one of {whole} ({first_line(error)}).") from error
    flat = not isinstance(obs, Mapping | tuple) and (env is None or np.shape(obs)[-1:] == env.observation_space.shape)
    if not flat:
        what = type(obs).__name__ if isinstance(obs, Mapping | tuple) else f"array of shape {np.shape(obs)}"
        expected = f"an array of shape {env.observation_space.shape}" if env else "an array of one dimension"
        raise UserError(
            f"get_action takes one observation as the agent does, {expected}, not a {what}: use the environment of "
            "load_policy_and_env, or gymnasium.spaces.flatten(space, obs)."
        )
    return obs


def run_policy(
    env: gym.Env | None,
    get_action: Policy,
    max_ep_len: int | None = None,
    num_episodes: int = 100,
    render: bool = True,
    *,
    seed: int | None = 0,
    video: str | Path | None = None,
) -> dict[str, float]:
    """Run an agent for some episodes, print their results and a summary, and close the environment.

    Args:
        env: The environment.
        get_action: Maps an observation to an action.
        max_ep_len: Cut episodes after this many steps (None or 0: only the environment ends them).
        num_episodes: Number of episodes.
        render: Print a note if the environment cannot be watched, because its ``render_mode`` is not ``'human'``.
        seed: Seed of the environment and of the sampled actions; None: not seeded.
        video: File (``.mp4`` or ``.gif``) to film the first 3 episodes to; needs ``render_mode='rgb_array'``.

    Returns:
        ``AverageEpRet``, ``StdEpRet``, ``MaxEpRet``, ``MinEpRet`` and ``EpLen`` (mean, in steps) over the episodes.

    Raises:
        UserError: If ``env`` is None or cannot be drawn, or for a number out of range.
    """
    if env is None:
        raise UserError(
            "there is no environment to run the agent in: make it yourself (env = gymnasium.make(...)) and call "
            "run_policy(env, get_action) with the get_action of load_policy_and_env."
        )
    check_env(env)
    check_numbers(max_ep_len, num_episodes, seed)
    if video:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        if env.render_mode != "rgb_array":
            raise UserError(f"filming needs an environment made with render_mode='rgb_array', not {env.render_mode!r}.")
        filmed = min(num_episodes, FILMED_EPISODES)
        say(f"Filming {filmed} episode{'s' * (filmed > 1)} to {video}.")
    elif render and env.render_mode != "human":
        say("The environment was made without render_mode='human': nothing is shown.")
    if seed is not None:
        seed = int(seed)  # Gymnasium refuses NumPy's integers
        _seed(env, seed)
    episodes = []
    try:
        with VideoWriter(video, env.metadata.get("render_fps", DEFAULT_FPS)) if video else nullcontext() as film:
            for n in range(num_episodes):
                ep_ret, ep_len = _run_episode(n, env, get_action, max_ep_len, seed, film)
                episodes.append((ep_ret, ep_len))
                say(f"Episode {n} \t EpRet {ep_ret:.3f} \t EpLen {ep_len}")
    finally:
        env.close()
    returns, lengths = np.transpose(episodes)
    statistics = {
        "AverageEpRet": float(returns.mean()),
        "StdEpRet": float(returns.std()),
        "MaxEpRet": float(returns.max()),
        "MinEpRet": float(returns.min()),
        "EpLen": float(lengths.mean()),
    }
    say(table([*statistics], [*statistics.values()]))
    return statistics


def check_numbers(max_ep_len: int | None, num_episodes: int, seed: int | None) -> None:
    """Raise UserError for a number out of range."""
    if max_ep_len is not None and max_ep_len < 0:
        given = setting(f"--len {max_ep_len}", f"max_ep_len={max_ep_len}")
        raise UserError(f"{given} is invalid: expected a number of steps, or 0 for no limit.")
    if num_episodes < 1:
        given = setting(f"--episodes {num_episodes}", f"num_episodes={num_episodes}")
        raise UserError(f"{given} is invalid: expected an integer >= 1.")
    if seed is not None and not 0 <= seed < 2**32:
        raise UserError(f"{setting(f'--seed {seed}')} is invalid: expected an integer from 0 to 4294967295.")


def _seed(env: gym.Env, seed: int) -> None:
    """Seed the sampling of actions, and what resetting ``env`` with ``seed`` leaves alone."""
    seed_globals(seed)
    seed_env(env, seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _run_episode(
    n: int, env: gym.Env, get_action: Policy, max_ep_len: int | None, seed: int | None, film: VideoWriter | None
) -> tuple[float, int]:
    """The return and length in steps of episode ``n``; ``seed`` is for the first one, ``film`` for the first three."""
    film = film if n < FILMED_EPISODES else None
    o = _reset(env, seed if n == 0 else None)
    ep_ret, ep_len, over = 0.0, 0, False
    with progress_bar(f"Episode {n}: {{n}} steps, {{rate_noinv_fmt}}", delay=1) as bar:
        while not over:
            if film:
                film.append(_frame(env))
            o, r, terminated, truncated, _ = env.step(clip_action(get_action(o), env.action_space))
            ep_ret += float(r)
            ep_len += 1
            over = terminated or truncated or ep_len == max_ep_len
            bar.update()
    if film:
        film.append(_frame(env))
    return ep_ret, ep_len


def _reset(env: gym.Env, seed: int | None) -> np.ndarray:
    """Start an episode; the first one also opens the window, if any."""
    try:
        return env.reset(seed=seed)[0]
    except Exception as error:
        if env.render_mode != "human":
            raise
        raise _cannot_draw(env, error) from error


def _frame(env: gym.Env) -> np.ndarray:
    try:
        frame: Any = env.render()
    except Exception as error:  # each graphics library raises its own
        raise _cannot_draw(env, error) from error
    if not isinstance(frame, np.ndarray):
        raise UserError(f"the environment cannot be filmed: render() returned {type(frame).__name__}, not an array.")
    return frame


def _cannot_draw(env: gym.Env, error: Exception) -> UserError:
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None  # a half-built viewer fails again when deleted
    traceback.clear_frames(error.__traceback__)
    sys.unraisablehook = hook
    name = env.spec.id if env.spec else env
    return UserError(
        f"{name} cannot be drawn here ({first_line(error)}): set the variable MUJOCO_GL to egl or osmesa if it is a "
        f"MuJoCo environment, or use {setting('--norender and no --video', 'render_mode=None')}."
    )
