import os

import numpy as np
import pytest
import tifffile
import zarr
from distributed import Client
from exactness import EXACT
from skimage import data

import srkit
import srkit.dask
from srkit.errors import CorruptFileError, ImageError, NotByRowsError, OptionError

CAT = np.ascontiguousarray(data.cat()[:150, :130])


def store(path, pixels, chunks=(40, 50)):
    chunks = (*chunks, pixels.shape[2]) if pixels.ndim == 3 else chunks
    array = zarr.create_array(
        store=str(path), shape=pixels.shape, chunks=chunks, dtype=pixels.dtype
    )
    array[:] = pixels
    return path


def upscale(client, source, target, model="espcn", **options):
    options = {"scale": 2, "block": 32, **EXACT, **options}
    return srkit.dask.upscale_blocks(source, target, model, client=client, **options)


@pytest.mark.parametrize("kind", ["zarr", "ome.tif", "tif"])
@pytest.mark.parametrize("grey", [True, False])
def test_blocks_are_those_of_the_whole_picture(client, tmp_path, kind, grey):
    pixels = np.ascontiguousarray(CAT[..., 0]) if grey else CAT
    source = tmp_path / f"a.{kind}"
    if kind == "zarr":
        store(source, pixels)
    else:
        colours = "minisblack" if grey else "rgb"
        tiles = {"tile": (32, 48)} if kind == "ome.tif" else {"rowsperstrip": 7}
        tifffile.imwrite(source, pixels, photometric=colours, compression="zlib", **tiles)
    report = upscale(client, source, tmp_path / "b.zarr")
    made = zarr.open_array(tmp_path / "b.zarr", mode="r")
    whole = srkit.load("espcn", scale=2, **EXACT).upscale(pixels)
    assert np.array_equal(made[:], whole)
    assert made.chunks[:2] == (64, 64)
    assert (report.blocks, report.resumed, report.shape) == (25, 0, whole.shape)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([source.name, "b.zarr"])


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_depth_is_kept_and_a_network_with_a_wide_halo_agrees(client, tmp_path, dtype):
    pixels = CAT[:70, :90].astype(dtype) * 257 if dtype == np.uint16 else CAT[:70, :90] / 255
    pixels = pixels.astype(dtype)
    upscale(client, store(tmp_path / "a.zarr", pixels), tmp_path / "b.zarr", "srresnet", scale=4)
    made = zarr.open_array(tmp_path / "b.zarr", mode="r")
    whole = srkit.load("srresnet", scale=4, **EXACT).upscale(pixels)
    assert made.dtype == dtype
    difference = np.abs(made[:].astype(np.float64) - whole)
    bound = 1e-5 if dtype == np.float32 else 1
    assert difference.max() <= bound


def test_black_blocks_are_done_too(client, tmp_path):
    store(tmp_path / "a.zarr", np.zeros((64, 64), np.uint8))
    upscale(client, tmp_path / "a.zarr", tmp_path / "b.zarr")
    assert len(chunk_times(tmp_path / "b.zarr")) == 4


def chunk_times(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in (folder / "c").rglob("*")
        if path.is_file()
    }


def interrupted(client, source, target, after=6, **options):
    """Work that is stopped when some blocks are done."""

    def stop(done, total):
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale(client, source, target, progress=stop, **options)
    return target.with_name(f".{target.name}.srkit")


def test_blocks_that_are_there_are_not_computed_again(client, tmp_path):
    source, target = store(tmp_path / "a.zarr", CAT), tmp_path / "b.zarr"
    folder = interrupted(client, source, target)
    assert not target.exists()
    before = chunk_times(folder)
    assert 6 <= len(before) < 25
    report = upscale(client, source, target)
    after = chunk_times(target)
    assert report.resumed >= len(before)
    assert {name: after[name] for name in before} == before
    whole = srkit.load("espcn", scale=2, **EXACT).upscale(CAT)
    assert np.array_equal(zarr.open_array(target, mode="r")[:], whole)


