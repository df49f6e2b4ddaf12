"""OME, georeference and other tags of TIFF are kept, corrected, or told by name."""

import numpy as np
import pytest
import tifffile
from kept import PIXELS, doubled
from PIL import Image as PILImage

import srkit
from srkit.imaging import notes
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image


@pytest.mark.parametrize("scale", [2, 3])
def test_ome_is_corrected(tmp_path, scale):
    pixels = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    sizes = {"PhysicalSizeX": 0.6, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.3}
    tifffile.imwrite(
        tmp_path / "a.ome.tif", pixels, photometric="minisblack", metadata={"axes": "YX", **sizes}
    )
    with notes.collecting() as told:
        srkit.upscale(tmp_path / "a.ome.tif", "nearest", scale=scale).save(tmp_path / "b.ome.tif")
    assert not told
    with tifffile.TiffFile(tmp_path / "b.ome.tif") as made:
        assert made.is_ome
        assert made.series[0].kind == "ome"
        assert made.series[0].shape == (48 * scale, 64 * scale)
        found = tifffile.xml2dict(made.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (found["SizeX"], found["SizeY"]) == (64 * scale, 48 * scale)
    assert found["PhysicalSizeX"] == pytest.approx(0.6 / scale)
    assert found["PhysicalSizeY"] == pytest.approx(0.3 / scale)
    assert found["PhysicalSizeXUnit"] == "µm"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_ome_that_no_longer_fits_is_dropped_with_a_word(tmp_path, suffix):
    pixels = np.zeros((48, 64), np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "YX"})
    image = read_image(tmp_path / "a.ome.tif")
    deeper = Image(pixels.astype(np.uint16), image.metadata)
    with notes.collecting() as told:
        deeper.save(tmp_path / f"b{suffix}")
    assert ["OME" in text for text in told] == [True]
    assert b"OME" not in (read_image(tmp_path / f"b{suffix}").metadata.exif or b"")


def test_imagejs_description_is_dropped_with_a_word(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((48, 64), np.uint16),
        imagej=True,
        resolution=(2.0, 2.0),
        metadata={"unit": "um", "axes": "YX"},
    )
    (told,) = doubled(tmp_path / "a.tif", tmp_path / "b.tif")
    assert "ImageJ" in told
    with tifffile.TiffFile(tmp_path / "b.tif") as made:
        assert not made.is_imagej
        assert not made.pages[0].description


KEYS = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, 1)


def geotiff(path, *tags, point=False):
    keys = KEYS[:-1] + ((2,) if point else (1,))
    made = [(34735, 3, len(keys), keys, True), (42113, 2, 0, "-9999", True)]
    made += [(tag, 12, len(values), values, True) for tag, values in tags]
    tifffile.imwrite(path, PIXELS, photometric="rgb", metadata=None, extratags=made)
    return path


def place(tags, column, row, *, point):
    """Where the corner of a pixel lies (GeoTIFF 1.1, 7.3 and B.5), from what a file says."""
    shift = 0.5 if point else 0.0
    column, row = column - shift, row - shift
    if 34264 in tags:
        m = np.array(tags[34264]).reshape(4, 4)
        return tuple((m @ [column, row, 0, 1])[:2])
    i, j, _, x, y, _ = tags[33922]
    across, down, _ = tags[33550]
    return x + (column - i) * across, y - (row - j) * down


@pytest.mark.parametrize("point", [False, True])
@pytest.mark.parametrize("how", ["scale", "matrix"])
@pytest.mark.parametrize("scale", [2, 3])
def test_georeference_is_scaled_with_the_size(tmp_path, point, how, scale):
    scaled = [(33550, (10.0, 5.0, 0.0)), (33922, (3.0, 4.0, 0.0, 5e5, 4e6, 0.0))]
    matrix = [(34264, (10.0, 1.0, 0.0, 5e5, 2.0, -5.0, 0.0, 4e6, *[0.0] * 4, 0, 0, 0, 1.0))]
    source = geotiff(tmp_path / "a.tif", *(scaled if how == "scale" else matrix), point=point)
    with notes.collecting() as told:
        srkit.upscale(source, "nearest", scale=scale).save(tmp_path / "b.tif")
    assert not told
    srkit.load("nearest", scale=scale).upscale_file(source, tmp_path / "rows.tif")
    with tifffile.TiffFile(source) as file:
        before = {tag.code: tag.value for tag in file.pages[0].tags}
    for name in ("b.tif", "rows.tif"):
        with tifffile.TiffFile(tmp_path / name) as file:
            after = {tag.code: tag.value for tag in file.pages[0].tags}
        assert after[34735] == before[34735]
        assert after[42113] == "-9999"
        for column, row in ((0, 0), (16, 12), (3, 4), (5, 11)):
            old = place(before, column, row, point=point)
            new = place(after, column * scale, row * scale, point=point)
            assert new == pytest.approx(old, rel=1e-12)


