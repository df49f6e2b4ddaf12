"""Photos become aligned patches in files, once."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from images import saved
from short_runs import snapshot
from skimage import data

pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from srkit import OptionError, imresize
from srkit.training.data.photos import (
    Patches,
    find_photos,
    fingerprint,
    pack,
    split,
    spread,
)

SIDE = 240
PATCH_BYTES = SIDE * SIDE * 3


def stripes(height: int) -> np.ndarray:
    """A patch whose neighbouring rows differ by `height` grey levels everywhere."""
    rows = np.where(np.arange(SIDE) % 2, height, 0).astype(np.uint8)
    return np.tile(rows[:, None, None], (1, SIDE, 3))


# --- patches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_patches_are_pieces_of_the_photo_and_of_its_bicubic_lr(tmp_path, scale):
    photo = data.astronaut()[:480, :240]
    patches = pack([saved(tmp_path / "a.png", photo)], tmp_path / "cache", scale)
    np.testing.assert_array_equal(patches.hr, photo.reshape(2, SIDE, SIDE, 3))
    # Of the whole photo: where patches meet, LR knows both sides.
    small = SIDE // scale
    lr = imresize(photo, 1 / scale)
    np.testing.assert_array_equal(patches.lr, lr.reshape(2, small, small, 3))


def test_patches_cover_a_photo_of_any_size(tmp_path):
    photo = data.astronaut()[:502, :301]
    patches = pack([saved(tmp_path / "a.png", photo)], tmp_path / "cache", 4)
    lr = imresize(photo[:500, :300], 1 / 4)
    # 125 LR pixels are covered by patches of 60 that begin at 0, 32 and 65; 75 at 0 and 15.
    places = [(y, x) for y in (0, 32, 65) for x in (0, 15)]
    assert len(patches.hr) == len(places)
    for (y, x), hr, small in zip(places, patches.hr, patches.lr, strict=True):
        np.testing.assert_array_equal(hr, photo[4 * y : 4 * y + SIDE, 4 * x : 4 * x + SIDE])
        np.testing.assert_array_equal(small, lr[y : y + 60, x : x + 60])


def test_what_a_small_photo_lacks_is_mirrored(tmp_path):
    photo = data.coffee()[:100, :120]
    patch = pack([saved(tmp_path / "a.png", photo)], tmp_path / "cache", 2).hr[0]
    np.testing.assert_array_equal(patch[:100, :120], photo)
    np.testing.assert_array_equal(patch[100:200, :120], photo[::-1])
    np.testing.assert_array_equal(patch[:100, 120:], photo[:, ::-1])
    np.testing.assert_array_equal(patch[200:, :120], photo[:40])


def test_photos_of_every_kind_become_8_bit_rgb(tmp_path):
    grey = data.camera()[:SIDE, :SIDE]
    opaque = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    paths = [
        saved(tmp_path / "grey.png", grey),
        saved(tmp_path / "deep.png", grey.astype(np.uint16) * 257),
        saved(tmp_path / "opaque.png", opaque),
    ]
    wanted = np.repeat(grey[..., None], 3, axis=2)
    for patch in pack(paths, tmp_path / "cache", 4).hr:
        np.testing.assert_array_equal(patch, wanted)


def test_detail_is_the_mean_step_between_neighbours_along_both_axes(tmp_path):
    turned = np.rot90(stripes(10)).copy()
    pictures = [stripes(0), stripes(10), turned, stripes(200)]
    paths = [saved(tmp_path / f"{n}.png", picture) for n, picture in enumerate(pictures)]
    assert pack(paths, tmp_path / "cache", 4).detail.tolist() == [0, 5, 5, 100]


def test_with_a_limit_the_patches_with_most_detail_are_kept_in_their_order(tmp_path):
    top = np.hstack([stripes(0), stripes(4)])
    photo = np.vstack([top, np.hstack([stripes(20), stripes(8)])])
    paths = [saved(tmp_path / f"{n}.png", photo) for n in range(2)]
    patches = pack(paths, tmp_path / "cache", 4, limit=5 * PATCH_BYTES)
    assert patches.detail.tolist() == [10, 4, 10, 4]
    np.testing.assert_array_equal(patches.hr[1], stripes(8))
    np.testing.assert_array_equal(patches.lr[1], imresize(photo, 1 / 4)[60:, 60:])


# --- what cannot be used ----------------------------------------------------------------------


def test_broken_and_tiny_photos_are_skipped_with_a_warning_and_counted(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    tiny = saved(tmp_path / "tiny.png", np.zeros((47, 300, 3), np.uint8))
    given = [broken, photos / "coffee.png", tiny]
    patches = pack(given, tmp_path / "cache", 4)
    assert len(patches.hr) == len(patches.lr) == len(patches.detail) == 1
    assert "broken.jpg" in caplog.text
    assert "tiny.png: it is smaller than 48 pixels a side" in caplog.text
    # Whoever comes later hears of it, too.
    caplog.clear()
    pack(given, tmp_path / "cache", 4)
    assert "photos that were skipped: 2" in caplog.text
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_photos_of_which_none_can_be_used_are_an_error(tmp_path):
    tiny = saved(tmp_path / "tiny.png", np.zeros((47, 300, 3), np.uint8))
    for _ in range(2):
        with pytest.raises(OptionError, match="none of 1 photos can be used"):
            pack([tiny], tmp_path / "cache", 4)


# --- the cache --------------------------------------------------------------------------------


def test_a_second_call_uses_the_files_of_the_first(photos: Path, tmp_path: Path) -> None:
    first = pack(find_photos(photos), tmp_path, 4)
    before = snapshot(tmp_path)
    second = pack(find_photos(photos), tmp_path, 4)
    assert snapshot(tmp_path) == before
    np.testing.assert_array_equal(second.hr, first.hr)


def test_a_changed_photo_is_decoded_again(tmp_path):
    path = saved(tmp_path / "a.png", stripes(3))
    assert pack([path], tmp_path / "cache", 4).detail.tolist() == [1.5]
    saved(path, stripes(30))
    assert pack([path], tmp_path / "cache", 4).detail.tolist() == [15]


def test_a_cache_that_was_not_finished_is_written_anew(photos: Path, tmp_path: Path) -> None:
    wanted = np.array(pack(find_photos(photos), tmp_path, 4).hr)
    contents = {name: content for name, (_, content) in snapshot(tmp_path).items()}
    (index,) = tmp_path.rglob("index.json")
    index.unlink()
    (index.parent / "hr.u8").write_bytes(b"half of")
    np.testing.assert_array_equal(pack(find_photos(photos), tmp_path, 4).hr, wanted)
    assert {name: content for name, (_, content) in snapshot(tmp_path).items()} == contents


def test_decoding_that_is_stopped_leaves_nothing(photos: Path, tmp_path: Path, monkeypatch) -> None:
    def stopped(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("srkit.training.data.photos.decode", stopped)
    with pytest.raises(KeyboardInterrupt):
        pack(find_photos(photos), tmp_path, 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_decode_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    caches = [tmp_path / "alone", tmp_path / "helped"]
    for workers, folder in zip((0, 2), caches, strict=True):
        pack(find_photos(photos), folder, 3, workers=workers)
    alone, helped = ({k: v for k, (_, v) in snapshot(c).items()} for c in caches)
    assert len(alone) == 3
    assert alone == helped


def test_another_process_opens_the_files_and_gets_no_copy(photos: Path, tmp_path: Path) -> None:
    patches = pack(find_photos(photos), tmp_path, 4)
    pickled = pickle.dumps(patches)
    assert len(pickled) < 1000 < patches.hr.nbytes
    np.testing.assert_array_equal(pickle.loads(pickled).hr, patches.hr)


def test_of_too_many_photos_an_even_part_is_used(tmp_path, caplog):
    paths = [saved(tmp_path / f"{n}.png", stripes(2 * n)) for n in range(5)]
    patches = pack(paths, tmp_path / "cache", 4, limit=2 * PATCH_BYTES)
    assert patches.detail.tolist() == [0, 2]
    assert "of 5 photos 2 are used" in caplog.text


def test_floats_beyond_their_range_are_skipped(tmp_path, caplog):
    good = saved(tmp_path / "good.png", stripes(2))
    bright = np.full((SIDE, SIDE, 3), 300, np.float32)
    tifffile.imwrite(tmp_path / "bad.tif", bright, photometric="rgb")
    assert pack([good, tmp_path / "bad.tif"], tmp_path / "cache", 4).detail.tolist() == [1]
    assert "bad.tif" in caplog.text


# --- folders ----------------------------------------------------------------------------------


def test_photos_are_found_at_any_depth_and_nothing_else(tmp_path):
    for name in ("b.PNG", "a/c.jpg", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_photos(tmp_path) == [tmp_path / "a" / "c.jpg", tmp_path / "b.PNG"]


def test_a_folder_of_one_photo_is_an_error(tmp_path):
    (tmp_path / "one.png").touch()
    with pytest.raises(OptionError, match="holds 1 photos; training needs two"):
        find_photos(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(OptionError, match="there is no folder"):
        find_photos(tmp_path / "none")


@pytest.mark.parametrize(("count", "asked", "held"), [(2, 9, 1), (5, 1, 1), (10, 3, 3), (9, 9, 4)])
def test_no_photo_is_both_trained_and_checked_on(count, asked, held):
    photos = [Path(f"{n:02}.png") for n in range(count)]
    kept, checked = split(photos, asked)
    assert len(checked) == held
    assert sorted(kept + checked) == photos


def test_checks_take_distinct_patches_with_detail_above_the_median():
    detail = np.array([5.0, 1, 9, 2, 8, 3])
    patches = Patches(np.zeros(6), np.zeros(6), detail)
    assert list(spread(patches, 2)) == [0, 2]
    assert list(spread(patches, 24)) == [0, 2, 4]


# --- which photos -----------------------------------------------------------------------------


def test_a_photo_that_is_a_folder_is_known_by_the_files_in_it(tmp_path):
    zarr = tmp_path / "a.zarr"
    (zarr / "0").mkdir(parents=True)
    (zarr / "zarr.json").write_text("{}")
    (zarr / "0" / "0.0").write_bytes(b"pixels")
    first = fingerprint([zarr])
    moved = tmp_path / "elsewhere" / "a.zarr"
    moved.parent.mkdir()
    zarr.rename(moved)
    assert fingerprint([moved]) == first
    (moved / "0" / "0.0").write_bytes(b"others")
    second = fingerprint([moved])
    (moved / "0" / "0.0").rename(moved / "0" / "0.1")
    assert len({first, second, fingerprint([moved])}) == 3


def test_a_photo_that_cannot_be_opened_is_known_by_its_name(tmp_path):
    gone, other = tmp_path / "gone.png", tmp_path / "other.png"
    assert fingerprint([gone]) == fingerprint([gone]) != fingerprint([other])
