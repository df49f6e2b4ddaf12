"""Datasets: folders of originals, and of originals and LR images in pairs."""

import numpy as np
import pytest
from images import saved
from skimage import data

import srkit
from srkit import ImageError, OptionError
from srkit.evaluation.benchmark import evaluate
from srkit.evaluation.dataset import open_dataset
from srkit.evaluation.trial import Trial
from srkit.metrics import STANDARD

HR = data.astronaut()[:96, 160:256]


@pytest.mark.parametrize(
    "small", ["LR/x4/face.png", "LR/X4/facex4.png", "LR_bicubic/X4/facex4.png", "lr/face_x4.png"]
)
def test_pairs_are_found_under_the_usual_names(tmp_path, small):
    saved(tmp_path / "HR" / "face.png", HR)
    saved(tmp_path / small, STANDARD.low_resolution(HR, 4))
    made = evaluate("nearest", tmp_path, scale=4)
    assert [row.name for row in made.rows] == ["face"]
    # The LR of the pair is what srkit would have made.
    alone = evaluate("nearest", [tmp_path / "HR" / "face.png"], scale=4)
    assert made.mean.psnr == alone.mean.psnr


def test_the_lr_image_of_a_pair_is_what_the_model_gets(tmp_path):
    saved(tmp_path / "HR" / "face.png", HR)
    saved(tmp_path / "LR" / "face.png", np.full((48, 48, 3), HR.mean().round(), np.uint8))
    # An even LR image, where one made from the original would give 25 dB and more.
    assert evaluate("nearest", tmp_path, scale=2).mean.psnr < 20


def test_of_several_scales_the_one_asked_for_is_taken(tmp_path):
    saved(tmp_path / "HR" / "face.png", HR)
    for scale in (2, 4):
        saved(tmp_path / f"LR/x{scale}/face.png", STANDARD.low_resolution(HR, scale))
    for scale in (2, 4):
        [pair] = open_dataset(tmp_path, scale).pairs
        assert pair.lr == tmp_path / f"LR/x{scale}/face.png"


def test_an_original_without_its_lr_image_is_an_error(tmp_path):
    saved(tmp_path / "HR" / "face.png", HR)
    saved(tmp_path / "LR" / "fact.png", HR)
    with pytest.raises(OptionError, match=r"face.png has no LR image .*fact.png"):
        open_dataset(tmp_path, 4)
    (tmp_path / "LR" / "fact.png").unlink()
    (tmp_path / "LR").rmdir()
    with pytest.raises(OptionError, match="no LR for x4"):
        open_dataset(tmp_path, 4)


def test_an_lr_image_of_a_wrong_size_or_kind_is_an_error(tmp_path):
    saved(tmp_path / "HR" / "face.png", HR)
    saved(tmp_path / "LR" / "face.png", HR[:40, :40])
    with pytest.raises(ImageError, match=r"LR/face.png: .*\(24, 24\) at x4"):
        evaluate("nearest", tmp_path, scale=4)
    saved(tmp_path / "LR" / "face.png", HR[:24, :24, 0])
    with pytest.raises(ImageError, match="wants"):
        evaluate("nearest", tmp_path, scale=4)


def test_a_folder_of_selfexsr_has_originals_and_others_beside_them(tmp_path, caplog):
    saved(tmp_path / "img_001_SRF_4_HR.png", HR)
    saved(tmp_path / "img_001_SRF_4_LR.png", STANDARD.low_resolution(HR, 4))
    saved(tmp_path / "img_001_SRF_4_A+.png", HR)
    saved(tmp_path / "other_SRF_4_LR.png", HR)  # nothing stands beside it
    found = open_dataset(tmp_path, 4).pairs
    assert [pair.hr.name for pair in found] == ["img_001_SRF_4_HR.png", "other_SRF_4_LR.png"]
    assert "2 files such as img_001_SRF_4_A+.png are no originals" in caplog.text


def test_the_folders_of_basicsr_are_pairs(tmp_path):
    saved(tmp_path / "GTmod12" / "face.png", HR)
    saved(tmp_path / "LRbicx4" / "face.png", STANDARD.low_resolution(HR, 4))
    [pair] = open_dataset(tmp_path, 4).pairs
    assert pair.lr == tmp_path / "LRbicx4/face.png"


# --- what is seen before the first image is measured ----------------------------------------------


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr(Trial, "score", lambda *_, **__: pytest.fail("an image was measured"))


@pytest.mark.usefixtures("no_work")
def test_a_file_of_a_list_that_is_not_there(tmp_path):
    saved(tmp_path / "a.png", HR)
    with pytest.raises(FileNotFoundError, match=r"dataset\[1\]: there is no file .*gone\.png"):
        evaluate("nearest", [tmp_path / "a.png", str(tmp_path / "gone.png")], scale=2)


@pytest.mark.usefixtures("no_work")
def test_a_folder_that_is_not_there(tmp_path):
    saved(tmp_path / "a.png", HR)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nope"):
        srkit.bench("nearest", [tmp_path, tmp_path / "nope"], scale=2)


@pytest.mark.usefixtures("without_st_lpips")
def test_a_file_of_a_folder_that_is_neither_grey_nor_rgb_is_left_out(tmp_path, caplog):
    saved(tmp_path / "a.png", HR)
    alone = evaluate("nearest", tmp_path, scale=2)
    saved(tmp_path / "zz.png", np.dstack([HR, HR[..., :1]]))
    found = evaluate("nearest", tmp_path, scale=2)
    assert (found.rows, found.left_out) == (alone.rows, ("zz.png",))
    assert "zz.png is RGBA" in caplog.text
    with pytest.raises(ImageError, match=r"zz\.png is RGBA"):  # who names files means each
        evaluate("nearest", [tmp_path / "a.png", tmp_path / "zz.png"], scale=2)
