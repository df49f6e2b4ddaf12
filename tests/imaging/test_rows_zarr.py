"""Zarr stores: read and written whole, and by rows, alone and with TIFF."""

import json
import sys

import dummies
import numpy as np
import pytest
import tifffile
from growth import growth
from images import noise

import srkit
from srkit.cli import main
from srkit.errors import (
    CorruptFileError,
    ImageError,
    ImageTooLargeError,
    NotByRowsError,
    OptionError,
    UnsafeFileError,
)
from srkit.imaging.files import zarr as zarrs
from srkit.imaging.files import zarr_writing
from srkit.imaging.metadata import Metadata

zarr = pytest.importorskip("zarr")

LAYOUTS = {
    "version 2": {"zarr_format": 2},
    "version 3": {"zarr_format": 3},
    "unpacked": {"compressors": None},
    "version 2, big-endian": {"zarr_format": 2, "dtype": ">u2"},
    "a chunk of all": {"chunks": (171, 53)},
    "shards": {"shards": (57, 106)},
}


def stored(path, pixels, **layout):
    chunks = (19, 53, *pixels.shape[2:])
    layout = {"shape": pixels.shape, "chunks": chunks, "dtype": pixels.dtype, **layout}
    array = zarr.create_array(store=path, **layout)
    array[:] = pixels
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_same(upscaler, pixels, target, **options):
    source = target.parent / "a.zarr"
    upscaler.upscale_file(source, target, **options)
    wanted = upscaler.upscale(pixels)
    made = zarr.open_array(target)[:] if target.suffix == ".zarr" else tifffile.imread(target)
    assert made.dtype == wanted.dtype
    np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("suffix", [".zarr", ".tif"])
def test_every_layout_gives_the_pixels_of_upscaling_the_array(tmp_path, layout, suffix):
    pixels = noise((171, 53), "uint16")
    stored(tmp_path / "a.zarr", pixels, **layout)
    assert_same(dummies.Blur(), pixels, tmp_path / f"b{suffix}")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("model", [dummies.Streaming, dummies.Luma, dummies.Fours])
def test_colour_of_every_depth_and_kind_of_model(tmp_path, dtype, model):
    pixels = noise((130, 60, 3), dtype)
    stored(tmp_path / "a.zarr", pixels)
    assert_same(model(), pixels, tmp_path / "b.zarr", memory=10**6)


def test_one_channel_is_grey(tmp_path):
    pixels = noise((70, 60, 1), "uint16")
    stored(tmp_path / "a.zarr", pixels)
    assert_same(dummies.Blur(), pixels[..., 0], tmp_path / "b.zarr")
    np.testing.assert_array_equal(srkit.read_image(tmp_path / "a.zarr").pixels, pixels[..., 0])


def test_tiff_becomes_zarr(tmp_path):
    pixels = noise((300, 40, 3), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", rowsperstrip=7)
    dummies.Blur().upscale_file(tmp_path / "a.tif", tmp_path / "b.zarr")
    made = zarr.open_array(tmp_path / "b.zarr")
    np.testing.assert_array_equal(made[:], dummies.Blur().upscale(pixels))


def test_chunks_are_the_strips(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_writing, "_STRIP_BYTES", 120 * 2 * 50)
    stored(tmp_path / "a.zarr", noise((171, 60), "uint16"))
    dummies.Blur().upscale_file(tmp_path / "a.zarr", tmp_path / "b.zarr")
    assert zarr.open_array(tmp_path / "b.zarr").chunks == (50, 120)


def test_files_are_read_and_saved_whole_as_well(tmp_path):
    pixels = noise((30, 20, 4), "uint8")
    srkit.Image(pixels).save(tmp_path / "a.zarr")
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr")[:], pixels)
    image = srkit.read_image(tmp_path / "a.zarr")
    assert image.metadata.mode == "RGBA"
    np.testing.assert_array_equal(image.pixels, pixels)
    with pytest.raises(ImageError, match="grey with an alpha channel"):
        srkit.Image(pixels[..., :2]).save(tmp_path / "b.zarr")
    assert names(tmp_path) == ["a.zarr"]


def test_what_is_lost_is_told(tmp_path, caplog):
    metadata = Metadata("L", dpi=(300.0, 300.0))
    srkit.Image(noise((3, 4), "uint16"), metadata).save(tmp_path / "a.zarr")
    assert "resolution" in caplog.text


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (4, 5, 5), (1, 4, 5, 3), (0, 5)])
def test_other_dimensions_are_refused(tmp_path, shape):
    zarr.create_array(store=tmp_path / "a.zarr", shape=shape, dtype="uint8")
    for use in (srkit.read_image, lambda path: dummies.Blur().upscale_file(path, path)):
        with pytest.raises(ImageError, match=r"a\.zarr: .*\(") as caught:
            use(tmp_path / "a.zarr")
        assert str(shape) in str(caught.value)


