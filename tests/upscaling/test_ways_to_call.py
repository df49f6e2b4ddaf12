"""`model(image)`, lists of images, and memory as people write it."""

import sys
from pathlib import Path

import dummies
import numpy as np
import pytest
from PIL import Image as PILImage

import srkit
from srkit import ImageError, OptionError
from srkit.batch.work import Request
from srkit.memory import byte_count
from srkit.progress import Meter
from srkit.upscaling import passes


def doubled(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


RNG = np.random.default_rng(28)
GREY = RNG.integers(0, 256, (4, 6), np.uint8)
COLOUR = RNG.integers(0, 65536, (5, 3, 3), np.uint16)


# --- calls and lists ----------------------------------------------------------------------


def test_a_model_is_called_as_upscale_is():
    model = dummies.Nearest()
    np.testing.assert_array_equal(model(GREY), doubled(GREY))
    assert model(COLOUR, size=(7, 5)).shape == (7, 5, 3)
    with pytest.raises(TypeError, match="sizes"):
        model(COLOUR, sizes=(7, 5))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"progess": True}, r"upscale has no option 'progess'; did you mean 'progress'\?"),
        ({"scale": 3}, r"loaded for x2: srkit.load\(..., scale=...\) .* size=\(height, width\)"),
        ({"denoise": 1}, "no option 'denoise'; it is given to srkit.load"),
        ({"foo": 1}, "no option 'foo'; it has consistent, memory, progress, self_ensemble, size"),
    ],
)
def test_unknown_keywords_are_answered_with_what_was_meant(asked, told):
    model = dummies.Nearest()
    for call in (model, model.upscale):
        with pytest.raises(OptionError, match=told):
            call(GREY, **asked)
    np.testing.assert_array_equal(model.upscale(image=GREY), doubled(GREY))


def test_unknown_keywords_of_files_and_frames_are_refused_before_any_work(tmp_path):
    with pytest.raises(OptionError, match="upscale_file has no option 'size'; it has memory"):
        dummies.Nearest().upscale_file("in.tif", tmp_path / "out.tif", size=(9, 8))
    for model in (dummies.Nearest(), dummies.MeanOfThree()):
        with pytest.raises(OptionError, match="no option 'memry'; did you mean 'memory'"):
            model.upscale_frames([GREY], memry="1GB")
    assert not list(tmp_path.iterdir())


def test_a_loaded_model_is_taken_in_the_place_of_a_name():
    model = dummies.Nearest()
    np.testing.assert_array_equal(srkit.upscale(GREY, model), doubled(GREY))
    assert srkit.upscale(GREY, model, scale=2, size=(9, 8)).shape == (9, 8)
    with pytest.raises(OptionError, match="dummy was loaded for x2, not x4"):
        srkit.upscale(GREY, model, scale=4)
    with pytest.raises(OptionError, match=r"already: device= is given to srkit\.load"):
        srkit.upscale(GREY, model, device="cpu")
    with pytest.raises(OptionError, match=r"dummy x2, .*> is loaded already: it can"):
        srkit.load(model)


def test_options_left_out_are_not_passed_on():
    class Narrow(dummies.Nearest):
        def upscale(self, image, *, memory=None):
            return memory

    assert srkit.upscale(GREY, Narrow()) is None
    assert srkit.upscale(GREY, Narrow(), memory=0) == 0


