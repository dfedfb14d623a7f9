"""Trained agents run, are measured and filmed, on a machine without a display."""

import io
import itertools
import re
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

import gymnasium as gym
import imageio.v3 as iio
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from spinup import ppo_pytorch, sac_jax
from spinup.analysis import policy
from spinup.analysis.policy import load_policy_and_env, run_policy
from spinup.analysis.video import VideoWriter
from spinup.commands import test_policy as cli
from spinup.commands.test_policy import has_display
from spinup.errors import UserError, command_line
from spinup.experience.envs import EnvFn, make_env


def train(env_name, output_dir, **kwargs):
    settings = {
        "steps_per_epoch": 200,
        "epochs": 2,
        "train_pi_iters": 2,
        "train_v_iters": 2,
        "save_freq": 1,
        "snapshots": True,
        **kwargs,
    }
    logger_kwargs = {"output_dir": output_dir, "exp_name": "tiny"}
    with redirect_stdout(io.StringIO()):
        ppo_pytorch(EnvFn(env_name), ac_kwargs={"hidden_sizes": (8,)}, **settings, logger_kwargs=logger_kwargs)
    return str(output_dir)


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory):
    return train("CartPole-v1", tmp_path_factory.mktemp("cartpole") / "tiny_s0")


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory):
    return train("Pendulum-v1", tmp_path_factory.mktemp("pendulum") / "tiny_s0")


@pytest.fixture(scope="module")
def pendulum_jax(tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("pendulum_jax") / "tiny_s0"
    settings = {"steps_per_epoch": 100, "epochs": 2, "start_steps": 50, "update_after": 50, "num_test_episodes": 1}
    logger_kwargs = {"output_dir": output_dir, "exp_name": "tiny"}
    with redirect_stdout(io.StringIO()):
        sac_jax(EnvFn("Pendulum-v1"), ac_kwargs={"hidden_sizes": [8]}, **settings, logger_kwargs=logger_kwargs)
    return str(output_dir)


@pytest.fixture(autouse=True)
def _no_display(monkeypatch):
    monkeypatch.setattr(cli, "has_display", lambda: False)


def episodes(text):
    """What each 'Episode' line says: its return and length."""
    return [(float(r), int(n)) for r, n in re.findall(r"Episode \d+\s+EpRet (\S+)\s+EpLen (\d+)", text)]


class Counter(gym.Env):
    """Rewards 1, 2, 3, ...; terminates or truncates after ``length`` steps; pictures count the steps."""

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 10}  # noqa: RUF012 as in Gymnasium
    observation_space = spaces.Box(-1, 1, (1,))
    action_space = spaces.Box(-0.5, 1, (1,))

    def __init__(self, length=4, truncate=False, render_mode=None, picture=True):
        self.length, self.truncate, self.render_mode, self.picture = length, truncate, render_mode, picture
        self.seeds, self.actions, self.closed = [], [], False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.actions.append(float(action[0]))
        self.t += 1
        over = self.t >= self.length
        return np.zeros(1, np.float32), float(self.t), over and not self.truncate, over and self.truncate, {}

    def render(self):
        if self.picture is not True:
            raise self.picture
        return np.full((30, 41, 3), 20 * self.t, np.uint8)  # an odd width: H.264 cannot have one

    def close(self):
        self.closed = True


def stay(obs):
    return np.zeros(1)


# ---- run_policy ----