@pytest.mark.parametrize("dtype", ["int16", "bool", "uint32", "complex64"])
def test_other_dtypes_are_refused(tmp_path, dtype):
    zarr.create_array(store=tmp_path / "a.zarr", shape=(4, 5), dtype=dtype)
    with pytest.raises(ImageError, match=rf"a\.zarr: .*{dtype}"):
        srkit.read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", [2, 3])
def test_a_group_names_the_array_inside_which_can_be_read(tmp_path, version):
    group = zarr.create_group(store=tmp_path / "a.zarr", zarr_format=version)
    level = group.create_group("images").create_array("0", shape=(4, 5), dtype="uint8")
    level[:] = 7
    with pytest.raises(ImageError, match="Zarr group") as caught:
        srkit.read_image(tmp_path / "a.zarr")
    named = str(caught.value).split("such as ")[1]
    assert named == str(tmp_path / "a.zarr" / "images" / "0")
    assert (srkit.read_image(named).pixels == 7).all()
    dummies.Nearest().upscale_file(named, tmp_path / "b.zarr")
    assert (zarr.open_array(tmp_path / "b.zarr")[:] == np.full((8, 10), 7)).all()


@pytest.mark.parametrize("version", [2, 3])
def test_a_truncated_chunk_midway_leaves_nothing_behind(tmp_path, version):
    source = stored(tmp_path / "a.zarr", noise((900, 50), "uint16"), zarr_format=version)
    chunk = source / ("30.0" if version == 2 else "c/30/0")
    chunk.write_bytes(chunk.read_bytes()[:-100])
    seen = []
    with pytest.raises(CorruptFileError, match=r"a\.zarr"):
        dummies.Streaming().upscale_file(
            source, tmp_path / "b.zarr", progress=lambda done, _: seen.append(done)
        )
    assert seen  # chunks had been written
    assert names(tmp_path) == ["a.zarr"]
    with pytest.raises(CorruptFileError, match=r"a\.zarr"):
        srkit.read_image(source)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"zarr_format": 3, "node_type": "array"}'])
def test_damaged_statements_are_refused(tmp_path, damage):
    source = stored(tmp_path / "a.zarr", noise((20, 50), "uint16"))
    (source / "zarr.json").write_text(damage)
    with pytest.raises((CorruptFileError, ImageError), match=r"a\.zarr"):
        srkit.read_image(source)
    (source / "zarr.json").unlink()
    with pytest.raises(CorruptFileError, match="no Zarr array"):
        dummies.Blur().upscale_file(source, tmp_path / "b.zarr")
    assert names(tmp_path) == ["a.zarr"]


def test_pickles_are_not_loaded(tmp_path):
    source = stored(tmp_path / "a.zarr", noise((20, 50), "uint16"), zarr_format=2)
    stated = json.loads((source / ".zarray").read_text())
    (source / ".zarray").write_text(json.dumps({**stated, "filters": [{"id": "pickle"}]}))
    with pytest.raises(UnsafeFileError, match="pickle"):
        srkit.read_image(source)


def test_codecs_inside_shards_are_looked_at(tmp_path):
    source = stored(tmp_path / "a.zarr", noise((38, 106), "uint16"), shards=(38, 106))
    stated = json.loads((source / "zarr.json").read_text())
    stated["codecs"][0]["configuration"]["codecs"].append({"name": "mine"})
    (source / "zarr.json").write_text(json.dumps(stated))
    with pytest.raises(UnsafeFileError, match="mine"):
        srkit.read_image(source)


def test_transparency_is_for_reading_whole(tmp_path):
    source = stored(tmp_path / "a.zarr", noise((20, 50, 4), "uint16"))
    with pytest.raises(NotByRowsError, match="transparency"):
        dummies.Blur().upscale_file(source, tmp_path / "b.zarr")


def test_chunks_too_large_for_memory_are_refused_with_the_least(tmp_path):
    source = stored(tmp_path / "a.zarr", noise((500, 50), "uint16"), chunks=(500, 50))
    with pytest.raises(OptionError, match="at least"):
        dummies.Blur().upscale_file(source, tmp_path / "b.zarr", memory=1000)


def upscale(*arguments):
    return main(["upscale", "-m", "nearest", "--scale", "2", *map(str, arguments)])


