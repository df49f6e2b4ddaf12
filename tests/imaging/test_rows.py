"""From TIFF to TIFF by rows: the pixels and metadata of reading it whole, in bounded memory."""

import errno

import dummies
import numpy as np
import pytest
import tifffile
from growth import growth
from images import noise
from PIL import Image as PILImage

import srkit
from srkit.cli import main
from srkit.errors import CorruptFileError, ImageError, NotByRowsError, OptionError
from srkit.imaging.files import rows_tiff, tiff_writing
from srkit.imaging.metadata import Metadata

STRIPS = {"compression": "zlib", "predictor": True, "rowsperstrip": 7}
LAYOUTS = {
    "plain": {},
    "plain strips, big-endian": {"rowsperstrip": 3, "byteorder": ">"},
    "packed strips": STRIPS,
    "one packed strip": {"compression": "lzw"},
    "tiles": {"tile": (32, 16)},
    "packed tiles in BigTIFF": {"compression": "zlib", "tile": (16, 48), "bigtiff": True},
    "planes": {"planarconfig": "separate"},
    "planes of packed strips": {"planarconfig": "separate", **STRIPS},
    "planes of tiles": {"planarconfig": "separate", "tile": (16, 16)},
}


def written(path, pixels, **layout):
    colour = pixels.ndim == 3
    if layout.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, -1, 0)
    layout = {"photometric": "rgb" if colour else "minisblack", "metadata": None, **layout}
    tifffile.imwrite(path, pixels, **layout)
    return path


def both(upscaler, source, **options):
    """Results by rows, and of the picture read whole; files, read again."""
    by_rows, whole = source.with_name("rows.tif"), source.with_name("whole.tif")
    upscaler.upscale_file(source, by_rows, **options)
    upscaler.upscale(source).save(whole)
    return srkit.read_image(by_rows), srkit.read_image(whole)


def assert_same(upscaler, source, **options):
    by_rows, whole = both(upscaler, source, **options)
    assert by_rows.dtype == whole.dtype
    np.testing.assert_array_equal(by_rows.pixels, whole.pixels)
    return by_rows


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_layout_gives_the_pixels_of_reading_it_whole(tmp_path, layout, dtype):
    source = written(tmp_path / "a.tif", noise((171, 53, 3), dtype), **layout)
    assert_same(dummies.Blur(), source)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float16"])
@pytest.mark.parametrize("layout", [{}, STRIPS])
def test_grey_of_every_depth(tmp_path, photometric, dtype, layout):
    pixels = noise((67, 41), dtype)
    assert_same(
        dummies.Blur(), written(tmp_path / "a.tif", pixels, photometric=photometric, **layout)
    )


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 90), (90, 1), (2, 3, 3), (64, 64), (257, 31, 3)])
@pytest.mark.parametrize("model", [dummies.Blur, dummies.Fours, dummies.Streaming, dummies.Luma])
def test_every_size_and_kind_of_model(tmp_path, shape, model):
    assert_same(model(), written(tmp_path / "a.tif", noise(shape), **STRIPS))


@pytest.mark.parametrize("rowsperstrip", [1, 5, 64, 200])
@pytest.mark.parametrize("memory", [400_000, 10**6, 10**9])
def test_memory_changes_no_pixel(tmp_path, rowsperstrip, memory):
    pixels = noise((300, 45, 3), "uint16")
    layout = {"compression": "zlib", "rowsperstrip": rowsperstrip}
    source = written(tmp_path / "a.tif", pixels, **layout)
    for model in (dummies.Fours(), dummies.Luma(3)):
        assert_same(model, source, memory=memory)


@pytest.mark.parametrize("scale", [2, 4])
def test_a_network_that_streams(tmp_path, scale):
    pytest.importorskip("torch")
    source = written(tmp_path / "a.tif", noise((150, 40, 3)), **STRIPS)
    network = srkit.load("espcn", scale=scale)
    assert network.streams
    by_rows, whole = both(network, source)
    # Kernels of the CPU are picked by shape: DESIGN.md allows one level in 1e-5 of values.
    apart = np.abs(by_rows.pixels.astype(int) - whole.pixels)
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= max(1, 1e-5 * apart.size)


def test_strips_that_run_out_of_memory_go_on_as_tiles(tmp_path):
    class Failing(dummies.Streaming):
        def run_rows(self, strips):
            made = super().run_rows(strips)
            for _ in range(9):
                yield next(made)
            raise MemoryError

    assert_same(Failing(), written(tmp_path / "a.tif", noise((200, 33, 3))))


def test_self_ensemble_goes_by_tiles(tmp_path):
    source = written(tmp_path / "a.tif", noise((70, 20)))
    dummies.Streaming().upscale_file(source, tmp_path / "b.tif", self_ensemble=True)
    whole = dummies.Streaming().upscale(source, self_ensemble=True).pixels
    np.testing.assert_array_equal(srkit.read_image(tmp_path / "b.tif").pixels, whole)


