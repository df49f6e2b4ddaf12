"""`srkit.evaluation.comparison.compare` and ``srkit compare``: versions, figures, and the sheet."""

import json

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

import srkit
from srkit import ImageError, OptionError, UnknownModelError
from srkit.cli import main
from srkit.evaluation.comparison import compare, flat
from srkit.evaluation.gaze import Part
from srkit.evaluation.sheet import MAX_HEIGHT, MAX_WIDTH, Panel, draw, lay_out
from srkit.metrics import STANDARD, mod_crop, psnr, rounded_luma, ssim
from srkit.models.weights import PACKAGED

pytestmark = pytest.mark.usefixtures("without_st_lpips")
HR = data.astronaut()[:120, 160:320]
LR = STANDARD.low_resolution(HR, 4)


def nearest(lr, scale):
    return lr.repeat(scale, 0).repeat(scale, 1)


# --- compare ------------------------------------------------------------------------------


def test_each_model_gives_its_version_and_figures(without_st_lpips):
    made = compare(LR, ["nearest", "bicubic"], scale=4, reference=HR)
    assert list(made.results) == list(made.scores) == ["nearest", "bicubic"]
    blocks = nearest(LR, 4)
    np.testing.assert_array_equal(made.results["nearest"], blocks)
    # Written out: rounded luma, 4 pixels cropped.
    planes = rounded_luma(HR)[4:-4, 4:-4], rounded_luma(blocks)[4:-4, 4:-4]
    assert made.scores["nearest"].psnr == pytest.approx(psnr(*planes))
    assert made.scores["nearest"].ssim == pytest.approx(ssim(*planes))
    assert made.scores["nearest"].st_lpips is None
    assert made.missing == without_st_lpips
    assert made.scores["bicubic"].psnr > made.scores["nearest"].psnr


def test_st_lpips_is_taken_on_rgb_with_the_scale_cropped(st_lpips):
    made = compare(LR, ["nearest"], scale=4, reference=HR)
    expected = srkit.metrics.st_lpips(HR[4:-4, 4:-4], nearest(LR, 4)[4:-4, 4:-4])
    assert made.scores["nearest"].st_lpips == pytest.approx(expected, abs=1e-6)
    assert made.missing is None


def test_without_a_reference_there_are_no_figures():
    made = compare(LR, ["nearest"], scale=2)
    assert not made.scores
    assert repr(made) == "x2, 40x30 to 80x60: nearest"


def test_the_table_names_its_protocol():
    text = repr(compare(LR, ["nearest"], scale=4, reference=HR))
    assert text.splitlines()[0] == "x4, 40x30 to 160x120, protocol standard"
    assert text.splitlines()[2].startswith("nearest ")


def test_kinds_of_images(tmp_path):
    path = tmp_path / "lr.png"
    PILImage.fromarray(LR).save(path)
    expected = nearest(LR, 2)
    for image in (LR, PILImage.fromarray(LR), srkit.read_image(path), path, str(path)):
        result = compare(image, ["nearest"], scale=2).results["nearest"]
        np.testing.assert_array_equal(np.asarray(result), expected)
    assert isinstance(compare(path, ["nearest"], scale=2).image, srkit.Image)


def test_loaded_models_and_models_of_one_name():
    loaded = srkit.load("bicubic", scale=2)
    made = compare(LR, [loaded, "nearest", "bicubic"], scale=2)
    assert list(made.results) == ["bicubic", "nearest", "bicubic (2)"]
    np.testing.assert_array_equal(made.results["bicubic"], made.results["bicubic (2)"])
    with pytest.raises(OptionError, match="loaded for x2, but x4"):
        compare(LR, [loaded], scale=4)


def test_a_reference_may_exceed_a_multiple_of_the_scale():
    exact = compare(LR[:-1, :-1], ["nearest"], scale=4, reference=HR[:-4, :-4])
    larger = compare(LR[:-1, :-1], ["nearest"], scale=4, reference=HR[:-1, :-3])
    assert larger.scores == exact.scores
    assert larger.sheet().size == exact.sheet().size


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        (HR[:60], "160x60 pixels, but x4 of the image is 160x120; a side may differ by 3"),
        (HR[:116], r"give the picture .* srkit.imresize\(reference, 1 / 4\)"),
        (HR[..., 0], "grey"),
    ],
)
def test_a_reference_that_does_not_fit(reference, match):
    with pytest.raises(ImageError, match=match):
        compare(LR, ["nearest"], scale=4, reference=reference)