def test_the_command_reads_by_rows_what_has_too_many_pixels(tmp_path, monkeypatch, capsys):
    pixels, opened, seen = noise((60, 50, 3), "uint16"), zarrs.ZarrRows.open, []
    monkeypatch.setattr(zarrs.ZarrRows, "open", lambda path: seen.append(path) or opened(path))
    source = stored(tmp_path / "a.zarr", pixels)
    assert upscale(source, "-o", tmp_path / "whole.zarr") == 0
    assert not seen
    assert upscale(source, "-o", tmp_path / "rows.zarr", "--max-pixels=2999") == 0
    assert seen == [source]
    wanted = pixels.repeat(2, axis=0).repeat(2, axis=1)
    for name in ("whole.zarr", "rows.zarr"):
        np.testing.assert_array_equal(zarr.open_array(tmp_path / name)[:], wanted)
    with pytest.raises(ImageTooLargeError):
        srkit.read_image(source, max_pixels=2999)
    assert upscale(source, "-o", tmp_path / "a.jpg", "--max-pixels=2999") == 1
    assert "more than the limit of 2999" in capsys.readouterr().err


def test_the_command_guards_transparency_by_max_pixels(tmp_path, capsys):
    source = stored(tmp_path / "a.zarr", noise((60, 50, 4), "uint16"))
    assert upscale(source, "-o", tmp_path / "b.zarr", "--max-pixels=2999") == 1
    assert "--max-pixels=3000" in capsys.readouterr().err
    assert names(tmp_path) == ["a.zarr"]
    assert upscale(source, "-o", tmp_path / "b.zarr", "--max-pixels=3000") == 0


def test_the_command_finds_stores_in_folders(tmp_path):
    stored(tmp_path / "in" / "a.zarr", noise((6, 5), "uint16"))
    stored(tmp_path / "in" / "deep" / "b.zarr", noise((6, 5), "uint16"), zarr_format=2)
    assert upscale(tmp_path / "in", "-o", tmp_path / "out") == 0
    assert zarr.open_array(tmp_path / "out" / "a_nearest_x2.zarr").shape == (12, 10)
    assert zarr.open_array(tmp_path / "out" / "deep" / "b_nearest_x2.zarr").shape == (12, 10)
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_existing_stores_are_kept_or_replaced_as_told(tmp_path, capsys):
    source = stored(tmp_path / "a.zarr", noise((60, 50), "uint16"))
    kept = stored(tmp_path / "b.zarr", noise((3, 4), "uint8"), zarr_format=2)
    assert upscale(source, "-o", kept) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert zarr.open_array(kept).shape == (3, 4)
    for options in ([], ["--max-pixels=9"]):
        assert upscale(source, "-o", kept, "--overwrite", *options) == 0
        assert zarr.open_array(kept).shape == (120, 100)
        assert not (kept / ".zarray").exists()
    assert names(tmp_path) == ["a.zarr", "b.zarr"]


def test_a_folder_that_is_no_store_is_never_replaced(tmp_path):
    source = stored(tmp_path / "a.zarr", noise((60, 50), "uint16"))
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "letters.txt").write_text("dear")
    for options in ([], ["--max-pixels=9"]):
        assert upscale(source, "-o", tmp_path / "b.zarr", "--overwrite", *options) == 1
    with pytest.raises(ImageError, match="no Zarr store"):
        srkit.Image(noise((3, 4), "uint16")).save(tmp_path / "b.zarr")
    assert (tmp_path / "b.zarr" / "letters.txt").read_text() == "dear"


def test_a_failure_keeps_the_store_that_was_there(tmp_path):
    class Failing(dummies.Streaming):
        def run_rows(self, strips):
            made = super().run_rows(strips)
            for _ in range(5):
                yield next(made)
            raise RuntimeError("in the middle")

    source = stored(tmp_path / "a.zarr", noise((900, 50), "uint16"))
    kept = stored(tmp_path / "b.zarr", noise((3, 4), "uint16"))
    with pytest.raises(RuntimeError, match="in the middle"):
        Failing().upscale_file(source, kept)
    assert zarr.open_array(kept).shape == (3, 4)
    assert names(tmp_path) == ["a.zarr", "b.zarr"]


def test_without_zarr_the_install_line_is_told(tmp_path, monkeypatch):
    source = stored(tmp_path / "a.zarr", noise((6, 5), "uint16"))
    monkeypatch.setitem(sys.modules, "zarr", None)
    for use in (srkit.read_image, srkit.Image(noise((3, 4), "uint16")).save):
        with pytest.raises(srkit.MissingDependencyError, match=r"srkit\[zarr\]"):
            use(source)


def test_memory_does_not_grow_with_height(tmp_path):
    band = np.tile(np.arange(1000, dtype=np.uint8), (500, 1))
    short = stored(tmp_path / "short.zarr", np.tile(band, (4, 1)), chunks=(100, 1000))
    # 24 MB, whose result takes 96 MB.
    tall = stored(tmp_path / "tall.zarr", np.tile(band, (48, 1)), chunks=(100, 1000))
    imports = "zarr, PIL.Image"
    grown = growth(short, tall, tmp_path / "made.zarr", imports=imports, memory=6_000_000)
    assert grown < 12_000  # kB
