"""The camera that films an agent: it moves with a robot, and is left alone otherwise."""

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from spinup.analysis.camera import follow


def place_of_camera(env):
    """Where MuJoCo puts the camera, ``[3]``, when Gymnasium draws a picture; nothing is drawn."""
    sim, renderer = env.unwrapped, env.unwrapped.mujoco_renderer
    camera, scene = mujoco.MjvCamera(), mujoco.MjvScene(sim.model, maxgeom=100)
    for name, value in (renderer.default_cam_config or {}).items():
        if isinstance(value, np.ndarray):
            getattr(camera, name)[:] = value
        else:
            setattr(camera, name, value)
    if renderer.camera_id is not None:
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE if renderer.camera_id < 0 else mujoco.mjtCamera.mjCAMERA_FIXED
        camera.fixedcamid = renderer.camera_id
    mujoco.mjv_updateScene(sim.model, sim.data, mujoco.MjvOption(), None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
    return np.array(scene.camera[0].pos)


def movement_of_camera(env):
    """How far the camera moves, ``[3]``, when the robot is put ten metres further along x."""
    sim = env.unwrapped
    env.reset(seed=0)
    before = place_of_camera(env)
    sim.data.qpos[0] += 10
    mujoco.mj_forward(sim.model, sim.data)
    return place_of_camera(env) - before


@pytest.mark.parametrize("name", ["HalfCheetah", "Hopper", "Walker2d", "Ant", "Swimmer", "Humanoid"])
def test_the_camera_follows_the_robot(name):
    env = gym.make(f"{name}-v5", render_mode="rgb_array")
    follow(env)
    assert movement_of_camera(env) == pytest.approx([10, 0, 0], abs=1e-3)


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("Hopper-v5", {"default_camera_config": {"distance": 3.0}}),
        ("Reacher-v5", {}),  # its model has no camera named track
        ("CartPole-v1", {}),
    ],
)
def test_another_camera_stays_as_it_is(name, kwargs):
    env = gym.make(name, render_mode="rgb_array", **kwargs)
    before = dict(vars(getattr(env.unwrapped, "mujoco_renderer", env.unwrapped)))
    follow(env)
    assert vars(getattr(env.unwrapped, "mujoco_renderer", env.unwrapped)) == before


def test_a_chosen_camera_stays_chosen():
    env = gym.make("Hopper-v5", render_mode="rgb_array", camera_id=0)
    follow(env)
    assert env.unwrapped.mujoco_renderer.camera_id == 0
