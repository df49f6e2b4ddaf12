"""PNG as its specification has it, made by hand: few bits, lost sectors, missing rows."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as PILImage
from png_chunks import chunk

import srkit
from srkit.errors import CorruptFileError
from srkit.imaging import pil
from srkit.imaging.files import png_chunks
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image

RNG = np.random.default_rng(0)
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
ADAM7 += [(1, 0, 2, 1)]  # first row and column, then steps down and across


def packed(levels, bits):
    """Rows of the specification: a filter byte, then levels from the high bits on."""
    rows = []
    for row in levels:
        text = "".join(format(level, f"0{bits}b") for level in row)
        text += "0" * (-len(text) % 8)
        rows.append(b"\0" + int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(rows)


def grey_png(levels, bits, transparent=None, interlace=0):
    height, width = levels.shape
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, interlace)
    key = [] if transparent is None else [chunk(b"tRNS", struct.pack(">H", transparent))]
    data = packed(levels, bits)
    if interlace:
        passes = [levels[top::down, left::across] for top, left, down, across in ADAM7]
        data = b"".join(packed(part, bits) for part in passes if part.size)
    parts = [chunk(b"IHDR", header), *key, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return png_chunks.SIGNATURE + b"".join(parts)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("by", ["file", "opened", "loaded", "copied"])
@pytest.mark.parametrize("interlace", [0, 1])
def test_a_transparent_level_of_few_bits_is_transparent(tmp_path, bits, by, interlace):
    top = 2**bits - 1
    levels = np.arange(24).reshape(4, 6) % (top + 1)
    for transparent in {0, 1, top // 2, top}:
        data = grey_png(levels, bits, transparent, interlace)
        if by == "file":
            (tmp_path / "a.png").write_bytes(data)
            made = read_image(tmp_path / "a.png").pixels
        else:
            image = PILImage.open(io.BytesIO(data))
            if by != "opened":
                image.load()
            made = pil.to_array(pil.settle(image.copy() if by == "copied" else image))
        np.testing.assert_array_equal(made[..., 0], levels * (255 // top))
        np.testing.assert_array_equal(made[..., 1], np.where(levels == transparent, 0, 255))


def test_a_level_that_8_bits_do_have_is_taken_as_it_is():
    image = PILImage.fromarray(np.array([[0, 85, 170, 255, 3]], np.uint8))
    image.info["transparency"] = 3
    made = pil.to_array(pil.settle(image))
    assert made[0, :, 1].tolist() == [255, 255, 255, 255, 0]


def damaged(data, how):
    if how == "zeros":  # as lost sectors read
        return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
    if how == "bit":
        at = data.find(b"IDAT") + len(data) // 2
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    at = data.find(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    raw = zlib.decompress(data[at + 4 : at + 4 + length])
    return data[: at - 4] + chunk(b"IDAT", zlib.compress(raw[: len(raw) * 3 // 4])) + data[-12:]


@pytest.mark.parametrize("how", ["zeros", "bit", "rows missing"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
def test_damage_is_noticed_at_every_depth(tmp_path, how, mode):
    noise = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    if mode == "I;16":
        image = PILImage.fromarray(noise[..., 0].astype(np.uint16) * 257)
    else:
        image = PILImage.fromarray(noise).convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG")
    data = file.getvalue()
    (tmp_path / "a.png").write_bytes(data)
    assert read_image(tmp_path / "a.png").size == (64, 64)
    (tmp_path / "a.png").write_bytes(damaged(data, how))
    with pytest.raises(CorruptFileError):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8), (17, 9)])
@pytest.mark.parametrize("interlace", [0, 1])
def test_bytes_are_counted_as_the_specification_lays_rows_out(bits, size, interlace):
    levels = np.zeros(size, int)
    data = grey_png(levels, bits, interlace=interlace)
    at = data.find(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    raw = zlib.decompress(data[at + 4 : at + 4 + length])
    header = png_chunks.read_header(io.BytesIO(data))
    assert header.unpacked_bytes == len(raw)


def changing(path, change):
    """What a model's progress calls: changes the source once."""
    done = []

    def report(*_):
        if not done:
            done.append(change(path))

    return report


@pytest.mark.parametrize("suffix", [".tif", ".png", ".zarr"])
def test_a_source_that_changes_while_it_is_read_by_rows_is_noticed(tmp_path, suffix):
    pytest.importorskip({".zarr": "zarr", ".png": "pyvips"}.get(suffix, "numpy"))
    pixels = RNG.integers(0, 256, (200, 40), np.uint8)
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    Image(pixels).save(source)
    model = srkit.load("nearest", scale=2)
    model.upscale_file(source, target, memory=60_000)
    before = read_image(target).pixels

    def rewrite(path):
        files = [p for p in [path, *path.rglob("*")] if p.is_file() and p.suffix != ".json"]
        max(files).write_bytes(max(files).read_bytes())

    with pytest.raises(CorruptFileError, match="changed while it was read"):
        model.upscale_file(source, target, memory=60_000, progress=changing(source, rewrite))
    np.testing.assert_array_equal(read_image(target).pixels, before)
