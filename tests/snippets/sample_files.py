"""The files that snippets name, small ones, of scikit-image's pictures and shipped weights."""

import re
import shutil
from pathlib import Path

import numpy as np
from checkout import ROOT
from imaging import dng
from PIL import Image as PILImage
from skimage import data

from srkit.imaging.light import light_of

PRETRAINED = ROOT / "srkit" / "pretrained"
PHOTO = data.astronaut()[:60, 120:180]  # of even sides, as video wants them


def picture(file):
    PILImage.fromarray(PHOTO).save(file)


def folder(file):
    """Two photos, large enough to be benchmarks."""
    file.mkdir()
    for name, photo in (("one", data.astronaut()), ("two", data.coffee())):
        PILImage.fromarray(photo[100:148, 180:244]).save(file / f"{name}.jpg", quality=95)


def clip(file):
    import av

    with av.open(str(file), "w") as out:
        stream = out.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 60, 60, "yuv420p"
        for n in range(11):  # for two seconds, since pages cut one out of them
            frame = av.VideoFrame.from_ndarray(np.roll(PHOTO, n, axis=1), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def store(file):
    import zarr

    zarr.save(str(file), PHOTO)


def tiff(file):
    import tifffile

    tifffile.imwrite(file, PHOTO, photometric="rgb", tile=(16, 16))


def animation(file):
    frames = [PILImage.fromarray(np.roll(PHOTO, n, axis=1)) for n in range(3)]
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=[50, 100, 50], loop=0)


def light(file):
    """Linear light that goes beyond white, as a camera or a renderer has it."""
    linear = light_of(PHOTO)
    if file.suffix == ".dng":
        dng.write(file, linear)
    else:
        import OpenEXR

        kind = {"type": OpenEXR.scanlineimage}
        OpenEXR.File(kind, {"RGB": linear * 4}).write(str(file))


def shipped(name):
    """A copy of a shipped weights file."""
    return lambda file: shutil.copy(PRETRAINED / name, file)


def converted(name):
    """A shipped weights file in the form that the suffix says."""

    def make(file):
        import srkit

        srkit.convert(PRETRAINED / name, file)

    return make


def exported(file):
    import srkit

    srkit.export("espcn", file)


def checkpoint(name):
    """A shipped network as PyTorch programs save it."""

    def make(file):
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(PRETRAINED / name), file)

    return make


def ncnn(file):
    from adapters.ncnn_files.ncnn_pairs import compact

    compact(scale=4).save(file.parent, file.stem)


# By the name, or by what the name ends with.
FILES = {
    **dict.fromkeys(
        (
            *("photo.jpg", "photo.png", "portrait.jpg", "scan.jpg", "scan.tif", "small.jpg"),
            *("small.png", "old.jpg", "blocky.jpg", "holiday.jpg", "poor.jpg", "original.png"),
            *("screenshot.png", "drawing.jpg"),
        ),
        picture,
    ),
    **dict.fromkeys(("photos/", "my-photos/", "originals", "Set5", "Set14", "DIV2K_valid"), folder),
    **dict.fromkeys(("slide.ome.tif", "huge.tif"), tiff),
    "in.mp4": clip,
    "anim.gif": animation,
    "IMG_0001.dng": light,
    "scene.exr": light,
    "slide.zarr": store,
    "runs/first/best.safetensors": shipped("espcn_x2.safetensors"),
    "runs/espcn/best.safetensors": shipped("espcn_x2.safetensors"),
    "runs/mine/best.safetensors": shipped("espcn_x4.safetensors"),
    "runs/fast/best.safetensors": shipped("espcn_x4.safetensors"),
    "runs/portraits/best.safetensors": shipped("espcn_x4.safetensors"),
    "runs/vsr/best.safetensors": shipped("vsr-small_x4.safetensors"),
    "mine/srresnet.safetensors": shipped("srresnet_x4.safetensors"),
    "ESPCN_x2.pb": converted("espcn_x2.safetensors"),
    "ESPCN_x3.pb": converted("espcn_x3.safetensors"),
    "FSRCNN_x3.pb": converted("fsrcnn_x3.safetensors"),
    "ne2x-photo-default-0.3.pkl.bz2": converted("neural-enhance_x2.safetensors"),
    "stranger.onnx": exported,
    "checkpoint.pth": checkpoint("srresnet_x4.safetensors"),
    "checkpoint_srgan.pth.tar": checkpoint("srgan_x4.safetensors"),
    "realesr-animevideov3-x4.param": ncnn,
    "examples/": lambda file: file.symlink_to(ROOT / "examples"),
    "docs/pictures": Path.mkdir,
}
# What is of another kind on some pages.
OTHERS = {
    "tutorial-first.md": {"small.png": lambda file: None},  # which the page makes itself
    "metrics.md": {"runs/mine/best.safetensors": shipped("espcn_x2.safetensors")},
    "neural-enhance.md": {"runs/mine/best.safetensors": shipped("neural-enhance_x2.safetensors")},
}


def lay_out(page, text, folder):
    """Make the files that the text of a page names, in a folder."""
    for name, make in {**FILES, **OTHERS.get(page.name, {})}.items():
        after = "" if name.endswith("/") else r"(?![\w.-])"
        if re.search(rf"(?<![\w/.-]){re.escape(name)}{after}", text):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            make(file)