@pytest.mark.parametrize("models", [[], "bicubic", 3, lambda tiles: tiles])
def test_models_are_a_list(models):
    with pytest.raises(OptionError, match="models is a list"):
        compare(LR, models, scale=4)


def test_an_unknown_model_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(srkit.Upscaler, "upscale", lambda *_, **__: pytest.fail("too early"))
    with pytest.raises(UnknownModelError, match="bicubic"):
        compare(LR, ["nearest", "bicubik"], scale=4)


def test_a_batch_is_no_image_to_compare():
    with pytest.raises(ImageError, match="batch of 2"):
        compare(np.stack([LR, LR]), ["nearest"], scale=2)


def test_flat_shows_images_as_people_see_them():
    half = np.array([[[100, 200, 0, 0], [100, 200, 0, 255]]], np.uint16) * 257
    np.testing.assert_array_equal(flat(half), [[[255, 255, 255], [100, 200, 0]]])
    np.testing.assert_array_equal(flat(np.array([[0.0, 0.2, 1.0]])), [[0, 51, 255]])
    cmyk = PILImage.fromarray(HR).convert("CMYK")
    np.testing.assert_array_equal(flat(cmyk), np.asarray(cmyk.convert("RGB")))
    floating = PILImage.fromarray(np.array([[0, 51, 255]], np.float32))
    np.testing.assert_array_equal(flat(floating), [[0, 51, 255]])


# --- the sheet ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "count"), [((512, 384), 4), ((8, 8), 1), ((3000, 500), 5), ((9, 3000), 3)]
)
def test_every_panel_is_shown_whole_and_enlarged(size, count):
    colours = [(10, 20, 40 * n) for n in range(count)]
    panels = [
        Panel(f"panel {n}", np.full((size[1], size[0], 3), c, np.uint8))
        for n, c in enumerate(colours)
    ]
    layout = lay_out(count, size, Part(0, 0, *size))
    sheet = draw(panels, layout, "a footer")
    assert sheet.width <= MAX_WIDTH
    assert layout.panel[1] <= MAX_HEIGHT
    whole, detail = (np.prod(side) for side in (layout.panel, layout.detail))
    frames = 4 * 2 * (sum(layout.panel) + sum(layout.detail))
    found = {colour: count for count, colour in sheet.getcolors(1 << 16)}
    for colour in colours:
        assert found[colour] >= whole + detail - frames


def test_a_result_stands_on_the_sheet_pixel_by_pixel():
    small = data.astronaut()[:64, 200:280]
    made = compare(small, ["nearest", "lanczos"], scale=4)
    sheet = np.asarray(made.sheet())
    picture = made.results["lanczos"]
    # Where its first rows are: the top left corner is far from the framed detail.
    corner = picture[:8, :60].tobytes()
    places = [
        (y, x)
        for y, x in np.argwhere((sheet[:-8, :-60] == picture[0, 0]).all(axis=2))
        if sheet[y : y + 8, x : x + 60].tobytes() == corner
    ]
    assert len(places) == 1


def test_seven_panels_take_two_rows():
    layout = lay_out(7, (300, 200), Part(100, 50, 9, 9))
    assert layout.columns == 4


@pytest.mark.parametrize(
    ("part", "left", "top"),
    [
        (Part(300, 200, 20, 10), 310, 205),
        (Part(0, 0, 9, 9), 0, 0),
        (Part(630, 470, 10, 10), 640, 480),
    ],
)
def test_the_middle_of_the_part_is_the_middle_of_the_detail_as_far_as_the_picture_goes(
    part, left, top
):
    box = lay_out(3, (640, 480), part).box
    assert box[0] >= 0
    assert box[1] >= 0
    assert box[2] <= 640
    assert box[3] <= 480
    if 0 < left < 640:
        assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == pytest.approx((left, top), abs=1)
    else:
        assert left in (box[0], box[2])
        assert top in (box[1], box[3])


@pytest.mark.parametrize(
    ("size", "part", "told"),
    [
        ((400, 300), (10, 20, 100, 50), "4 times enlarged"),
        ((400, 300), (0, 0, 400, 300), "pixel by pixel"),
        ((9000, 600), (0, 0, 9000, 600), "shrunk to 22%"),
        ((300, 9000), (5, 0, 9, 9000), "shrunk to 27%"),
    ],
)
def test_a_part_that_is_asked_for_is_shown_whole(size, part, told):
    layout = lay_out(2, size, Part(*part), whole=True)
    left, top, width, height = part
    assert layout.box == (left, top, left + width, top + height)
    assert layout.enlarged == told
    assert layout.detail[0] <= layout.column
    assert layout.detail == layout.resized