@pytest.mark.parametrize("truncate", [False, True])
def test_an_episode_ends_where_the_environment_says(truncate, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    env = Counter(truncate=truncate)
    statistics = run_policy(env, stay, num_episodes=3, render=False)
    assert statistics == {"AverageEpRet": 10, "StdEpRet": 0, "MinEpRet": 10, "MaxEpRet": 10, "EpLen": 4}
    out = capsys.readouterr().out
    assert episodes(out) == [(10, 4)] * 3
    assert "|    AverageEpRet |              10 |\n" in out and "|           EpLen |               4 |\n" in out
    assert "Logging" not in out and not [*tmp_path.iterdir()], "nothing is left behind"


def test_the_environment_is_closed_even_by_an_error():
    env = Counter()
    with pytest.raises(ZeroDivisionError):
        run_policy(env, lambda o: 1 / 0, num_episodes=1)
    assert env.closed


@pytest.mark.parametrize(("cap", "length"), [(None, 4), (0, 4), (2, 2), (9, 4)])
def test_a_cap_on_the_length(cap, length):
    assert run_policy(Counter(), stay, cap, 2)["EpLen"] == length


def test_only_the_first_episode_is_seeded():
    env = Counter()
    run_policy(env, stay, num_episodes=3, seed=np.int64(7))  # which Gymnasium takes as a number of Python only
    assert env.seeds == [7, None, None]


def test_actions_are_clipped_to_the_bounds():
    env = Counter(length=2)
    run_policy(env, lambda o: np.array([-3.0]), num_episodes=1)
    assert env.actions == [-0.5, -0.5]


def test_a_line_says_when_nothing_is_shown(capsys):
    run_policy(Counter(), stay, num_episodes=1)
    assert "nothing is shown" in capsys.readouterr().out
    run_policy(Counter(render_mode="human"), stay, num_episodes=1)
    assert "nothing is shown" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": None}, "no environment to run the agent in"),
        ({"num_episodes": 0}, "num_episodes=0 is invalid"),
        ({"max_ep_len": -1}, "max_ep_len=-1 is invalid"),
        ({"seed": -1}, "seed=-1 is invalid"),
        ({"seed": 2**32}, "seed=4294967296 is invalid: expected an integer from 0 to"),
        ({"video": "film.mp4"}, "made with render_mode='rgb_array', not None"),
        ({"video": "film.avi", "env": Counter(render_mode="rgb_array")}, "'film.avi': expected"),
    ],
)
def test_mistakes_in_python(arguments, message):
    with pytest.raises(UserError, match=message):
        run_policy(**{"env": Counter(), "get_action": stay, **arguments})


def test_a_long_episode_shows_that_it_moves(monkeypatch):
    seconds = itertools.count()
    monkeypatch.setattr("tqdm.std.time", lambda: next(seconds))
    monkeypatch.setattr("spinup.records.console.on_a_terminal", lambda: True)
    with redirect_stdout(io.StringIO()) as shown:
        run_policy(Counter(length=9), stay, num_episodes=1, render=False)
    assert re.search(r"Episode 0: 7 steps, +0\.\d+ steps/s", shown.getvalue())


# ---- films ----


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".GIF"])
def test_the_first_three_episodes_are_filmed(suffix, tmp_path, caplog):
    run_policy(Counter(render_mode="rgb_array"), stay, num_episodes=5, video=tmp_path / f"new/film{suffix}")
    frames = iio.imread(tmp_path / f"new/film{suffix}", index=None)
    assert len(frames) == 3 * (4 + 1)  # the first observation has a picture too
    assert [int(f.mean().round(-1)) for f in frames[:5]] == pytest.approx([0, 20, 40, 60, 80], abs=10)
    assert [p.name for p in (tmp_path / "new").iterdir()] == [f"film{suffix}"]
    assert not caplog.text, "an odd width is nothing to warn of"


def test_films_play_at_the_speed_of_the_environment(tmp_path):
    run_policy(Counter(render_mode="rgb_array"), stay, num_episodes=1, video=tmp_path / "film.mp4")
    run_policy(Counter(render_mode="rgb_array"), stay, num_episodes=1, video=tmp_path / "film.gif")
    assert iio.immeta(tmp_path / "film.mp4")["fps"] == 10
    assert iio.immeta(tmp_path / "film.gif")["duration"] == 100  # ms a frame


def test_gifs_are_not_faster_than_browsers_play(tmp_path):
    with VideoWriter(tmp_path / "film.gif", fps=100) as film:
        for i in range(20):
            film.append(np.full((16, 16, 3), 10 * i, np.uint8))
    assert len(iio.imread(tmp_path / "film.gif", index=None)) == pytest.approx(10, abs=1)
    assert iio.immeta(tmp_path / "film.gif")["duration"] == 20