def test_metadata_is_that_of_reading_it_whole(tmp_path):
    exif = PILImage.Exif()
    exif[0x010F], exif[0x0131] = "Maker", "A scanner"
    exif.get_ifd(0x8769)[0xA002] = 20
    image = srkit.Image(
        noise((30, 20, 3)),
        Metadata("RGB", icc=b"profile" * 20, exif=exif.tobytes(), xmp=b"<x/>", dpi=(300.0, 150.0)),
    )
    image.save(tmp_path / "a.tif")
    by_rows, whole = both(dummies.Nearest(), tmp_path / "a.tif")
    assert by_rows.metadata == whole.metadata
    assert by_rows.metadata.icc == b"profile" * 20
    assert by_rows.metadata.dpi == (300, 150)


def test_progress_reaches_all_pixels(tmp_path):
    seen = []
    source = written(tmp_path / "a.tif", noise((600, 20)))
    dummies.Blur().upscale_file(
        source, tmp_path / "b.tif", progress=lambda done, pixels: seen.append((done, pixels))
    )
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == (600 * 20, 600 * 20)


def test_large_results_become_bigtiff(tmp_path, monkeypatch):
    # Nothing of 4 GB is written: the writer is only asked what it would state.
    stated = {}
    monkeypatch.setattr(tifffile, "imwrite", lambda *_, **options: stated.update(options))
    for height in (2**14, 2**17):
        metadata = Metadata("L")
        tiff_writing.write_rows(None, iter(()), metadata, (height, 2**15), np.dtype("uint8"))
        assert stated["bigtiff"] is (height == 2**17)


def turned(path):
    written(path, noise((20, 10)), extratags=[(274, 3, 1, 6, True)])


def transparent(path):
    written(path, noise((20, 10, 4)), extrasamples=["unassalpha"])


def cmyk(path):
    written(path, noise((20, 10, 4)), photometric="separated")


def jpeg(path):
    PILImage.fromarray(noise((32, 32, 3))).save(path, compression="jpeg")


def webp(path):
    PILImage.fromarray(noise((20, 10))).save(path, "WEBP")


@pytest.mark.parametrize("make", [turned, transparent, cmyk, jpeg, webp])
def test_what_is_not_done_by_rows_is_refused_and_says_so(tmp_path, make):
    make(tmp_path / "a.tif")
    with pytest.raises(NotByRowsError, match=r"a\.tif.*whole"):
        dummies.Blur().upscale_file(tmp_path / "a.tif", tmp_path / "b.tif")
    assert not (tmp_path / "b.tif").exists()


def test_models_and_formats_that_need_it_whole_are_refused(tmp_path):
    class Projecting(dummies.Nearest):
        def refine(self, made, given, top):
            pass

    source = written(tmp_path / "a.tif", noise((20, 10)))
    with pytest.raises(NotByRowsError, match="whole pictures"):
        Projecting().upscale_file(source, tmp_path / "b.tif")
    with pytest.raises(NotByRowsError, match="only TIFF, PNG and Zarr"):
        dummies.Blur().upscale_file(source, tmp_path / "b.jpg")


def test_little_memory_is_refused_with_the_least(tmp_path):
    source = written(tmp_path / "a.tif", noise((500, 50)), compression="zlib", rowsperstrip=500)
    with pytest.raises(OptionError, match="at least") as caught:
        dummies.Blur().upscale_file(source, tmp_path / "b.tif", memory=1000)
    least = int(str(caught.value).split("at least ")[1].split()[0])
    assert_same(dummies.Blur(), source, memory=least)