def test_a_sheet_shows_the_crop_that_was_asked_for():
    small = np.zeros((60, 80, 3), np.uint8)
    small[10:14, 30:36] = (255, 0, 128)
    sheet = compare(small, ["nearest"], scale=2, crop=(30, 10, 6, 4)).sheet()
    # 12x8 pixels of the result, in a column of 256: 21 times; twice, beside the whole pictures.
    found = {colour: count for count, colour in sheet.getcolors(1 << 16)}
    shown = (12 * 21) * (8 * 21)
    frame = 2 * 2 * (12 * 21 + 8 * 21)
    assert found[255, 0, 128] >= 2 * (shown - frame)
    assert found[255, 0, 128] <= 2 * (shown + 12 * 8 * 3)


@pytest.mark.parametrize(
    ("crop", "match"),
    [
        ((30, 0, 11, 30), "ends at column 41, row 30, and the picture is 40x30 pixels"),
        ((0, 0, 1, 31), "not in the picture"),
        ((-1, 0, 5, 5), "begin at 0"),
        ((0, 0, 5, 0), "empty"),
        ((0, 0, 5), "left, top, width and height"),
        ((0, 0, 5, 5.0), "left, top, width and height"),
        ("0,0,5,5", "left, top, width and height"),
        (7, "left, top, width and height"),
    ],
)
def test_a_crop_out_of_the_picture_is_refused_before_any_work(monkeypatch, crop, match):
    monkeypatch.setattr(srkit.Upscaler, "upscale", lambda *_, **__: pytest.fail("too early"))
    with pytest.raises(OptionError, match=match):
        compare(LR, ["nearest"], scale=2, crop=crop)


def test_long_names_are_shortened_and_many_kinds_have_a_sheet():
    rgba = np.dstack([LR, np.full(LR.shape[:2], 128, np.uint8)])
    for image in (LR[..., 0], rgba, LR / 255, PILImage.fromarray(LR).convert("CMYK")):
        assert compare(image, ["nearest"], scale=2).sheet().mode == "RGB"
    panel = Panel("a very long name " * 20, HR)
    sheet = draw([panel], lay_out(1, (160, 120), Part(9, 9, 9, 9)), "word " * 100)
    assert (np.asarray(sheet)[:, -20:] == 255).all()


def test_saving(tmp_path):
    made = compare(LR, ["nearest"], scale=2)
    made.save(tmp_path / "sheet.png")
    expected = np.asarray(made.sheet())
    np.testing.assert_array_equal(np.asarray(PILImage.open(tmp_path / "sheet.png")), expected)
    with pytest.raises(ImageError, match="format"):
        made.save(tmp_path / "sheet.xyz")
    with pytest.raises(OptionError, match="to_html writes a page"):
        made.save(tmp_path / "page.html")
    with pytest.raises(OptionError, match="save writes a picture"):
        made.to_html(str(tmp_path / "page.PNG"))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


# --- srkit compare --------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    PILImage.fromarray(HR).save(path)
    return path


def command(*arguments):
    return main(["compare", *map(str, arguments)])


def test_downscale_takes_the_photo_as_the_original(photo, tmp_path, capsys, without_st_lpips):
    out = tmp_path / "sheet.png"
    assert command(photo, "-m", "nearest", "-m", "bicubic", "--downscale", "-o", out) == 0
    text = capsys.readouterr().out
    expected = repr(compare(LR, ["nearest", "bicubic"], scale=4, reference=HR))
    assert text == f"{expected}\nwithout ST-LPIPS: {without_st_lpips}\n{out}\n"
    with PILImage.open(out) as sheet:
        assert sheet.width > 4 * 160


def test_a_reference_from_a_file(photo, tmp_path, capsys):
    small = tmp_path / "small.png"
    PILImage.fromarray(LR).save(small)
    options = ["-m", "bicubic", "-o", tmp_path / "sheet.jpg"]
    assert command(small, "--reference", photo, *options) == 0
    assert repr(compare(LR, ["bicubic"], scale=4, reference=HR)) in capsys.readouterr().out


