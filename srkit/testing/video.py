"""Checks of video: one frame out for one in, in order, constant where nothing changes.

Every upscaler has `upscale_frames`, so every one is checked; windows make it harder for
those that see several frames.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from srkit.testing.harness import Factory, Floats, check, noise, require, require_same
from srkit.upscaling.video import VideoUpscaler


@check
def check_video_still(factory: Factory) -> None:
    """Equal frames give, each, what one image of them gives.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.upscale_frames = lambda frames: map(model.upscale, frames[1:])
    ...     return model
    >>> check_video_still(faulty)
    Traceback (most recent call last):
    AssertionError: check_video_still: 5 frames became 4
    """
    upscaler = factory()
    image = noise((6, 7, 3))
    wanted = upscaler.upscale(image)
    made = list(upscaler.upscale_frames([image] * 5))
    require(len(made) == 5, f"5 frames became {len(made)}")
    for number, frame in enumerate(made):
        require_same(frame, wanted, f"frame {number} of 5 equal ones")


@check
def check_video_scenes(factory: Factory) -> None:
    """Frames come out in order, and none is made from two scenes.

    Three scenes of three, one and two frames; in each nothing moves.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.upscale_frames = lambda frames: map(model.upscale, list(frames)[:-1])
    ...     return model
    >>> check_video_scenes(faulty)
    Traceback (most recent call last):
    AssertionError: check_video_scenes: 6 frames became 5
    """
    upscaler = factory()
    scenes = [
        np.clip(noise((6, 7, 3), seed=n) / 4 + np.float32(shift), 0, 1)
        for n, shift in enumerate((0.0, 0.7, 0.3))
    ]
    order = [0, 0, 0, 1, 2, 2]
    wanted = [upscaler.upscale(scene) for scene in scenes]
    made = list(upscaler.upscale_frames(scenes[n] for n in order))
    require(len(made) == len(order), f"{len(order)} frames became {len(made)}")
    for number, (frame, scene) in enumerate(zip(made, order, strict=True)):
        require_same(frame, wanted[scene], f"frame {number}, of scene {scene},")


@check
def check_video_reads_ahead_little(factory: Factory) -> None:
    """A video is read as it is upscaled, so that memory is constant.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.upscale_frames = lambda frames: map(model.upscale, list(frames))
    ...     return model
    >>> check_video_reads_ahead_little(faulty)
    Traceback (most recent call last):
    AssertionError: check_video_reads_ahead_little: 999 frames are read before frame 1 is made
    """
    upscaler = factory()
    read = 0

    def frames() -> Iterator[Floats]:
        nonlocal read
        for read in range(1, 1000):
            yield np.divide(noise((2, 3, 3), seed=read % 2), 100, dtype=np.float32)

    ahead = upscaler.window // 2 + 1
    stream = upscaler.upscale_frames(frames())
    for number in range(1, 4):
        next(stream)
        require(read <= number + ahead, f"{read} frames are read before frame {number} is made")


@check
def check_window(factory: Factory) -> None:
    """The window is an odd number, and 1 for models of single images.

    Examples
    --------
    >>> import srkit
    >>> def faulty():
    ...     model = srkit.load("nearest", scale=2)
    ...     model.window = 4
    ...     return model
    >>> check_window(faulty)
    Traceback (most recent call last):
    AssertionError: check_window: a window of 4 frames has none in its middle
    """
    upscaler = factory()
    window, several = upscaler.window, isinstance(upscaler, VideoUpscaler)
    require(isinstance(window, int) and window >= 1, f"the window is {window!r}")
    require(window % 2 == 1, f"a window of {window} frames has none in its middle")
    require(several or window == 1, f"the window is {window}, but it is no VideoUpscaler")
    require(not several or window > 1, "a VideoUpscaler sees more than one frame")
