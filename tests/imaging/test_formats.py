"""What the values of image formats state, against what their files do."""

import numpy as np
import pytest

from srkit.errors import ImageError
from srkit.imaging.files import formats
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
DTYPES = ("uint8", "uint16", "float32")
WRITTEN = [pytest.param(form, id=form.name) for form in formats.WRITTEN]


def picture(mode, dtype):
    top = 1 if dtype == "float32" else np.iinfo(dtype).max
    levels = np.random.default_rng(0).integers(0, 2, (24, 16, CHANNELS[mode])) * top
    return Image(levels.astype(dtype).squeeze(), Metadata(mode))


@pytest.fixture(autouse=True)
def _packages(request):
    if "form" in request.fixturenames and request.getfixturevalue("form").name == "ZARR":
        pytest.importorskip("zarr", reason='Zarr needs pip install "srkit[zarr]"')


def test_no_ending_and_no_name_is_that_of_two_formats():
    endings = [e for form in formats.FORMATS for e in (*form.suffixes, *form.aliases)]
    names = [form.name for form in formats.FORMATS]
    assert len({*endings}) == len(endings)
    assert len({*names}) == len(names)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize("form", WRITTEN)
def test_what_a_format_states_it_holds(tmp_path, form, mode, dtype):
    image, path = picture(mode, dtype), tmp_path / f"a{form.suffixes[0]}"
    if mode not in form.modes or dtype not in (*form.dtypes, "float32"):
        with pytest.raises(ImageError, match=f"{form.name} .*hold"):
            image.save(path)
        assert not path.exists()
        return
    image.save(path)
    read = read_image(path)
    assert (read.metadata.format, read.shape[:2]) == (form.name, image.shape[:2])
    assert read.dtype == (dtype if dtype in form.dtypes else "uint8")
    stated = not form.quality or (form.name == "WEBP" and mode not in ("L", "LA"))
    if stated and dtype == read.dtype:
        np.testing.assert_array_equal(read.pixels, image.pixels)


@pytest.mark.parametrize("form", WRITTEN)
def test_files_are_known_by_their_content(tmp_path, form):
    path = tmp_path / f"a{form.suffixes[0]}"
    picture("RGB", "uint8").save(path)
    other = path.rename(tmp_path / "b.txt")
    if form.folder:
        assert formats.of_folder(other) is form
    else:
        assert formats.of_file(other.read_bytes()[: formats.HEAD], other) is form


@pytest.mark.parametrize("form", [pytest.param(f, id=f.name) for f in formats.BY_ROWS])
def test_rows_are_written_by_what_states_it(tmp_path, form):
    # Reading PNG by rows takes pyvips; its size is read without.
    path = tmp_path / f"a{form.suffixes[0]}"
    picture("RGB", "uint8").save(path)
    assert form.rows.size_of(path) == (24, 16, 3)


def test_formats_that_are_only_read_are_refused_as_targets(tmp_path):
    for form in formats.FORMATS:
        if not form.is_written:
            for ending in (*form.suffixes, *form.aliases):
                with pytest.raises(ImageError, match="is read, not written; use one of"):
                    picture("RGB", "uint8").save(tmp_path / f"a{ending}")