def test_the_sample_needs_no_photo(tmp_path, capsys):
    assert command("--sample", "-m", "bicubic", "-o", tmp_path / "sheet.png") == 0
    assert "128x128 to 512x512" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "--sample"),
        (["photo.png", "--sample"], "--sample"),
        (["--sample", "--reference", "photo.png"], "--reference"),
        (["photo.png", "-m", "bicubik"], "did you mean bicubic"),
        (["photo.png", "-o", "photo.png"], "would replace"),
        (["photo.png", "-m", "bicubic", "--crop", "100,100,61,20"], "ends at column 161, row 120"),
        (["photo.png", "-m", "bicubic", "--downscale", "--crop", "0,0,1,121"], "is 160x120 pixels"),
        (["photo.png", "-m", "bicubic", "--crop=-5,0,10,10"], "begin at 0"),
        (["photo.png", "-o", "no/such/folder.png"], "no folder"),
    ],
)
def test_arguments_that_make_no_sense(photo, monkeypatch, capsys, arguments, hint):
    monkeypatch.chdir(photo.parent)
    assert command("-o", "sheet.png", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("srkit: error: ")
    assert hint in error
    np.testing.assert_array_equal(np.asarray(PILImage.open(photo)), HR)


@pytest.mark.parametrize("crop", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,0,9,9", "", "١,2,3,x"])
def test_a_crop_that_is_none(photo, capsys, crop):
    with pytest.raises(SystemExit, match="2"):
        command(photo, "-o", photo.with_name("sheet.png"), f"--crop={crop}")
    assert "such as 420,180,160,120" in capsys.readouterr().err
    assert not photo.with_name("sheet.png").exists()


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        ("40,20,80,40", (10, 5, 20, 10)),
        ("43,23,2,2", (10, 5, 2, 2)),  # it lies in two small pixels each way
        ("159,119,1,1", (39, 29, 1, 1)),
    ],
)
def test_a_crop_is_in_pixels_of_the_photo_also_where_it_is_shrunk(
    photo, tmp_path, monkeypatch, crop, expected
):
    told = {}

    def noting(*images, **options):
        told.update(options)
        return compare(*images, **options)

    monkeypatch.setattr("srkit.cli.compare.compare", noting)
    out = tmp_path / "sheet.png"
    assert command(photo, "-m", "nearest", "--downscale", "--crop", crop, "-o", out) == 0
    assert told["crop"] == expected
    assert command(photo, "-m", "nearest", "--scale", "2", "--crop", crop, "-o", out) == 0
    assert told["crop"] == tuple(int(one) for one in crop.split(","))


def test_the_scale_is_the_models_where_none_is_given(photo, tmp_path, capsys):
    """As in Python: a file of weights is for one alone."""
    out, weights = tmp_path / "sheet.png", PACKAGED / "espcn_x3.safetensors"
    pytest.importorskip("torch")
    assert command(photo, "-m", weights, "-m", "bicubic", "-o", out, "--json", "--downscale") == 0
    assert json.loads(capsys.readouterr().out)["scale"] == 3
    assert command(photo, "-m", weights, "-m", "bicubic", "-o", out, "--scale", "4") != 0


def test_a_photo_that_cannot_be_read(tmp_path, capsys):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"junk")
    for path in (bad, tmp_path / "gone.png"):
        assert command(path, "-m", "nearest", "-o", tmp_path / "sheet.png") == 1
        assert str(path) in capsys.readouterr().err
    assert not (tmp_path / "sheet.png").exists()


def test_figures_for_programs_need_no_sheet(photo, tmp_path, capsys, without_st_lpips):
    assert command(photo, "-m", "bicubic", "-m", "nearest", "--downscale", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    original = mod_crop(flat(photo), 4)
    blocks = nearest(STANDARD.low_resolution(original, 4), 4)
    planes = rounded_luma(original)[4:-4, 4:-4], rounded_luma(blocks)[4:-4, 4:-4]
    assert told["models"]["nearest"]["psnr"] == pytest.approx(psnr(*planes))
    assert told["models"].keys() == {"bicubic", "nearest"}
    assert (told["sheet"], told["without_st_lpips"]) == (None, without_st_lpips)
    assert command(photo, "-m", "bicubic", "--json", "-o", tmp_path / "sheet.png") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["models"] == {"bicubic": None}  # nothing to compare with
    assert told["sheet"] == str(tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").is_file()


def test_a_sheet_or_figures_are_asked_for(photo, capsys):
    assert command(photo, "-m", "bicubic") == 2
    assert "give -o SHEET" in capsys.readouterr().err
