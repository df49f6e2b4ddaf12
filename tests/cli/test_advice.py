"""Advice that the command gives can be followed by who gives commands."""

import re

import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage

import srkit
from srkit.cli import main

# What only who writes Python knows what to do with; paths and names of files are taken out before.
PYTHON = re.compile(
    r"=True|=False|=None|\bnumpy\b|\bPIL\b|\.pixels|astype|image\[|\(image|metadata\.|"
    r"srkit\.[a-zA-Z]|pass [a-z_]+=|to_pil|[a-z_]+=\""
)


def floats(low, high):
    return np.linspace(low, high, 192, dtype=np.float32).reshape(8, 8, 3)


def nans():
    pixels = floats(0, 1)
    pixels[0, 0] = np.nan
    return pixels


def tif(path, pixels):
    tifffile.imwrite(path, pixels, photometric="rgb")


def gif(path):
    frames = [PILImage.new("L", (8, 8), 40 * n) for n in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def webp_with_much_exif(path):
    exif = PILImage.Exif()
    exif[270] = "a" * 70_000
    PILImage.new("RGB", (8, 8)).save(path, exif=exif)


CASES = {
    "levels": ("a.tif", lambda p: tif(p, floats(0, 255)), (), "divide by 255"),
    "light": ("a.tif", lambda p: tif(p, floats(0, 3.5)), (), "tone-map it"),
    "signed": ("a.tif", lambda p: tif(p, floats(-1, 1)), (), "half of it and a half"),
    "negative": ("a.tif", lambda p: tif(p, floats(-9, 1)), (), "rescale it"),
    "nan": ("a.tif", lambda p: tif(p, nans()), (), "NaN"),
    "frames": ("a.gif", gif, (), "upscale-video"),
    "large": ("a.jpg", lambda p: PILImage.new("L", (80, 60)).save(p), ("--max-pixels=99",),
              "--max-pixels=4800"),
    "alpha": ("a.png", lambda p: PILImage.new("RGBA", (8, 8)).save(p), ("--format=jpg",),
              "--format png"),
    "exif": ("a.webp", webp_with_much_exif, ("--format=jpg",), "PNG or TIFF"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_pictures(tmp_path, capsys, case):
    name, make, options, advice = CASES[case]
    make(tmp_path / name)
    assert main(["upscale", str(tmp_path / name), "-m", "nearest", "--scale=2", *options]) == 1
    told = capsys.readouterr().err.replace(str(tmp_path), "")
    assert advice in told
    assert not PYTHON.search(told)


def test_who_calls_srkit_is_told_of_python(tmp_path):
    path = tmp_path / "a.png"
    PILImage.new("L", (80, 60)).save(path)
    with pytest.raises(srkit.ImageTooLargeError, match="pass max_pixels=4800"):
        srkit.read_image(path, max_pixels=99)
    main(["upscale", str(path), "-m", "nearest", "--scale=2", "--max-pixels=99"])
    with pytest.raises(srkit.ImageTooLargeError, match="pass max_pixels=4800"):
        srkit.read_image(path, max_pixels=99)


@pytest.mark.parametrize(
    "arguments",
    [
        ["upscale", "a.png", "-m", "https://example.org/a.pth"],
        ["upscale-video", "https://example.org/a.mp4", "-o", "b.mp4"],
        ["compare", "https://example.org/a.png"],
        ["bench", "-m", "nearest", "--data", "https://example.org/set"],
        ["info", "https://example.org/a.pth"],
        ["convert", "https://example.org/a.pth", "b.pb"],
        ["export", "https://example.org/a.pth", "b.onnx"],
        ["train", "espcn", "https://example.org/photos", "-o", "runs"],
        ["train", "espcn", "photos", "-o", "runs", "--init", "https://example.org/a.pth"],
    ],
)
def test_an_address_is_told_to_be_one(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    told = capsys.readouterr().err
    assert "https://example.org/" in told
    assert "is an address in a network" in told
    assert "download it first" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["upscale-video", "a.mp4", "-o", "https://example.org/b.mp4"],
        ["compare", "a.png", "-o", "https://example.org/b.html"],
        ["convert", "a.pth", "https://example.org/b.pb"],
        ["export", "srresnet", "https://example.org/b.onnx"],
        ["train", "espcn", "photos", "-o", "https://example.org/runs"],
    ],
)
def test_no_result_is_written_to_an_address(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    told = capsys.readouterr().err
    assert re.search(r"https://example.org/\S+ is an address in a network", told)
    assert "of this machine" in told
    assert "download" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_options_and_scales_that_a_model_lacks(tmp_path, capsys):
    srkit.Image(np.zeros((9, 8, 3), np.uint8)).save(tmp_path / "a.png")
    for options, advice in {
        ("--halo=4",): "ONNX files have",
        ("--scale=40",): "for any other size give --width and --height of srkit upscale\n",
    }.items():
        assert main(["upscale", str(tmp_path / "a.png"), "-m", "nearest", *options]) == 2
        told = capsys.readouterr().err
        assert advice in told
        assert not PYTHON.search(told)
    with pytest.raises(srkit.OptionError, match=r"give size=\(height, width\)$"):
        srkit.load("nearest", scale=40)


def test_videos(tmp_path, capsys):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=10, width=33, height=48, pix_fmt="bgr0")
        for level in (10, 90):
            picture = np.full((48, 33, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))

    def told(*options):
        code = main(["upscale-video", str(source), "-m", "nearest", *options])
        return code, capsys.readouterr().err.replace(str(tmp_path), "")

    for options, advice in {
        ("-o", str(tmp_path / "a.mp4"), "--scale=3", "--pix-fmt=yuv420p"): "--pix-fmt yuv444p",
        ("-o", str(tmp_path / "a.mp4"), "--scale=2", "--crf=90"): "to 51, not 90",
        (
            "-o",
            str(tmp_path / "a.mp4"),
            "--scale=2",
            "--codec=h265-videotoolbox",
        ): "libx265 writes H.265",
        ("-o", str(tmp_path / "a.webm"), "--scale=2", "--codec=libx264"): "--codec libvpx-vp9",
        ("-o", str(source), "--scale=2"): "name another file",
    }.items():
        code, text = told(*options)
        assert code in (1, 2)
        assert advice in text
        assert not PYTHON.search(text)
    made = tmp_path / "b.mp4"
    code, text = told("-o", str(made), "--scale=2")
    assert code == 0
    assert not PYTHON.search(text)
    code, text = told("-o", str(made), "--scale=2")
    assert code == 2
    assert "use --overwrite" in text
    assert not PYTHON.search(text)
