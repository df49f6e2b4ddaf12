"""Pictures from bytes and open files and back to them, as from and to paths."""

import asyncio
import io
import os
import tempfile

import numpy as np
import pytest
from images import noise
from PIL import Image as PILImage
from PIL import ImageCms

import srkit
from srkit.errors import CorruptFileError, ImageError, ImageTooLargeError, OptionError
from srkit.imaging.files import sources

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
# Written by others; TIFF with a palette is for Pillow, the plain one for tifffile.
FILES = ("png", "png16", "jpg", "tif", "tif-palette", "tif-packed", "webp", "avif", "bmp", "gif")


def encoded(kind):
    """A file with what its format holds: turned, with profile, XMP and resolution."""
    form, _, variant = kind.partition("-")
    picture = PILImage.fromarray(noise((12, 20, 3)))
    exif = PILImage.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    options = {"icc_profile": PROFILE, "exif": exif.tobytes(), "xmp": XMP, "dpi": (72, 144)}
    if kind == "png16":
        form, picture = "png", PILImage.fromarray(noise((12, 20), "uint16"))
    if variant == "palette":
        picture = picture.quantize()
    if variant == "packed":
        options |= {"compression": "tiff_lzw"}
    if form in ("bmp", "gif"):
        options = {}
    file = io.BytesIO()
    picture.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(form, form.upper()), **options)
    return file.getvalue()


class Stream:
    """What cannot go back, such as an answer of a server; gives a few bytes at a time."""

    def __init__(self, data, most=1000):
        self._file, self._most = io.BytesIO(data), most
        self.given = 0

    def read(self, size=-1, /):
        piece = self._file.read(self._most if size < 0 else min(size, self._most))
        self.given += len(piece)
        return piece


class Upload(tempfile.SpooledTemporaryFile):
    """As services have uploads; closed when it is let go of, without a word."""

    def __init__(self, data):
        super().__init__()
        self.write(data)

    def __del__(self):
        self.close()


SOURCES = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "BytesIO": io.BytesIO,
    "at its end": lambda data: io.BytesIO(data) if not data else _ended(io.BytesIO(data)),
    "upload": Upload,
    "stream": Stream,
    "stream of single bytes": lambda data: Stream(data, 1),
}


def _ended(file):
    file.seek(0, io.SEEK_END)
    return file


@pytest.fixture
def disk(monkeypatch):
    """Streams go on to the disk after a few bytes."""
    monkeypatch.setattr(sources, "_IN_MEMORY", 300)


def same(made, wanted):
    np.testing.assert_array_equal(made.pixels, wanted.pixels)
    assert made.metadata == wanted.metadata
    assert made.dtype == wanted.dtype


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", FILES)
def test_what_is_read_is_what_the_path_gives(tmp_path, kind, source):
    data = encoded(kind)
    path = tmp_path / "a"
    path.write_bytes(data)
    wanted = srkit.read_image(path)
    assert wanted.shape[:2] == ((12, 20) if kind in ("bmp", "gif") else (20, 12))
    given = SOURCES[source](data)
    same(srkit.read_image(given), wanted)
    assert not getattr(given, "closed", False)


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("kind", FILES)
def test_a_long_stream_is_kept_on_the_disk(tmp_path, kind):
    data = encoded(kind)
    (tmp_path / "a").write_bytes(data)
    same(srkit.read_image(Stream(data)), srkit.read_image(tmp_path / "a"))


@pytest.mark.parametrize("buffering", [-1, 0])
def test_an_open_file_and_a_pipe(tmp_path, buffering):
    data = encoded("png")
    (tmp_path / "a.png").write_bytes(data)
    wanted = srkit.read_image(tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb", buffering=buffering) as file:
        same(srkit.read_image(file), wanted)
        same(srkit.read_image(file), wanted)
    reader, writer = os.pipe()
    os.write(writer, b"head" + data)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering) as pipe:
        assert pipe.read(4) == b"head"
        same(srkit.read_image(pipe), wanted)


