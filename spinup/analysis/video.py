"""Write mp4 and gif files frame by frame, without a display."""

import os
import warnings
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from spinup.errors import UserError, first_line

GIF_FPS = 50  # browsers slow down faster gifs
PALETTE_FRAMES = 100  # a gif's 256 colours are chosen from its first frames, so that the rest need not be kept

_GIF = (
    f"fps={{fps}},split[a][b];[a]trim=end_frame={PALETTE_FRAMES},palettegen[palette];[b][palette]paletteuse=dither=none"
)
_EVEN = "scale=ceil(iw/2)*2:ceil(ih/2)*2"  # the sides that H.264 needs


class VideoWriter:
    """A context that writes ``path`` (``.mp4`` or ``.gif``) frame by frame.

    The file appears under its name when the context ends; an error leaves no file behind.

    Args:
        path: File to write; missing folders are created, an existing file is replaced.
        fps: Frames per second.

    Raises:
        UserError: For another suffix, or if the file cannot be written.
    """

    def __init__(self, path: str | Path, fps: float):
        self.path, self.fps = check_video_path(path), fps
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._ffmpeg: Generator[None, Any, None] | None = None
        self._shape: tuple[int, ...] = ()

    def append(self, frame: np.ndarray) -> None:
        """Add one frame of the same size as the others.

        Args:
            frame: uint8, in colour ``[height, width, 3]``, with transparency (which is dropped) ``[height, width, 4]``,
                or grey ``[height, width]`` or ``[height, width, 1]``.

        Raises:
            UserError: For any other frame, or if the file cannot be written.
        """
        frame = _in_colour(frame)
        if self._shape not in ((), frame.shape):
            sizes = [f"{width}x{height}" for height, width, _ in (self._shape, frame.shape)]
            raise UserError(
                f"cannot film frames of changing size (first {sizes[0]}, then {sizes[1]}): let render() return frames "
                "of one size."
            )
        self._shape = frame.shape
        try:
            if self._ffmpeg is None:
                self._ffmpeg = self._open((frame.shape[1], frame.shape[0]))
                with warnings.catch_warnings():  # JAX warns of fork(); this child runs ffmpeg at once
                    warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
                    self._ffmpeg.send(None)
            self._ffmpeg.send(np.ascontiguousarray(frame))
        except (OSError, RuntimeError) as error:
            raise self._cannot_write(error) from error

    def _open(self, size: tuple[int, int]) -> Generator[None, Any, None]:
        import imageio_ffmpeg  # type: ignore[import-untyped]

        options: dict = {"fps": self.fps, "ffmpeg_log_level": "error", "macro_block_size": 1}
        if self.path.suffix.lower() == ".gif":
            filters = _GIF.format(fps=min(self.fps, GIF_FPS))
            options |= {"codec": "gif", "pix_fmt_out": "pal8", "quality": None}
            options |= {"output_params": ["-vf", filters, "-f", "gif"]}
        else:
            options |= {"output_params": ["-vf", _EVEN, "-f", "mp4"]}
        return imageio_ffmpeg.write_frames(str(self._part), size, **options)

    def _cannot_write(self, error: Exception) -> UserError:
        return UserError(f"cannot write the video {str(self.path)!r}: {first_line(error)}.")

    def __enter__(self) -> "VideoWriter":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._part.touch()  # to fail now with one sentence, not after the first frame with the output of ffmpeg
        except OSError as error:
            raise self._cannot_write(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if self._ffmpeg:
                self._ffmpeg.close()
                if kind is None:
                    self._part.replace(self.path)
        except OSError as failure:
            raise self._cannot_write(failure) from failure
        finally:
            self._part.unlink(missing_ok=True)


def _in_colour(frame: np.ndarray) -> np.ndarray:
    """``frame`` as ``[height, width, 3]``; raises UserError if it is no picture."""
    picture = frame[..., None] if frame.ndim == 2 else frame
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3, 4) or not picture.size:
        raise UserError(
            f"cannot film a frame of shape {frame.shape} and dtype {frame.dtype}: let render() return uint8 of shape "
            "[height, width, 3], or [height, width] if it is grey."
        )
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[..., :3]


def check_video_path(path: str | Path) -> Path:
    """``path``, if it can be written as a video; raises UserError if not."""
    path = Path(os.path.expanduser(path))
    if path.suffix.lower() not in (".mp4", ".gif"):
        raise UserError(f"cannot film to {str(path)!r}: expected a file name that ends in .mp4 or .gif.")
    if path.is_dir():
        raise UserError(f"cannot film to {str(path)!r}: it is a directory.")
    return path