def test_georeference_that_has_no_place_is_told(tmp_path):
    source = geotiff(tmp_path / "a.tif", (33550, (10.0, 5.0, 0.0)))
    assert doubled(source, tmp_path / "b.png") == ["PNG holds no georeference: left out"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_of_a_good_bigtiff_are_read(tmp_path, order):
    tags = [(0x010F, 2, 0, "Acme", True), (0x8298, 2, 0, "(c) Ann", True)]
    tifffile.imwrite(
        tmp_path / "a.tif",
        PIXELS,
        photometric="rgb",
        bigtiff=True,
        byteorder=order,
        metadata=None,
        description="a harbour",
        software="Scanner 3",
        extratags=tags,
    )
    with notes.collecting() as told:
        image = read_image(tmp_path / "a.tif")
    assert not told
    image.save(tmp_path / "b.tif")
    with PILImage.open(tmp_path / "b.tif") as made:
        found = {tag: made.tag_v2[tag] for tag in (0x010E, 0x010F, 0x0131, 0x8298)}
    assert list(found.values()) == ["a harbour", "Acme", "Scanner 3", "(c) Ann"]


def test_layers_and_calibration_of_tiff_are_told(tmp_path):
    tags = [(37724, 7, 8, b"Adobe Ph", True), (318, 5, 2, (3127, 10000, 329, 1000), True)]
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, photometric="rgb", metadata=None, extratags=tags)
    assert doubled(tmp_path / "a.tif", tmp_path / "b.tif") == [
        "colours by white point, primaries and transfer function of TIFF were left out",
        "layers of TIFF were left out",
    ]


def test_by_rows_the_same_is_told_with_the_name_of_the_file(tmp_path, caplog):
    tags = [(37724, 7, 8, b"Adobe Ph", True)]
    source, target = tmp_path / "a.tif", tmp_path / "b.png"
    tifffile.imwrite(source, PIXELS, photometric="rgb", metadata=None, extratags=tags)
    srkit.load("nearest", scale=2).upscale_file(source, target)
    (record,) = caplog.records
    assert record.getMessage() == f"{source}: layers of TIFF were left out"


@pytest.mark.parametrize("turned", [2, 3, 6])
def test_georeference_of_a_turned_picture_is_told(tmp_path, turned):
    # Its points are columns and rows as stored: scaled alone they would name other places.
    tags = [
        (274, 3, 1, turned, True),
        (33550, 12, 3, (10.0, 10.0, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0), True),
    ]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", metadata=None, extratags=tags)
    assert doubled(path, tmp_path / "b.tif") == [
        "the georeference was left out: the picture is stored turned"
    ]
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert not {33550, 33922} & {tag.code for tag in tiff.pages[0].tags}


def test_tags_that_are_not_known_are_told(tmp_path):
    tags = [
        (33628, 4, 2, (1, 2), True),  # MetaMorph's calibration
        (40091, 1, 4, b"a\0\0\0", True),  # the title of Windows' programs
        (50844, 12, 92, tuple(map(float, range(92))), True),  # a satellite's camera
        (59932, 1, 8, bytes(8), True),  # room for later
    ]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", metadata=None, extratags=tags)
    assert doubled(path, tmp_path / "b.tif") == [
        "tags of TIFF that srkit does not know were left out: UIC1tag, XPTitle, RPCCoefficientTag"
    ]


def test_the_shape_of_pixels_in_tiff_is_told(tmp_path):
    for name, ratio in (("a.tif", (2, 1)), ("b.tif", (7, 7))):
        tifffile.imwrite(
            tmp_path / name, PIXELS, photometric="rgb", metadata=None, resolution=ratio,
            resolutionunit=1,
        )  # fmt: skip
    assert doubled(tmp_path / "a.tif", tmp_path / "c.png") == [
        "the shape of pixels was left out: 2 to 1"
    ]
    assert doubled(tmp_path / "b.tif", tmp_path / "c.png") == []