def test_heic_from_bytes(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(PILImage.fromarray(noise((32, 48, 3)))).save(file)
    (tmp_path / "a.heic").write_bytes(file.getvalue())
    wanted = srkit.read_image(tmp_path / "a.heic")
    for source in (file, file.getvalue(), Stream(file.getvalue())):
        same(srkit.read_image(source), wanted)


@pytest.mark.parametrize("source", ["bytes", "BytesIO", "stream"])
def test_limits_hold(source):
    with pytest.raises(ImageTooLargeError, match="20x12 = 240 pixels, more than the limit of 239"):
        srkit.read_image(SOURCES[source](encoded("bmp")), max_pixels=239)
    assert srkit.read_image(SOURCES[source](encoded("bmp")), max_pixels=240).size == (20, 12)


class Endless(Stream):
    """A picture's beginning, and then zeros for ever."""

    def read(self, size=-1, /):
        assert size > 0, "there is no end to read to"
        piece = super().read(size) or bytes(size)
        self.most_at_once = max(getattr(self, "most_at_once", 0), len(piece))
        self.given += len(piece)
        return piece


def test_a_stream_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(sources, "_BESIDE", 2**21)
    stream = Endless(encoded("png"))
    with pytest.raises(ImageTooLargeError, match=r"^<Endless>: it goes on beyond \d+ bytes"):
        srkit.read_image(stream, max_pixels=1000)
    assert stream.given < 2**23
    strange = Endless(b"no picture at all" * 20)
    with pytest.raises(ImageError, match="<Endless>: not an image that srkit reads"):
        srkit.read_image(strange)
    assert strange.given < 2**21


class Awaited:
    """As FastAPI's UploadFile: its methods are awaited."""

    async def read(self, size=-1):
        return b""


def closed():
    file = io.BytesIO(b"x")
    file.close()
    return file


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (lambda: b"", CorruptFileError, "^<bytes>: the file is empty$"),
        (lambda: Stream(b""), CorruptFileError, "^<Stream>: the file is empty$"),
        (lambda: b"hello", ImageError, "^<bytes>: not an image that srkit reads"),
        (lambda: encoded("png")[:400], CorruptFileError, "^<bytes>: the PNG file is truncated"),
        (lambda: Stream(encoded("jpg")[:900]), CorruptFileError, "<Stream>: the JPEG file is trun"),
        (lambda: io.StringIO("text"), ImageError, "mode 'rb'"),
        (closed, ImageError, "the file is closed"),
        (Awaited, ImageError, r"await file\.read\(\)"),
        (lambda: 7, ImageError, "expected a path, a URL, bytes or an open file, not int"),
        (lambda: None, ImageError, "not NoneType"),
    ],
)
def test_what_is_no_picture_is_told(make, kind, told):
    source = make()
    with pytest.raises(kind, match=told):
        srkit.read_image(source)