GREY = np.tile(np.arange(0, 240, 8, dtype=np.uint8)[:, None], (1, 40))  # [30, 40], darker at the top
COLOUR = np.stack([GREY, GREY // 2, 0 * GREY], -1)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (GREY, np.stack([GREY] * 3, -1)),
        (GREY[..., None], np.stack([GREY] * 3, -1)),
        (np.concatenate([COLOUR, 0 * GREY[..., None]], -1), COLOUR),
        (COLOUR[::-1], COLOUR[::-1]),
    ],
    ids=["grey", "one channel", "RGBA", "not contiguous"],
)
def test_pictures_without_colour_or_with_transparency_are_converted(frame, shown, suffix):
    with VideoWriter(f"film{suffix}", fps=10) as film:
        for _ in range(2):
            film.append(frame)
    seen = iio.imread(f"film{suffix}", index=0).astype(float)
    assert seen.shape == shown.shape and abs(seen - shown).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            [COLOUR.transpose(2, 0, 1)],
            r"of shape \(3, 30, 40\) and dtype uint8: let render\(\) return uint8 of shape \[",
        ),
        ([COLOUR / 255], r"of shape \(30, 40, 3\) and dtype float64"),
        ([COLOUR[None]], r"of shape \(1, 30, 40, 3\)"),
        ([COLOUR[:0]], r"of shape \(0, 40, 3\)"),
        ([np.uint8(3)], r"of shape \(\) and dtype uint8"),
        ([COLOUR, COLOUR[:10]], r"changing size \(first 40x30, then 40x10\)"),
    ],
)
def test_frames_that_are_no_pictures_are_refused(frames, message, suffix, tmp_path):
    with pytest.raises(UserError, match=message), VideoWriter(f"film{suffix}", fps=10) as film:
        for frame in frames:
            film.append(frame)
    assert not [*tmp_path.iterdir()]


def test_an_error_leaves_no_half_film_and_keeps_the_old_one(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / "film.mp4", fps=10) as film:
        film.append(np.zeros((16, 16, 3), np.uint8))
        raise ZeroDivisionError
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("film.mp4", b"old")]


def test_a_simulator_that_cannot_draw_gets_a_sentence(tmp_path):
    for error in (RuntimeError("no OpenGL\nmore"), AttributeError()):
        env = Counter(render_mode="rgb_array", picture=error)
        with pytest.raises(UserError, match=r"cannot be drawn here \((no OpenGL|AttributeError)\).*MUJOCO_GL"):
            run_policy(env, stay, num_episodes=1, video=tmp_path / "film.gif")
        assert env.closed
    assert not list(tmp_path.glob("*film*"))


def test_a_film_where_no_file_can_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write the video '/proc/film\.mp4': .*No such file"):
        run_policy(Counter(render_mode="rgb_array"), stay, num_episodes=1, video="/proc/film.mp4")
    with pytest.raises(UserError, match="cannot write the video"):
        run_policy(Counter(render_mode="rgb_array"), stay, num_episodes=1, video=tmp_path / "file/film.mp4")


# ---- a trained agent ----


def test_evaluations_repeat(cartpole, capsys):
    def play(*flags):
        cli.main([cartpole, "-n", "4", *flags])
        return episodes(capsys.readouterr().out)

    assert play() == play()
    assert play() != play("--seed", "1")
    assert play("--stochastic") == play() != play("-d")
    assert play("-l", "5") == [(5.0, 5)] * 4


def test_evaluations_of_an_agent_of_jax_repeat(pendulum_jax, capsys):
    def play(*flags):
        cli.main([pendulum_jax, "-n", "2", *flags])
        return episodes(capsys.readouterr().out)

    deterministic, stochastic = play("--deterministic"), play("--stochastic")
    assert [play(), play("--deterministic"), play("--stochastic")] == [deterministic, deterministic, stochastic]
    assert len({*deterministic, *stochastic}) == 4 and {n for _, n in deterministic + stochastic} == {200}
    assert play("--stochastic", "--seed", "1") != stochastic


