"""Pictures, their metadata, Zarr stores and clips, each with small good files to damage."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from damage import with_png_checksums
from parsers import Parser
from PIL import Image as PILImage

import srkit

# Read when a library that has OpenMP is loaded, such as LibRaw: its threads do not outlive the fork
# of a process that had some.
os.environ["OMP_NUM_THREADS"] = "1"
# A picture that is damaged into a giant is refused by its size; what is below that is decoded.
_MOST = 1 << 20


def _levels(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return (np.arange(np.prod(shape)) * 7).reshape(shape).astype(dtype)


def _read(path: Path) -> object:
    return srkit.read_image(path, max_pixels=_MOST)


def _by_rows(path: Path) -> object:
    from srkit.imaging.files.by_rows import open_rows

    with open_rows(path) as rows:
        return rows[0 : min(9, rows.shape[0]), 0 : min(9, rows.shape[1])]


def _saved(image: PILImage.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _described() -> dict[str, object]:
    """Metadata that JPEG holds."""
    from PIL import ImageCms

    exif = PILImage.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF tiff:Orientation="6"/></x:xmpmeta>'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return {"exif": exif, "xmp": xmp, "icc_profile": profile, "dpi": (72, 72), "comment": b"c"}


def _decoding(name: str, seeds: list[bytes], **more: object) -> Parser:
    def read(folder: Path, data: bytes) -> object:
        path = folder / name
        path.write_bytes(data)
        return _read(path)

    return Parser(seeds, read, **more)  # type: ignore[arg-type]


def pillow() -> dict[str, Parser]:
    """Formats that Pillow decodes, within what srkit reads of them itself."""
    color = PILImage.fromarray(_levels(12, 10, 3))
    few = PILImage.fromarray(_levels(12, 10)).quantize(7)
    described = _described()
    jpegs = [_saved(color, "JPEG", **described), _saved(color, "JPEG", progressive=True)]
    webp = {k: described[k] for k in ("exif", "xmp", "icc_profile")}
    return {
        "jpeg": _decoding("a.jpg", jpegs),
        "webp": _decoding("a.webp", [_saved(color, "WEBP", **webp)]),
        "gif": _decoding("a.gif", [_saved(few, "GIF", transparency=2)]),
        "bmp": _decoding("a.bmp", [_saved(color, "BMP"), _saved(few, "BMP")]),
    }


def heif() -> dict[str, Parser]:
    """AVIF and HEIC."""
    color = srkit.Image(_levels(16, 16, 3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.avif"
        color.save(path)
        return {"avif": _decoding("a.avif", [path.read_bytes()])}


def jxl() -> dict[str, Parser]:
    """JPEG XL: a codestream, boxes, a profile, and what was a JPEG."""
    import imagecodecs

    from srkit.imaging.metadata import Metadata

    described = _described()
    profile, packet = described["icc_profile"], described["xmp"]
    assert isinstance(profile, bytes)
    assert isinstance(packet, bytes)
    metadata = Metadata("RGB", icc=profile, xmp=packet)
    files = [io.BytesIO() for _ in range(3)]
    srkit.Image(_levels(16, 12, 3)).save(files[0], format="jxl", quality=80)
    srkit.Image(_levels(16, 12, 3, dtype="uint16"), metadata).save(files[1], format="jxl")
    srkit.Image(_levels(16, 12, 4)).save(files[2], format="jxl")
    jpeg = _saved(PILImage.fromarray(_levels(12, 10, 3)), "JPEG", **described)
    seeds = [file.getvalue() for file in files]
    return {"jxl": _decoding("a.jxl", [*seeds, imagecodecs.jpegxl_encode_jpeg(jpeg)])}


def radiance() -> dict[str, Parser]:
    """Radiance, packed and not."""
    import imagecodecs

    light = _levels(12, 10, 3).astype("float32") / 50
    packed = imagecodecs.rgbe_encode(light)
    stated = b"#?RADIANCE\nPRIMARIES=0.64 0.33 0.3 0.6 0.15 0.06 0.3127 0.329\n\n+X 5 -Y 4\n"
    return {"radiance": _decoding("a.hdr", [packed, stated + bytes(range(80))])}


def exr() -> dict[str, Parser]:
    """OpenEXR: strips, tiles, layers and parts, packed in several ways."""
    import OpenEXR

    light = _levels(20, 18, 4).astype("float32") / 255
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 8
    stripes = {"type": OpenEXR.scanlineimage}
    part = OpenEXR.Part({**stripes, "name": "z"}, {"Z": light[..., 0].copy()}, "z")
    color = OpenEXR.Part({**stripes, "name": "rgb"}, {"RGB": light[..., :3].copy()}, "rgb")
    chromaticities = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
    files = [
        OpenEXR.File({**stripes, "compression": packing}, {"RGBA": light.astype(dtype)})
        for packing in (OpenEXR.ZIP_COMPRESSION, OpenEXR.PIZ_COMPRESSION, OpenEXR.RLE_COMPRESSION)
        for dtype in ("float16", "float32")
    ]
    tiled = {"type": OpenEXR.tiledimage, "tiles": tiles, "chromaticities": chromaticities}
    files += [OpenEXR.File(tiled, {"RGBA": light}), OpenEXR.File([part, color])]
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            file.write(f"{folder}/a.exr")
            seeds.append(Path(folder, "a.exr").read_bytes())
    decoding = _decoding("a.exr", seeds)

    def read(folder: Path, data: bytes) -> object:
        # It prints a line for each part that it cannot decode.
        with contextlib.redirect_stdout(io.StringIO()):
            return decoding.read(folder, data)

    return {"exr": Parser(seeds, read)}


def raw() -> dict[str, Parser]:
    """A camera's raw file, as DNG."""
    import rawpy

    sys.path.append(str(Path(__file__).parents[1] / "imaging"))
    import dng

    assert rawpy.libraw_version
    light = _levels(24, 32, 3).astype("float32") / 255
    with tempfile.TemporaryDirectory() as folder:
        turned = dng.write(Path(folder) / "a.dng", light, orientation=6).read_bytes()
        plain = dng.write(Path(folder) / "a.dng", light, rowsperstrip=8).read_bytes()
    return {"raw": _decoding("a.dng", [turned, plain])}