def test_a_file_that_is_open_for_the_wrong_thing(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        with pytest.raises(ImageError, match=r"a\.png: the file is not open for reading"):
            srkit.read_image(file)
        srkit.Image(noise((4, 6, 3))).save(file, format="png")
    with (tmp_path / "a.png").open("rb") as file, pytest.raises(OSError, match="write"):
        srkit.Image(noise((4, 6, 3))).save(file, format="png")
    for mode in ("r", "w"):
        with tempfile.NamedTemporaryFile(mode) as text:
            use = srkit.read_image if mode == "r" else _save
            with pytest.raises(ImageError, match=r"mode 'rb'|takes no bytes"):
                use(text)


def _save(file):
    srkit.Image(noise((4, 6, 3))).save(file, format="png")


def test_what_a_stream_raises_comes_out():
    class Lost(Stream):
        def read(self, size=-1, /):
            if self.given > 500:
                raise ConnectionResetError(104, "Connection reset by peer")
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        srkit.read_image(Lost(encoded("png"), 100))


# --- writing ----------------------------------------------------------------------------------


class Sink:
    """What cannot go back, and takes a few bytes at a time, as a socket does."""

    def __init__(self, most=10**9, tells=True):
        self.data, self._most, self._tells = bytearray(), most, tells

    def write(self, data):
        taken = data[: self._most]
        self.data += taken
        return len(taken) if self._tells else None


@pytest.mark.parametrize("kind", ["png", "png16", "jpg", "tif", "webp", "avif", "bmp"])
def test_what_is_written_is_the_file_that_a_path_gets(tmp_path, kind):
    image = srkit.read_image(encoded(kind))
    suffix = kind[:3] if kind.startswith("png") else kind
    image.save(tmp_path / f"a.{suffix}")
    wanted = (tmp_path / f"a.{suffix}").read_bytes()
    for name in (suffix, f".{suffix}", suffix.upper(), image.metadata.format):
        file = io.BytesIO()
        image.save(file, format=name)
        assert file.getvalue() == wanted
    for sink in (Sink(), Sink(7), Sink(tells=False)):
        image.save(sink, format=suffix)
        assert bytes(sink.data) == wanted
    with (tmp_path / "b").open("wb") as file:
        file.write(b"before")
        image.save(file, format=suffix)
        file.write(b"after")
    assert (tmp_path / "b").read_bytes() == b"before" + wanted + b"after"


def test_a_format_counts_before_a_suffix(tmp_path):
    image = srkit.Image(noise((4, 6, 3)))
    for name in ("a.jpg", "a", "a.anything"):
        image.save(tmp_path / name, format="png")
        np.testing.assert_array_equal(srkit.read_image(tmp_path / name).pixels, image.pixels)
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    small, large = io.BytesIO(), io.BytesIO()
    image.save(small, format="jpeg", quality=10)
    image.save(large, format="jpeg", quality=100)
    assert len(small.getvalue()) < len(large.getvalue())


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({}, OptionError, "<Sink> is, needs a format: 'png'.*such as format='png'"),
        ({"format": "pgn"}, OptionError, r"'pgn' is not known: .*; did you mean 'png'\?"),
        ({"format": ""}, OptionError, "'' is not known"),
        ({"format": 3}, OptionError, "3 is not known"),
        ({"format": "heic"}, OptionError, "'heic' is read, not written"),
        ({"format": "gif"}, OptionError, "'gif' is read, not written"),
        ({"format": "jpg"}, ImageError, "JPEG cannot hold an alpha channel"),
        ({"format": "png", "quality": 50}, OptionError, "takes no quality"),
        ({"format": "zarr"}, ImageError, "Zarr is written as a folder: name a path, not <Sink>"),
    ],
)
def test_what_cannot_be_written_leaves_an_open_file_as_it_is(options, kind, told):
    sink = Sink()
    with pytest.raises(kind, match=told):
        srkit.Image(noise((4, 6, 4))).save(sink, **options)
    assert sink.data == b""


def test_an_encoder_that_fails_leaves_an_open_file_as_it_is(monkeypatch):
    def fails(self, file, *args, **options):
        file.write(b"half")
        raise ValueError("no more")

    monkeypatch.setattr(PILImage.Image, "save", fails)
    sink = Sink()
    with pytest.raises(ImageError, match="cannot hold this image: no more"):
        srkit.Image(noise((4, 6, 3))).save(sink, format="jpg")
    assert sink.data == b""


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (io.StringIO, "takes text; open it with mode 'wb'"),
        (closed, "the file is closed"),
        (lambda: None, "expected a path, a URL or an open file, not NoneType"),
    ],
)
def test_what_takes_no_bytes_is_told(make, told):
    with pytest.raises(ImageError, match=told):
        srkit.Image(noise((4, 6, 3))).save(make(), format="png")


# --- upscaling --------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_bytes_and_open_files_are_upscaled_as_paths_are(tmp_path, source):
    data = encoded("png")
    (tmp_path / "a.png").write_bytes(data)
    model = srkit.load("nearest", scale=2)
    wanted = model.upscale(tmp_path / "a.png")
    assert wanted.metadata.icc == PROFILE
    same(model.upscale(SOURCES[source](data)), wanted)
    same(srkit.upscale(SOURCES[source](data), "nearest", scale=2), wanted)


def test_frames_and_comparisons_take_them_too():
    data = encoded("bmp")
    first, second = srkit.load("nearest", scale=2).upscale_frames([data, io.BytesIO(data)])
    same(first, second)
    models = ["nearest", "bicubic"]
    a = srkit.compare(data, models, scale=2)
    b = srkit.compare(Stream(data), models, scale=2)
    np.testing.assert_array_equal(a.sheet(), b.sheet())


def test_an_upload_of_fastapi_is_told_before_it_is_lost():
    """The error says what to pass; nothing is left that was never awaited."""

    async def handle():
        with pytest.raises(ImageError, match="await"):
            srkit.upscale(Awaited(), "nearest", scale=2)

    asyncio.run(handle())
