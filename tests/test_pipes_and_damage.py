"""Pipes are told, not waited for; damaged recipes and records are errors of srkit."""

import os
from pathlib import Path

import numpy as np
import pytest

import srkit
from srkit import CorruptFileError, ImageError, OptionError, VideoError, WeightsError
from srkit.guard import reading, refuse_pipes
from srkit.imaging.files.by_rows import open_rows

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


@needs_pipes
@pytest.mark.parametrize(
    ("suffix", "kind", "read"),
    [
        (".png", ImageError, srkit.read_image),
        (".tif", ImageError, open_rows),
        (".pth", WeightsError, srkit.load),
        (".onnx", WeightsError, srkit.inspect),
    ],
)
def test_a_pipe_is_told_and_not_waited_for(tmp_path, suffix, kind, read):
    path = tmp_path / f"a{suffix}"
    os.mkfifo(path)
    with pytest.raises(kind, match=r"is a pipe, which cannot be read; save what it gives"):
        read(path)


@needs_pipes
def test_a_pipe_is_no_video_and_is_told(tmp_path):
    pytest.importorskip("av")
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=r"is a pipe, which cannot be read"):
        srkit.upscale_video(tmp_path / "a.mp4", tmp_path / "b.mp4", "nearest")


@needs_pipes
def test_a_pipe_that_has_been_opened_is_told_too():
    reader, writer = os.pipe()
    try:
        with pytest.raises(ImageError, match="is a pipe"):
            srkit.read_image(f"/dev/fd/{reader}")
    finally:
        os.close(reader)
        os.close(writer)


def test_a_device_has_no_end():
    if not Path("/dev/zero").exists():
        pytest.skip("there is no /dev/zero")
    with pytest.raises(ImageError, match="is a device"):
        refuse_pipes(Path("/dev/zero"), ImageError)


@pytest.mark.parametrize(
    "raised",
    [IndexError("x"), TypeError(), OverflowError("x"), RecursionError("x"), ValueError()],
)
def test_whatever_a_reader_raises_is_damage(raised):
    with (
        pytest.raises(CorruptFileError, match=r"a\.x: the thing is damaged"),
        reading(Path("a.x"), "thing"),
    ):
        raise raised


def test_memory_that_ran_out_and_files_that_cannot_be_read_are_told():
    for raised, told in [
        (MemoryError(), "takes more memory than there is"),
        (RuntimeError("CUDA out of memory"), "takes more memory than there is"),
        (FileNotFoundError(2, "No such file"), "cannot be read: No such file"),
    ]:
        with pytest.raises(WeightsError, match=f"a.x {told}"), reading(Path("a.x"), "thing"):
            raise raised


def test_errors_of_srkit_name_the_file_once():
    for told in ("it is odd", "a.x: it is odd"):
        with pytest.raises(OptionError, match=r"^a\.x: it is odd$"), reading(Path("a.x"), "thing"):
            raise OptionError(told)


@pytest.mark.parametrize(
    "text",
    [b"a = " + b"[" * 100_000, b"a = 1" + b"0" * 5000, b"a = 1979-13-45", b"\xff", b"a = {", b"="],
    ids=["deep", "long", "date", "no text", "open", "no key"],
)
def test_recipes_that_are_no_toml(tmp_path, text):
    pytest.importorskip("torch")
    pytest.importorskip("lightning_fabric")
    from srkit.training import RECIPES, read_recipe

    path = tmp_path / "a.toml"
    path.write_bytes(text)
    with pytest.raises(OptionError, match=r"a\.toml"):
        read_recipe(path, next(iter(RECIPES.values())))
    with pytest.raises(OptionError, match="cannot be read"):
        read_recipe(tmp_path, next(iter(RECIPES.values())))


def test_a_list_of_patches_that_is_damaged(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("lightning_fabric")
    from srkit.training.data.photos import INDEX, _open

    for text in ("{", "[]", "[" * 100_000, '{"skipped": 0, "scale": 2, "detail": [1, 2]}'):
        (tmp_path / INDEX).write_text(text)
        for name in ("hr.u8", "lr.u8"):
            np.zeros(3, np.uint8).tofile(tmp_path / name)
        with pytest.raises(CorruptFileError, match="list of patches is damaged"):
            _open(tmp_path)
