"""Originals whose sides are no multiples of the scale."""

import pytest
from skimage import data

import srkit
from srkit.metrics import psnr, rounded_luma

HR = data.astronaut()[:124, 160:324]


@pytest.mark.usefixtures("without_st_lpips")
@pytest.mark.parametrize("sides", [(117, 158), (117, 160), (118, 163), (121, 157)])
def test_a_reference_of_any_sides_fits_what_is_made_of_it(sides, tmp_path):
    reference = HR[: sides[0], : sides[1]]
    small = srkit.imresize(reference, 1 / 4)  # rounds sides up
    for lr in (small, small[: sides[0] // 4, : sides[1] // 4]):  # and others down
        made = srkit.compare(lr, ["nearest"], scale=4, reference=reference)
        height, width = (min(a, 4 * b) for a, b in zip(sides, lr.shape, strict=False))
        # Written out: of both what they have in common, 4 pixels cropped.
        pair = reference, lr.repeat(4, 0).repeat(4, 1)
        both = (rounded_luma(p[:height, :width])[4:-4, 4:-4] for p in pair)
        assert made.scores["nearest"].psnr == pytest.approx(psnr(*both))
        assert made.results["nearest"].shape[:2] == (4 * lr.shape[0], 4 * lr.shape[1])
        made.save(tmp_path / "sheet.png")
        made.to_html(tmp_path / "page.html")
        assert f"{width} x {height} pixels" in (tmp_path / "page.html").read_text()