def png() -> dict[str, Parser]:
    """PNG, whole and by rows, with and without mended checksums."""
    from srkit.imaging.files.writing import save_image

    seeds = [
        _saved(PILImage.fromarray(_levels(12, 10)).quantize(5), "PNG", transparency=1),
        _saved(PILImage.fromarray(_levels(12, 10, 3)), "PNG", dpi=(72, 72)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        save_image(srkit.Image(_levels(12, 10, 3, dtype="uint16")), path)
        seeds.append(path.read_bytes())
    rows = _rows("a.png", seeds[1:])
    return {
        "png": _decoding("a.png", seeds, pack=with_png_checksums),
        "png-raw": _decoding("a.png", seeds),
        "png-rows": Parser(rows.seeds, rows.read, with_png_checksums),
    }


def _rows(name: str, seeds: list[bytes]) -> Parser:
    def read(folder: Path, data: bytes) -> object:
        path = folder / name
        path.write_bytes(data)
        return _by_rows(path)

    return Parser(seeds, read)


def tiff() -> dict[str, Parser]:
    """TIFF, whole and by rows: strips, tiles, packed, big, of several depths."""
    import tifffile

    def written(pixels: np.ndarray, **options: object) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, **options)
        return file.getvalue()

    color, deep = _levels(20, 24, 3), _levels(20, 24, dtype="uint16")
    seeds = [
        written(color, photometric="rgb", rowsperstrip=7, description="a", resolution=(72, 72)),
        written(color, photometric="rgb", compression="zlib", predictor=True),
        written(color, photometric="rgb", tile=(16, 16), compression="lzw"),
        written(deep, byteorder=">", compression="packbits"),
        written(deep.astype("float32") / 65535, bigtiff=True),
        written(deep, imagej=True),
        written(color, photometric="rgb", ome=True),
    ]
    return {"tiff": _decoding("a.tif", seeds), "tiff-rows": _rows("a.tif", seeds)}


def metadata() -> dict[str, Parser]:
    """Blocks of metadata alone: whatever they hold, nothing may be raised."""
    from srkit.imaging.files import descriptions, exif, iptc, xmp

    described = _described()
    block = described["exif"].tobytes()  # type: ignore[attr-defined]
    packet = described["xmp"]
    assert isinstance(packet, bytes)
    resources = iptc.jpeg_segment(b"\x1c\x02\x05\0\x05title")[18:]
    ome = b'<OME><Pixels Type="uint8" SizeX="4" SizeY="2" PhysicalSizeX="0.5"/></OME>'

    def of_exif(_: Path, data: bytes) -> None:
        exif.orientation(data)
        exif.refresh(data, 4, 4)
        exif.without_orientation(data)

    def of_xmp(_: Path, data: bytes) -> None:
        xmp.orientation(data)
        xmp.refresh(data, 4, 4)

    def of_iptc(_: Path, data: bytes) -> None:
        iptc.of_resources(iptc.split(data))
        iptc.of_png_text(data.decode("latin-1"))

    def of_ome(_: Path, data: bytes) -> None:
        descriptions.refreshed(data.decode("latin-1"), 8, 4, "uint8", 1)

    return {
        "exif": Parser([block], of_exif),
        "xmp": Parser([packet], of_xmp),
        "iptc": Parser([resources, iptc.png_text(resources).encode()], of_iptc),
        "ome": Parser([ome], of_ome),
    }


def video() -> dict[str, Parser]:
    """Clips, as far as their facts and the first frames."""
    import av

    from srkit.video.reading import Source

    def clip(suffix: str, codec: str) -> bytes:
        file = io.BytesIO()
        with av.open(file, "w", format=suffix) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for n in range(3):
                frame = av.VideoFrame.from_ndarray(_levels(32, 32, 3) + np.uint8(n), format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, 25)
                container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode(None))
        return file.getvalue()

    kinds = (("mp4", "libx264"), ("matroska", "libx264"), ("mpegts", "mpeg2video"))

    def read(folder: Path, data: bytes) -> None:
        path = folder / "a.mp4"
        path.write_bytes(data)
        with Source(path) as source:
            str(source.facts)

    return {"video": Parser([clip(*kind) for kind in kinds], read, count=10_000)}


def zarrs() -> dict[str, Parser]:
    """What a Zarr store says of itself, and its chunks."""
    import tempfile

    import zarr

    pixels = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)
    found: dict[str, Parser] = {}
    for version, name in ((3, "zarr.json"), (2, ".zarray")):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "a.zarr"
            zarr.create_array(
                store=store, shape=(40, 30), chunks=(20, 30), dtype="uint16", zarr_format=version
            )[:] = pixels
            files = {p.relative_to(store): p.read_bytes() for p in store.rglob("*") if p.is_file()}

        def read(folder: Path, data: bytes, files: dict[Path, bytes], damaged: Path) -> object:
            for path, content in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data if path == damaged else content)
            return srkit.read_image(folder)

        chunk = Path("c/0/0") if version == 3 else Path("0.0")
        for what, path in (("metadata", Path(name)), ("chunk", chunk)):
            found[f"zarr-{version}-{what}"] = Parser(
                [files[path]], lambda f, d, files=files, path=path: read(f, d, files, path)
            )
    return found
