"""Damaged, hostile and absent files give typed errors and leave nothing behind."""

import io
import os
import stat
import struct
import threading
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as PILImage

from srkit.atomic import replacing
from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError, OptionError, SrkitError
from srkit.imaging.files import pillow
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
SUFFIXES = [".png", ".jpg", ".tif", ".webp", ".avif", ".bmp", ".gif"]
DEEP = ["deep.png", "deep.tif", "float.tif", "strips.tif", "tiles.tif"]


def encoded(name, folder):
    """Encode PIXELS as the name says and return the bytes."""
    path = folder / f"whole-{name}"
    if name.endswith(".gif"):
        PILImage.fromarray(PIXELS).quantize(32).save(path)
    elif name.startswith("deep"):
        save_image(Image(PIXELS.astype(np.uint16) * 257), path)
    elif name == "float.tif":
        save_image(Image((PIXELS / 255).astype(np.float32)), path)
    elif name == "strips.tif":
        tifffile.imwrite(path, PIXELS, photometric="rgb", rowsperstrip=8)
    elif name == "tiles.tif":
        deep = PIXELS.astype(np.uint16)
        tifffile.imwrite(path, deep, photometric="rgb", tile=(16, 16), compression="lzw")
    else:
        save_image(Image(PIXELS), path)
    return path.read_bytes()


