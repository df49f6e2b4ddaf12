"""Calls whose packages are extras, and imported when they are called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srkit.errors import MissingDependencyError, OptionError
from srkit.extras import missing_packages
from srkit.upscaling.upscaler import Progress, Upscaler

if TYPE_CHECKING:
    from srkit.adapters.onnx.exporting import Exported
    from srkit.training import Recipe, Teacher
    from srkit.video.upscaling import VideoReport


def train(
    recipe: str | Recipe,
    photos: str | Path,
    out: str | Path,
    *,
    scale: int,
    init: str | Path | None = None,
    resume: bool = True,
    teacher: str | Path | Teacher | Sequence[str | Path | Teacher] | Mapping[str, float] = (),
    config: str | Path | None = None,
    cache: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    **changes: Any,
) -> Path:
    """Train a model on a folder of photos; needs ``pip install "srkit[train]"``.

    Stopped at any moment, it goes on where it was when called again; on the CPU the
    result is then the same, bit for bit.

    Parameters
    ----------
    recipe
        ``"photo"``, ``"srresnet"``, ``"srgan"``, ``"photo-2025"``, ``"espcn"``, ``"fsrcnn"``,
        ``"neural-enhance"``, ``"neural-enhance-repair"``, ``"unet"``,
        ``"unet-repair"``, ``"compact"``, ``"vsr"``, ``"vsr-small"``, ``"vsr-fg"``,
        ``"vsr-p"``, or a `srkit.training.Recipe`.
    photos
        Folder of pictures of any format and size, searched to any depth. A broken one
        is skipped with a warning.
    out
        Folder of results: ``best.safetensors`` and ``weights.safetensors`` (averaged
        weights, with the best PSNR on held-out photos and the newest), ``log.csv``,
        ``pictures/``, and ``state.pth`` from which the run goes on.
    scale
        Factor of the model.
    init
        Model or weights file to start from; by default what the recipe says, which is
        bicubic interpolation for most.
    resume
        False starts again.
    teacher
        A model or weights file, or several, to learn from; a mapping gives each its weight, and
        `srkit.training.Teacher` what else there is to say. It answers once, before the steps
        begin, and losses then compare with its answers.
    config
        A TOML file with changes to the recipe.
    cache
        Folder for decoded photos; in `out` by default.
    device, devices
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``, and how many of them.
    changes
        Changes to the recipe, such as ``steps=2000``.

    Returns
    -------
    Path
        The best weights, or for recipes with an adversary the newest: `load` takes it.

    Raises
    ------
    OptionError
        If the recipe, a change or the device makes no sense, the folder holds no
        usable photos, or `out` holds a run with other settings.
    WeightsError
        If `init` does not fit.
    MissingDependencyError
        If torch, lightning-fabric or pydantic is not installed.

    Examples
    --------
    ::

        path = srkit.train("srresnet", "portraits/", "runs/portraits", scale=4,
                           init="srresnet", steps=2000)
        srkit.load(path).upscale("portrait.jpg").save("large.png")
    """
    try:
        from srkit.training import train
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors", "lightning_fabric"):
            raise
        raise MissingDependencyError(
            f'training needs {error.name}, which is not installed: pip install "srkit[train]"'
        ) from error
    return train(
        recipe,
        photos,
        out,
        scale=scale,
        init=init,
        resume=resume,
        teacher=teacher,
        config=config,
        cache=cache,
        device=device,
        devices=devices,
        **changes,
    )


def upscale_video(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    model: str | Path | Upscaler = "espcn",
    *,
    scale: int | None = None,
    codec: str | None = None,
    crf: float | None = 18,
    pix_fmt: str | None = None,
    resume: bool = True,
    overwrite: bool = False,
    memory: int | None = None,
    progress: Progress = False,
    **options: Any,
) -> VideoReport:
    """Upscale a video file; needs ``pip install "srkit[video]"``.

    Every frame of the source is in the result once, in order and at its time, also where
    the frame rate varies. Sound and subtitles are copied bit for bit; pixel aspect ratio,
    colour tags, rotation, chapters and metadata are kept.

    Stopped at any moment, the same call goes on where it was. Until it is done, its work is
    in the folder ``.NAME.srkit`` beside `dst`, and nothing is at `dst`.

    Parameters
    ----------
    src
        A video of any format that FFmpeg reads.
    dst
        The result: .mp4, .m4v, .mov, .mkv, .webm, .ts or .nut.
    model
        As for `load`, or a loaded model. Models of single images work frame by frame.
    scale
        Factor of both sides; the model's default if left out.
    codec
        FFmpeg's name of an encoder: ``"libx264"``, which is the default, ``"libx265"``,
        ``"libvpx-vp9"``, the default of .webm, ``"ffv1"`` (lossless), ...
    crf
        Quality of codecs that know it: less is better and larger. None is the codec's own.
    pix_fmt
        Pixel format of the result; by default 4:2:0 of the depth of `src`, which plays
        everywhere, for codecs that players know, and that of `src` or the nearest for others.
    resume
        False throws away unfinished work and starts again.
    overwrite
        Replace `dst` if it exists.
    memory
        Bytes for the model to work in, as in `Upscaler.upscale`.
    progress
        True for a bar with frames a second and time left, or a function called with frames
        done and frames in all.
    options
        Options of the model, as for `load`.

    Returns
    -------
    VideoReport

    Raises
    ------
    CorruptFileError
        If `src` is no video, or not one frame of it can be decoded.
    VideoError
        If the container of `dst` cannot hold a stream (the message names one that can), or
        unfinished work is there that was made of another source or by other settings.
    OptionError
        If an option makes no sense, or `dst` exists.
    MissingDependencyError
        If PyAV is not installed.

    Examples
    --------
    ::

        report = srkit.upscale_video("in.mp4", "out.mp4", "espcn", scale=2, progress=True)
        report.frames, report.broken
    """
    if find_spec("av") is None:
        raise MissingDependencyError(
            'video files need av (PyAV), which is not installed: pip install "srkit[video]"'
        )
    from srkit.video import upscaling as conversion

    return conversion.upscale_video(
        src,
        dst,
        model,
        scale=scale,
        codec=codec,
        crf=crf,
        pix_fmt=pix_fmt,
        resume=resume,
        overwrite=overwrite,
        memory=memory,
        progress=progress,
        options=options,
    )


def export(
    model: str | Path, target: str | Path, *, scale: int | None = None, overwrite: bool = False
) -> Exported:
    """Write a model as an ONNX file; needs ``pip install "srkit[torch,onnx]"``.

    The file takes images of any size, and any number of them, and computes in float32. Its
    header tells what `srkit.load` needs to tile it exactly, and the credits. It is loaded on
    ONNX Runtime and compared with torch before it appears: whole, or not at all.

    Parameters
    ----------
    model
        The name of a model that runs on torch, or a weights file, as for `load`.
    target
        The file to write. Its suffix should be ``.onnx``, by which a bare name is known as a file.
    scale
        Factor of both sides; the model's default if left out.
    overwrite
        Replace `target` if it exists.

    Returns
    -------
    Exported
        ``path``, and ``difference``: the most that a value differed by from torch, in [0, 1].

    Raises
    ------
    OptionError
        If `target` exists, the model does not run on torch, does more than run a network of
        single images, or cannot be followed layer by layer, as networks with attention.
    WeightsError
        If the result differs from torch by more than 1e-5, or the network has a layer that
        cannot be written; then there is no file.
    UnknownModelError, CorruptFileError, UnsafeFileError
        See `load`.
    MissingDependencyError
        If torch, onnx or onnxruntime is not installed.

    Examples
    --------
    ::

        srkit.export("srresnet", "model.onnx", scale=4)
        srkit.load("model.onnx").upscale("photo.png")
    """
    if missing := [*missing_packages("torch"), *missing_packages("onnx")]:
        raise MissingDependencyError(
            f'to export needs {" and ".join(missing)}: pip install "srkit[torch,onnx]"'
        )
    target = Path(target)
    if target.exists() and not overwrite:
        raise OptionError(f"{target} exists; use overwrite=True, or --overwrite")
    import srkit
    from srkit.adapters.onnx.exporting import export

    # On a GPU convolutions round otherwise, and the comparison is with the CPU's.
    loaded = srkit.load(model, scale=scale, runtime="torch", device="cpu")
    return export(loaded, target)