@pytest.fixture
def endless(monkeypatch, tmp_path):
    """A run in an environment without a time limit, which ends after 30 steps itself, trained to at most 7 of them."""
    monkeypatch.setitem(gym.registry, "Endless-v0", EnvSpec("Endless-v0", Counter, kwargs={"length": 30}))
    return train("Endless-v0", tmp_path / "endless", max_ep_len=7)


@pytest.mark.parametrize(("flags", "length"), [([], 7), (["-l", "5"], 5), (["--len", "9"], 9), (["-l", "0"], 30)])
def test_episodes_are_as_long_as_in_training_unless_asked(endless, flags, length, capsys):
    cli.main([endless, "-n", "2", "--norender", *flags])
    assert [n for _, n in episodes(capsys.readouterr().out)] == [length] * 2


@pytest.mark.parametrize(("config", "length"), [(None, 30), ("{}", 30), ('{"max_ep_len": null}', 30)])
def test_without_a_length_in_training_only_the_environment_ends_episodes(endless, config, length, capsys):
    file = Path(endless, "config.json")
    file.unlink() if config is None else file.write_text(config)
    cli.main([endless, "-n", "1", "--norender"])
    assert [n for _, n in episodes(capsys.readouterr().out)] == [length]


@pytest.mark.parametrize("wrong", ["-1", "0", "true", '"many"', "0.5"])
def test_a_length_in_training_that_cannot_be_is_told(endless, wrong):
    Path(endless, "config.json").write_text(f'{{"max_ep_len": {wrong}}}')
    with pytest.raises(
        UserError, match=r"^max_ep_len=.* is invalid: expected an integer >= 1, or None for no limit\.$"
    ):
        cli.main([endless, "-n", "1", "--norender"])


def test_in_python_an_episode_is_cut_only_if_asked(endless):
    assert run_policy(*load_policy_and_env(endless), num_episodes=1, render=False)["EpLen"] == 30


def test_deterministic_takes_the_mode(pendulum):
    obs = np.array([1.0, 0.0, 0.0], np.float32)
    env, sampled = load_policy_and_env(pendulum)
    _, mode = load_policy_and_env(pendulum, deterministic=True)
    assert len({float(sampled(obs)[0]) for _ in range(20)}) > 1
    assert len({float(mode(obs)[0]) for _ in range(20)}) == 1
    far = [float(sampled(obs)[0]) for _ in range(500)]
    assert env.action_space.low[0] <= min(far) and max(far) <= env.action_space.high[0]


class Place(Counter):
    """Observes a dict, which is flattened for the agent."""

    def __init__(self):
        super().__init__()
        self.observation_space = spaces.Dict(x=spaces.Box(-1, 1, (2,)), n=spaces.Discrete(3))