def test_unfinished_work_of_other_settings_is_refused_until_told_to_start_afresh(client, tmp_path):
    source, target = store(tmp_path / "a.zarr", CAT), tmp_path / "b.zarr"
    interrupted(client, source, target)
    with pytest.raises(OptionError, match=r"differs in self_ensemble.*resume=False"):
        upscale(client, source, target, self_ensemble=True)
    with pytest.raises(OptionError, match="differs in model"):
        srkit.dask.upscale_blocks(source, target, "bicubic", scale=2, block=32, client=client)
    os.utime(source / "zarr.json", ns=(1, 1))
    with pytest.raises(OptionError, match="differs in source"):
        upscale(client, source, target)
    assert not target.exists()
    assert upscale(client, source, target, resume=False).resumed == 0


def test_a_result_that_exists_is_kept_until_told(client, tmp_path):
    source, target = store(tmp_path / "a.zarr", CAT), store(tmp_path / "b.zarr", CAT[:9, :9])
    with pytest.raises(OptionError, match="exists; pass overwrite=True"):
        upscale(client, source, target)
    assert zarr.open_array(target, mode="r").shape == (9, 9, 3)
    upscale(client, source, target, overwrite=True)
    assert zarr.open_array(target, mode="r").shape == (300, 260, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_damage_is_told_and_leaves_no_result(client, tmp_path):
    source = store(tmp_path / "a.zarr", CAT)
    (source / "c" / "1" / "1" / "0").write_bytes(b"damage")
    with pytest.raises(CorruptFileError, match="truncated or damaged"):
        upscale(client, source, tmp_path / "b.zarr", retries=0)
    assert not (tmp_path / "b.zarr").exists()


@pytest.mark.parametrize(
    ("name", "options", "error", "told"),
    [
        ("b.tif", {}, OptionError, "name a .zarr folder"),
        ("nowhere/b.zarr", {}, FileNotFoundError, "nowhere"),
        ("a.zarr", {"overwrite": True}, OptionError, "would replace its source"),
        ("b.zarr", {"block": 0}, OptionError, "block is a whole number"),
        ("b.zarr", {"model": "unet", "scale": 4}, OptionError, "in every direction"),
        ("b.zarr", {"scale": 7}, OptionError, "exists for"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    client, tmp_path, name, options, error, told
):
    store(tmp_path / "a.zarr", CAT)
    with pytest.raises(error, match=told):
        upscale(client, tmp_path / "a.zarr", tmp_path / name, **options)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_pictures_that_are_not_for_blocks(client, tmp_path):
    rgba = store(tmp_path / "rgba.zarr", np.zeros((9, 9, 4), np.uint8))
    with pytest.raises(NotByRowsError, match="transparency"):
        upscale(client, rgba, tmp_path / "b.zarr")
    srkit.Image(CAT).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="only Zarr and TIFF"):
        upscale(client, tmp_path / "a.png", tmp_path / "b.zarr")
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((5, 40, 40), np.uint8))
    with pytest.raises(ImageError, match="axes"):
        upscale(client, tmp_path / "stack.ome.tif", tmp_path / "b.zarr")
    with pytest.raises(FileNotFoundError):
        upscale(client, tmp_path / "lost.zarr", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()


def test_black_blocks_are_written_whatever_other_threads_set(tmp_path, monkeypatch):
    """A thread that ends its own settings of zarr sets back those of all."""
    opened = zarr.open_array

    def set_back(*args, **options):
        zarr.config.set({"array.write_empty_chunks": False})
        return opened(*args, **options)

    monkeypatch.setattr(zarr, "open_array", set_back)
    srkit.Image(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "black.tif")
    with Client(processes=False, dashboard_address=":0") as threads:
        report = upscale(threads, tmp_path / "black.tif", tmp_path / "black.zarr", "bicubic")
    assert report.blocks == 4
    assert not zarr.open_array(tmp_path / "black.zarr", mode="r")[:].any()