@pytest.mark.parametrize("name", [f"a{suffix}" for suffix in SUFFIXES] + DEEP)
def test_truncated_files_are_corrupt_wherever_they_are_cut(tmp_path, name):
    data = encoded(name, tmp_path)
    path = tmp_path / name
    # The last bytes of PNG, BMP and GIF are a mark or padding, not pixels.
    dense = range(40, 330, 7) if name.endswith(".tif") else range(0)
    ends = [*dense, *range(40, len(data) - 40, max(1, len(data) // 25)), len(data) - 40]
    for end in ends:
        path.write_bytes(data[:end])
        with pytest.raises(CorruptFileError):
            read_image(path)


@pytest.mark.parametrize("name", [f"a{suffix}" for suffix in SUFFIXES] + DEEP)
# Pillow warns of damaged metadata that it can do without; so may it here.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scrambled_files_give_pixels_or_typed_errors(tmp_path, name):
    data = encoded(name, tmp_path)
    path = tmp_path / name
    rng = np.random.default_rng(1)
    for _ in range(40):
        scrambled = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            scrambled[at] = rng.integers(0, 256)
        path.write_bytes(scrambled)
        try:
            result = read_image(path, max_pixels=10**6)
        except SrkitError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert result.pixels.size > 0


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", CorruptFileError),
        (b"hello, world", ImageError),
        (b"%PDF-1.7 and so on", ImageError),
        (b"BM is how this text begins, too", ImageError),
        (b"\x89PNG\r\n\x1a\n", CorruptFileError),
        (b"\xff\xd8\xff\xe0", CorruptFileError),
        (b"II*\0", CorruptFileError),
        (b"RIFF\0\0\0\0WEBP", CorruptFileError),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, data, error):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(error, match=r"a\.png"):
        read_image(tmp_path / "a.png")


def test_missing_files_and_folders_stay_pythons_own_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")
    with pytest.raises(IsADirectoryError):
        read_image(tmp_path)
    with pytest.raises(FileNotFoundError):
        save_image(Image(PIXELS), tmp_path / "none" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError):
        save_image(Image(PIXELS), tmp_path / "folder.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize("name", [f"a{suffix}" for suffix in SUFFIXES] + DEEP)
def test_size_is_judged_from_the_header(tmp_path, name):
    data = encoded(name, tmp_path)
    # Cut after the header: were anything decoded, the file would be corrupt.
    path = tmp_path / name
    whole = name.endswith((".tif", ".webp", ".avif", ".gif"))
    path.write_bytes(data if whole else data[: len(data) // 2])
    with pytest.raises(ImageTooLargeError, match=r"50x40.*1999.*max_pixels=2000"):
        read_image(path, max_pixels=1999)
    path.write_bytes(data)
    assert read_image(path, max_pixels=2000).size == (50, 40)


def png(width, height, *chunks):
    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 1) * height)) if width * height < 10**6 else b""
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_bomb_is_refused_by_default(tmp_path):
    (tmp_path / "a.png").write_bytes(png(2**31 - 1, 2**31 - 1))
    with pytest.raises(ImageTooLargeError, match="2147483647x2147483647"):
        read_image(tmp_path / "a.png")


def test_a_tiff_bomb_is_refused_by_default(tmp_path):
    data = bytearray(encoded("float.tif", tmp_path))
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        at = tiff.pages.first.tags["ImageWidth"].valueoffset
    data[at : at + 2] = b"\xff\xff"
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        at = tiff.pages.first.tags["ImageLength"].valueoffset
    data[at : at + 2] = b"\xff\xff"
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageTooLargeError, match="65535x65535"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.avif", "a.bmp", "a.gif", "deep.tif"])
def test_pillows_own_limit_does_not_rule(tmp_path, monkeypatch, name):
    data = encoded(name, tmp_path)
    (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(PILImage, "MAX_IMAGE_PIXELS", 100)
    assert read_image(tmp_path / name).size == (50, 40)
    assert PILImage.MAX_IMAGE_PIXELS == 100


def test_where_pillows_limit_cannot_be_passed_by_the_error_says_so(tmp_path, monkeypatch):
    (tmp_path / "a.webp").write_bytes(encoded("a.webp", tmp_path))
    monkeypatch.setattr(PILImage, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ImageTooLargeError, match="MAX_IMAGE_PIXELS"):
        read_image(tmp_path / "a.webp")


@pytest.mark.parametrize(
    ("name", "head"),
    [(b"zTXt", b"Comment\0\0"), (b"iCCP", b"icc\0\0"), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0")],
)
def test_bombs_in_png_text_and_profile_are_refused(tmp_path, name, head):
    body = head + zlib.compress(bytes(80_000_000), 9)
    assert len(body) < 100_000
    (tmp_path / "a.png").write_bytes(png(4, 4, (name, body)))
    with pytest.raises(CorruptFileError, match="too large"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("limit", [0, -1, 1.5, "10", True, None])
def test_senseless_limits_are_refused(tmp_path, limit):
    with pytest.raises(OptionError, match="max_pixels"):
        read_image(tmp_path / "a.png", max_pixels=limit)


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("a.png", "png_writing.encode"),
        ("a.tif", "tiff_writing._write"),
        ("a.jpg", "pillow.encode"),
    ],
)
def test_a_failing_save_leaves_nothing_and_spares_the_old_file(tmp_path, monkeypatch, name, writer):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    path = tmp_path / name
    path.write_bytes(b"old")
    monkeypatch.setattr(f"srkit.imaging.files.{writer}", fail)
    with pytest.raises(OSError, match="No space"):
        save_image(Image(PIXELS), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_save_leaves_nothing(tmp_path):
    def write_and_stop():
        with replacing(tmp_path / "a.png") as file:
            file.write(b"half")
            assert not (tmp_path / "a.png").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")
def test_saved_files_obey_the_umask_and_keep_permissions_and_links(tmp_path):
    old = os.umask(0o022)
    try:
        save_image(Image(PIXELS), tmp_path / "new.png")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o644
    (tmp_path / "new.png").chmod(0o600)
    (tmp_path / "link.png").symlink_to(tmp_path / "new.png")
    save_image(Image(PIXELS[:5]), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o600
    assert read_image(tmp_path / "new.png").height == 5


def test_long_names_can_be_saved(tmp_path):
    path = tmp_path / ("x" * 251 + ".png")
    save_image(Image(PIXELS), path)
    assert path.exists()


def test_reading_from_several_threads(tmp_path):
    names = [f"a{suffix}" for suffix in SUFFIXES]
    wanted, found = {}, {}
    for name in names:
        (tmp_path / name).write_bytes(encoded(name, tmp_path))
        wanted[name] = read_image(tmp_path / name).pixels

    def read(name):
        found[name] = [read_image(tmp_path / name).pixels for _ in range(5)]

    threads = [threading.Thread(target=read, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        assert len(found[name]) == 5
        assert all(np.array_equal(pixels, wanted[name]) for pixels in found[name])


def test_memory_errors_pass_through(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(encoded("a.png", tmp_path))

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(pillow, "open_one", fail)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")
