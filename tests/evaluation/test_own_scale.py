"""Without a scale, models are compared and measured at their own."""

import numpy as np
import pytest
from dummies import Nearest

import srkit
from srkit import OptionError, compare, evaluate

PHOTO = np.random.default_rng(28).integers(0, 256, (36, 48), np.uint8)


@pytest.fixture
def folder(tmp_path):
    srkit.Image(PHOTO).save(tmp_path / "photo.png")
    return tmp_path


def espcn_x3():
    from srkit.models.weights import PACKAGED

    return PACKAGED / "espcn_x3.safetensors"


def test_names_have_the_scale_of_their_card():
    assert compare(PHOTO, ["nearest"]).scale == srkit.card("nearest").default_scale == 4
    assert compare(PHOTO, ["nearest", "bicubic"]).results["bicubic"].shape == (144, 192)


def test_loaded_models_stay_as_they_are_and_names_follow():
    loaded = srkit.load("bicubic", scale=3)
    for models in ([loaded, "nearest"], ["nearest", loaded]):
        assert compare(PHOTO, models).scale == 3
    assert compare(PHOTO, [Nearest(), "bicubic"]).scale == 2


def test_weights_files_have_one_scale_and_names_follow():
    pytest.importorskip("torch")
    for models in (["nearest", espcn_x3()], [str(espcn_x3()), "nearest"]):
        comparison = compare(PHOTO, models)
        assert comparison.scale == 3
        assert {made.shape for made in comparison.results.values()} == {(108, 144)}


def test_of_names_the_first_scale_counts_that_all_exist_for():
    pytest.importorskip("torch")
    # espcn is for x2 by default, and exists for x3 and x4; srgan for x4 alone.
    assert srkit.card("espcn").default_scale == 2
    assert compare(PHOTO, ["espcn", "bicubic"]).scale == 2
    assert compare(PHOTO, ["bicubic", "espcn"]).scale == 4
    assert compare(PHOTO, ["espcn", "srgan"]).scale == 4


def test_models_without_a_scale_in_common_are_refused():
    two, three = srkit.load("bicubic", scale=2), srkit.load("bicubic", scale=3)
    with pytest.raises(
        OptionError,
        match=r"no scale in common: bicubic x2, bicubic x3; load them for one, such as scale=2",
    ):
        compare(PHOTO, [two, three])
    with pytest.raises(OptionError, match="loaded for x3, but x2 is wanted"):
        compare(PHOTO, [two, three], scale=2)


def test_models_that_have_no_scale_in_common_at_all():
    pytest.importorskip("torch")
    with pytest.raises(OptionError, match="unet-repair x1, espcn x2; ask for them apart"):
        compare(PHOTO, ["unet-repair", "espcn"])


def test_a_reference_is_taken_at_that_scale():
    small = srkit.imresize(PHOTO, 1 / 4)
    comparison = compare(small, ["nearest", "bicubic"], reference=PHOTO)
    given = compare(small, ["nearest", "bicubic"], reference=PHOTO, scale=4)
    assert comparison.scores == given.scores


def test_evaluate_takes_the_models_own(folder):
    assert evaluate("bicubic", folder).scale == 4
    scores = evaluate(srkit.load("bicubic", scale=3), folder)
    assert (scores.scale, scores.mean.psnr) == (3, evaluate("bicubic", folder, scale=3).mean.psnr)
    with pytest.raises(OptionError, match="loaded for x3, but x2 is wanted"):
        evaluate(srkit.load("bicubic", scale=3), folder, scale=2)


def test_evaluate_takes_the_scale_of_a_weights_file(folder):
    pytest.importorskip("torch")
    assert evaluate(espcn_x3(), folder).scale == 3


def test_pairs_are_those_of_the_models_own_scale(tmp_path):
    for name, side in (("HR", 1), ("LR/x3", 3), ("LR/x4", 4)):
        (tmp_path / name).mkdir(parents=True)
        srkit.Image(np.full((36 // side, 48 // side), side, np.uint8)).save(
            tmp_path / name / "photo.png"
        )
    # LR is of level 3 and HR of level 1: a difference of 2, which is 20 log10(255 / 2) dB.
    scores = evaluate(srkit.load("nearest", scale=3), tmp_path)
    assert scores.mean.psnr == pytest.approx(20 * np.log10(255 / 2), abs=0.01)