@pytest.mark.parametrize("layout", [{}, STRIPS])
def test_a_cut_file_is_refused(tmp_path, layout):
    source = written(tmp_path / "a.tif", noise((300, 50)), **layout)
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises((CorruptFileError, ImageError)):
        dummies.Blur().upscale_file(source, tmp_path / "b.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_broken_strip_midway_leaves_nothing_behind(tmp_path):
    source = written(tmp_path / "a.tif", noise((900, 50)), **STRIPS)
    with tifffile.TiffFile(source) as opened:
        at = opened.pages.first.dataoffsets[100]
    data = bytearray(source.read_bytes())
    data[at : at + 40] = bytes(40)
    source.write_bytes(data)
    seen = []
    with pytest.raises(CorruptFileError, match=r"a\.tif"):
        dummies.Streaming().upscale_file(
            source, tmp_path / "b.tif", progress=lambda done, _: seen.append(done)
        )
    assert seen  # rows had been written
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_floats_beyond_their_range_are_refused(tmp_path):
    pixels = noise((300, 20), "float32")
    pixels[250, 3] = 40
    source = written(tmp_path / "a.tif", pixels)
    with pytest.raises(ImageError, match="within"):
        dummies.Blur().upscale_file(source, tmp_path / "b.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    source = written(tmp_path / "a.tif", noise((300, 50)))
    (tmp_path / "b.tif").write_bytes(b"before")
    packed, done = tiff_writing._packed, []

    def full(strip):
        done.append(strip)
        if len(done) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return packed(strip)

    monkeypatch.setattr(tiff_writing, "_packed", full)
    monkeypatch.setattr(tiff_writing, "rows_per_strip", lambda *_: 16)
    with pytest.raises(OSError, match="No space"):
        dummies.Blur().upscale_file(source, tmp_path / "b.tif")
    assert (tmp_path / "b.tif").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]


def upscale(*arguments):
    return main(["upscale", "-m", "bicubic", "--scale", "2", *map(str, arguments)])


def test_the_command_takes_large_files_by_rows_and_no_others(tmp_path, monkeypatch):
    seen = []
    opened = rows_tiff.TiffRows.open
    monkeypatch.setattr(rows_tiff.TiffRows, "open", lambda path: seen.append(path) or opened(path))
    source = written(tmp_path / "a.tif", noise((200, 100, 3)))
    assert upscale(source, "-o", tmp_path / "whole.tif") == 0
    assert not seen
    assert upscale(source, "-o", tmp_path / "many.tif", "--max-pixels=100") == 0
    assert upscale(source, "-o", tmp_path / "wide.tif", "--memory=290kB") == 0
    assert len(seen) == 2
    whole = srkit.read_image(tmp_path / "whole.tif").pixels
    for name in ("many.tif", "wide.tif"):
        np.testing.assert_array_equal(srkit.read_image(tmp_path / name).pixels, whole)


def test_the_command_keeps_existing_results(tmp_path, capsys):
    source = written(tmp_path / "a.tif", noise((20, 10)))
    (tmp_path / "b.tif").write_bytes(b"before")
    assert upscale(source, "-o", tmp_path / "b.tif", "--max-pixels=9") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "b.tif").read_bytes() == b"before"
    assert upscale(source, "-o", tmp_path / "b.tif", "--max-pixels=9", "--overwrite") == 0


def test_the_command_reads_whole_what_it_may(tmp_path, capsys):
    transparent(tmp_path / "a.tif")
    assert upscale(tmp_path / "a.tif", "-o", tmp_path / "b.tif", "--memory=1kB") == 1
    assert upscale(tmp_path / "a.tif", "-o", tmp_path / "b.tif", "--max-pixels=9") == 1
    assert "transparency" in (told := capsys.readouterr().err)
    assert "--max-pixels=200" in told
    assert upscale(tmp_path / "a.tif", "-o", tmp_path / "b.tif", "--max-pixels=200") == 0


def test_memory_does_not_grow_with_height(tmp_path):
    band = np.tile(np.arange(400, dtype=np.uint8), (500, 1))
    short = written(tmp_path / "short.tif", band, **STRIPS)
    # 2.4 MB, whose result takes 9.6 MB.
    tall = written(tmp_path / "tall.tif", np.tile(band, (12, 1)), **STRIPS)
    imports = "srkit.upscaling.by_rows, imagecodecs, tifffile, scipy.sparse, PIL.Image"
    grown = growth(short, tall, tmp_path / "made.tif", imports=imports, memory=4_000_000)
    assert grown < 4_000  # kB


def test_results_appear_through_a_temporary_name(tmp_path):
    during = []
    source = written(tmp_path / "a.tif", noise((20, 10)))
    target = tmp_path / "b.tif"
    dummies.Blur().upscale_file(source, target, progress=lambda *_: during.append(target.exists()))
    assert during == [False]
    assert target.exists()


# --- URLs -------------------------------------------------------------------------------------


def test_a_file_of_this_machine_may_be_named_by_its_url(tmp_path):
    source = written(tmp_path / "a b.tif", noise((7, 5, 3)))
    target = tmp_path / "c d.tif"
    dummies.Nearest().upscale_file(f"file://{source}", f"file://{target}")
    wanted = srkit.read_image(source).pixels.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(srkit.read_image(target).pixels, wanted)


def test_urls_of_other_places_are_refused_with_what_to_call(tmp_path):
    pytest.importorskip("fsspec", reason="needs pip install 'srkit[remote]'")
    source = written(tmp_path / "a.tif", noise((7, 5, 3)))
    for given in ((source, "memory://z.tif"), ("memory://z.tif", tmp_path / "b.tif")):
        with pytest.raises(
            NotByRowsError, match=r"memory://z.tif: .*upscale\(source\).save"
        ) as told:
            dummies.Nearest().upscale_file(*given)
        assert "file:" not in str(told.value)
    PILImage.fromarray(noise((7, 5, 3))).save(tmp_path / "a.jpg")
    with pytest.raises(NotByRowsError, match=r"read whole, by model.upscale\(source\).save\("):
        dummies.Nearest().upscale_file(tmp_path / "a.jpg", tmp_path / "b.tif")