def test_a_list_has_one_bar_for_all(capsys):
    model, told = dummies.Nearest(), []
    model.upscale([GREY, COLOUR, GREY], progress=True)
    bars = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()
    assert {bar.partition(":")[0] for bar in bars} == {"dummy x2, 3 images"}
    assert "100%" in bars[-1]
    assert "3.00/3.00" in bars[-1]
    model.upscale([GREY, COLOUR], progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {GREY.size, COLOUR[..., 0].size}
    model.upscale([GREY], size=GREY.shape, progress=True)  # the model is not run at all
    assert "100%" in capsys.readouterr().err
    model.upscale([], progress=True)
    assert not capsys.readouterr().err


def test_a_bar_counts_from_when_what_must_be_measured_is(capsys):
    class Slow(dummies.Nearest):
        @property
        def bytes_per_pixel(self):
            sys.stderr.write("measuring")
            return 256.0

    Slow().upscale(COLOUR, progress=True)
    before, _, after = capsys.readouterr().err.replace("\r", "\n").partition("measuring")
    assert "dummy x2, getting ready" in before
    assert "getting ready" not in after.rpartition("measuring")[2]
    assert "dummy x2: 100%" in after


def test_functions_are_told_of_pixels_and_not_that_work_begins():
    told = []
    with Meter(lambda done, total: told.append((done, total)), 3, "blur", preparing=True) as on:
        on(0)
        on(2)
        on(1)
    assert told == [(2, 3), (3, 3)]


def test_who_overrides_upscale_is_called():
    class Marked(dummies.Nearest):
        def upscale(self, image, **request):
            return "mine"

    assert Marked()(GREY) == "mine"


@pytest.mark.parametrize("kind", [list, tuple])
def test_of_a_list_each_image_becomes_what_it_becomes_alone(kind, tmp_path):
    path = tmp_path / "grey.png"
    PILImage.fromarray(GREY).save(path)
    given = kind([GREY, COLOUR, PILImage.fromarray(GREY), str(path), path])
    made = dummies.Nearest().upscale(given)
    assert type(made) is list
    assert [type(image) for image in made] == [
        np.ndarray, np.ndarray, PILImage.Image, srkit.Image, srkit.Image,
    ]  # fmt: skip
    for image in (made[0], made[2], made[3], made[4]):
        np.testing.assert_array_equal(np.asarray(image), doubled(GREY))
    np.testing.assert_array_equal(made[1], doubled(COLOUR))


def test_lists_go_through_srkit_upscale_and_options_hold_of_each():
    made = srkit.upscale([GREY, COLOUR], "nearest", scale=2, size=(9, 8))
    assert [image.shape for image in made] == [(9, 8), (9, 8, 3)]
    assert srkit.upscale([], "nearest") == []


def test_a_list_of_no_images_says_which_one():
    with pytest.raises(ImageError, match=r"^image 1 of the list: expected a numpy array.*NoneType"):
        dummies.Nearest().upscale([GREY, None])
    # Numbers in lists are no image, at any depth.
    with pytest.raises(ImageError, match=r"image 0 of the list: .*list; pass numpy.asarray"):
        dummies.Nearest().upscale([[0, 255], [255, 0]])


class Counting(dummies.Nearest):
    """Counts its runs."""

    def __init__(self):
        super().__init__()
        self.runs = 0

    def run(self, tiles):
        self.runs += 1
        return super().run(tiles)


@pytest.mark.parametrize(
    ("last", "error", "match"),
    [
        ("nofile.png", FileNotFoundError, r"nofile\.png"),
        (Path("no") / "file.png", FileNotFoundError, r"file\.png"),
        (GREY.astype(np.int32), ImageError, "image 2 of the list: .*int32"),
        (GREY.astype(">i4"), ImageError, "image 2 of the list: "),
        (np.zeros((4, 5, 7), np.uint8), ImageError, r"image 2 of the list: .*\(4, 5, 7\)"),
        (np.ma.masked_array(GREY), ImageError, "image 2 of the list: a masked array"),
        (7, ImageError, "image 2 of the list: expected a numpy array"),
    ],
)
def test_a_list_is_looked_at_before_its_first_image_is_upscaled(last, error, match):
    model = Counting()
    with pytest.raises(error, match=match):
        model([GREY, COLOUR, last])
    assert model.runs == 0
    assert len(model([GREY, COLOUR, GREY.astype(">u2")])) == 3


@pytest.mark.parametrize(
    ("pictures", "options"),
    [
        (np.zeros((2, 2, 3), np.uint8), {"size": (1 << 20, 1 << 20)}),  # 3.3 TB
        (np.zeros((2, 2), np.float64), {"size": (2_000_000, 2)}),
        (np.zeros((9, 20, 20, 3), np.uint16), {"size": (40, 80)}),
        (GREY, {}),
    ],
)
def test_a_result_that_no_memory_holds_is_refused_before_any_work(pictures, options, monkeypatch):
    if options.get("size") != (1 << 20, 1 << 20):
        monkeypatch.setattr(passes, "whole_memory", lambda: 60)
        options = {name: (min(4000, height), width) for name, (height, width) in options.items()}
    model = Counting()
    with pytest.raises(OptionError, match=r"a result of \d+x\d+ pixels takes .* GB .* GB; ask for"):
        model(pictures, **options)
    assert model.runs == 0
    monkeypatch.setattr(passes, "whole_memory", lambda: None)  # where it is not known
    assert model(GREY, size=(9, 8)).shape == (9, 8)


def test_networks_take_lists_also_where_they_cut_by_themselves():
    pytest.importorskip("torch")
    model = srkit.load("neural-enhance", scale=2)
    images = [RNG.integers(0, 256, (h, 20, 3), np.uint8) for h in (16, 25)]
    for made, image in zip(model(images), images, strict=True):
        np.testing.assert_array_equal(made, model.upscale(image))
    original = srkit.load("neural-enhance", scale=2, tiling="original")
    assert [made.shape for made in original(images)] == [
        (32, 40, 3),
        (48, 40, 3),
    ]  # odd sizes lose a row
    with pytest.raises(OptionError, match="image 0 of the list: tiling='original' takes no size"):
        original(images, size=(50, 50))


# --- memory -------------------------------------------------------------------------------

# The units of IEC 80000-13: K, M, G, T are powers of 1000, Ki and the like of 1024.
SIZES = {
    "1": 1, "4096": 4096, "1B": 1, "1k": 1_000, "1KB": 1_000, "500MB": 500_000_000,
    "500 mb": 500_000_000, " 2G ": 2_000_000_000, "1.5 GiB": 1_610_612_736,
    "1Ki": 1_024, "2MiB": 2_097_152, "1TB": 10**12, "1TiB": 2**40,
}  # fmt: skip


@pytest.mark.parametrize("text", SIZES)
def test_sizes_as_people_write_them(text):
    assert byte_count(text) == SIZES[text]


def test_numbers_stay_what_they_are():
    given = (7, 7.9, np.int64(7), np.float32(7), 10**400)
    assert [byte_count(n) for n in given] == [7, 7, 7, 7, 10**400]
    assert byte_count(None) is None


def test_memory_as_a_text_bounds_the_work():
    class Watched(dummies.Nearest):
        largest = 0

        def run(self, tiles):
            self.largest = max(self.largest, tiles[..., 0].size)
            return super().run(tiles)

    picture = RNG.integers(0, 256, (200, 300, 3), np.uint8)
    model, by_number = Watched(), Watched()
    np.testing.assert_array_equal(model.upscale(picture, memory="1MB"), doubled(picture))
    by_number.upscale(picture, memory=1_000_000)
    assert model.largest == by_number.largest < 200 * 300 / 2


@pytest.mark.parametrize("senseless", ["lots", "-1GB", 0])
def test_senseless_memory_leaves_everything_as_it_was(senseless, tmp_path):
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    srkit.Image(GREY).save(source)
    model = dummies.Nearest()
    ways = (
        lambda: model.upscale(GREY, memory=senseless),
        lambda: model(GREY, memory=senseless),
        lambda: model.upscale_file(source, target, memory=senseless),
        lambda: list(model.upscale_frames([GREY], memory=senseless)),
        lambda: list(dummies.MeanOfThree().upscale_frames([GREY], memory=senseless)),
        lambda: srkit.upscale(GREY, "nearest", memory=senseless),
        lambda: Request(memory=senseless),
    )
    for way in ways:
        with pytest.raises(OptionError, match=r"a text such as '500MB' or '2GiB', not "):
            way()
    assert list(tmp_path.iterdir()) == [source]


def test_files_and_frames_take_memory_as_a_text(tmp_path):
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    srkit.Image(COLOUR).save(source)
    model = dummies.Nearest()
    model.upscale_file(source, target, memory="100MB")
    np.testing.assert_array_equal(srkit.read_image(target).pixels, doubled(COLOUR))
    (frame,) = model.upscale_frames([GREY], memory="100MB")
    np.testing.assert_array_equal(frame, doubled(GREY))


def test_videos_take_memory_as_a_text(tmp_path):
    pytest.importorskip("av")
    with pytest.raises(OptionError, match="'2GiB', not 'lots'"):
        srkit.upscale_video(tmp_path / "a.mp4", tmp_path / "b.mp4", "nearest", memory="lots")
    assert list(tmp_path.iterdir()) == []


def test_clusters_take_memory_as_a_text(tmp_path):
    pytest.importorskip("distributed")
    array = pytest.importorskip("dask.array")
    from srkit import dask

    for way in (
        lambda: dask.upscale(array.zeros((8, 8)), "nearest", memory="lots"),
        lambda: dask.upscale_blocks("a.tif", tmp_path / "b.zarr", client=None, memory="lots"),
        lambda: dask.upscale_video("a.mp4", tmp_path / "b.mp4", client=None, memory="lots"),
    ):
        with pytest.raises(OptionError, match="'2GiB', not 'lots'"):
            way()
    assert list(tmp_path.iterdir()) == []
    lazy = dask.upscale(array.ones((8, 8)), "nearest", scale=2, memory="100MB")
    assert lazy.compute().tolist() == np.ones((16, 16)).tolist()
