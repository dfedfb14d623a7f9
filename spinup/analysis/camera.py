"""The camera that watches an agent."""

import gymnasium as gym

CHOICES = {"camera_id", "camera_name", "default_camera_config"}


def follow(env: gym.Env) -> None:
    """Let the camera of a MuJoCo environment move with the robot, if its model has a camera named ``track``.

    Since Gymnasium 1.4 the camera looks where the robot starts, and a robot that has learned to run is soon out of the
    picture. Nothing changes where ``env`` was made with a camera of the user's choice.
    """
    renderer = getattr(env.unwrapped, "mujoco_renderer", None)
    if renderer is None or (env.spec and CHOICES & {*env.spec.kwargs}):
        return
    import mujoco

    camera = mujoco.mj_name2id(renderer.model, mujoco.mjtObj.mjOBJ_CAMERA, "track")
    if camera < 0:
        return
    view = {"type": mujoco.mjtCamera.mjCAMERA_TRACKING, "trackbodyid": renderer.model.cam_bodyid[camera]}
    renderer.default_cam_config = (renderer.default_cam_config or {}) | view
    renderer.camera_id = None  # any number would take precedence over the view