def test_an_agent_takes_observations_as_they_were_before_they_were_flattened():
    agent, env = type("Agent", (), {"act": staticmethod(lambda obs: obs)}), make_env(Place)
    get_action, o = policy.policy_of(agent, env, None), {"x": np.zeros(2), "n": 2}
    np.testing.assert_array_equal(get_action(o), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(get_action(np.ones(5)), np.ones(5))
    for wrong in (np.ones(4), (np.ones(5), {}), {"x": np.zeros(2)}):
        with pytest.raises(UserError):
            get_action(wrong)
    with pytest.raises(UserError, match=r"not a dict: use .*gymnasium.spaces.flatten\(space, obs\)"):
        policy.policy_of(agent, None, None)(o)


def test_the_agent_decides_what_it_does_by_default():
    class Agent:
        deterministic_by_default = True

        def act(self, obs, deterministic=False):
            return deterministic

    assert policy.policy_of(Agent(), None, None)(0) is True
    assert policy.policy_of(Agent(), None, False)(0) is False


def test_snapshots(cartpole):
    obs = np.zeros(4, np.float32)
    (_, first), (_, last) = (load_policy_and_env(cartpole, itr=i, deterministic=True) for i in (0, "last"))
    assert first(obs) in (0, 1) and last(obs) in (0, 1)
    with pytest.raises(UserError, match="no snapshot 5: it has 0, 1"):
        cli.main([cartpole, "-i", "5"])


def test_films_from_the_command_line(cartpole, tmp_path, capsys):
    cli.main([cartpole, "-n", "2", "-l", "10", "--video", "film.gif"])
    lengths = [n for _, n in episodes(capsys.readouterr().out)]
    frames = iio.imread(tmp_path / "film.gif", index=None)
    assert frames.shape == (sum(lengths) + 2, 400, 600, 3)
    assert frames[0].std() > 10  # something is drawn


def test_filming_an_agent_of_jax_warns_of_no_fork(pendulum_jax, recwarn):
    cli.main([pendulum_jax, "-n", "1", "-l", "3", "--video", "film.gif"])
    assert not [warning for warning in recwarn if "fork" in str(warning.message)]
    assert len(iio.imread("film.gif", index=None)) == 4


def test_without_a_display_there_are_numbers(cartpole, capsys):
    cli.main([cartpole, "-n", "1"])
    out = capsys.readouterr().out
    assert "no display" in out and len(episodes(out)) == 1
    cli.main([cartpole, "-n", "1", "--norender"])
    assert "no display" not in capsys.readouterr().out


def test_the_window_is_asked_for_where_there_is_one(cartpole, monkeypatch):
    modes = []

    def load_env(path, trust, render_mode, itr):
        modes.append(render_mode)
        return Counter(render_mode=render_mode)

    monkeypatch.setattr(cli, "has_display", lambda: True)
    monkeypatch.setattr(cli, "load", lambda *args: type("Agent", (), {"act": staticmethod(stay)}))
    monkeypatch.setattr(policy, "load_env", load_env)
    for flags in ([], ["--norender"], ["--video", "a.gif"]):
        cli.main([cartpole, "-n", "1", *flags])
    assert modes == ["human", None, "rgb_array"]


def test_without_its_environment_an_agent_can_run_in_another(cartpole, tmp_path, capsys):
    import shutil

    run = shutil.copytree(cartpole, tmp_path / "run")
    (run / "env.json").unlink()
    env, get_action = load_policy_and_env(run)
    assert env is None and "make it yourself" in capsys.readouterr().out
    assert run_policy(gym.make("CartPole-v1"), get_action, num_episodes=1)["EpLen"] > 1
    with pytest.raises(UserError, match="make it yourself"):
        cli.main([str(run), "-n", "1"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-n", "0"], "--episodes 0 is invalid"),
        (["-l", "-2"], "--len -2 is invalid"),
        (["--video", "film.webm"], "'film.webm': expected a file name that ends in .mp4 or .gif"),
        (["--determinstic"], "unknown argument '--determinstic'. Did you mean '--deterministic'"),
        (["-d", "--stochastic"], "not allowed with"),
        (["-i", "last"], "invalid int value: 'last'"),
    ],
)
def test_mistakes_on_the_command_line(cartpole, flags, message):
    with pytest.raises(UserError, match=message), command_line("spinup"):
        cli.main([cartpole, *flags])


def test_a_path_that_is_not_a_run(tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        cli.main([str(tmp_path)])


def test_graphics_that_this_machine_lacks_get_a_sentence(cartpole, monkeypatch):
    def load_env(*args):
        raise AttributeError("'NoneType' object has no attribute 'glGetError'")

    monkeypatch.setattr(policy, "load_env", load_env)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    with pytest.raises(UserError, match=r"MUJOCO_GL='osmesa'.*unset MUJOCO_GL"):
        cli.main([cartpole, "--norender"])


def test_a_display_that_is_not_named_is_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # a driver without windows
    assert not has_display()
