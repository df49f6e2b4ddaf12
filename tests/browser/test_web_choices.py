"""``srkit serve`` in a browser: what is ticked, the frame, fingers, and the way back."""

import numpy as np
import pytest
from selenium.webdriver.common.by import By

pytest.importorskip("starlette", reason="needs pip install 'srkit[web]'")

from page_steps import (
    CSS,
    choose,
    choose_other,
    drag,
    frame,
    kind,
    opened,
    shot,
    swipe,
    tick,
    ticked,
    until,
    upscale,
    value,
)


def test_of_what_suits_the_first_is_ticked_and_what_cannot_be_had_is_told(
    browser, address, tmp_path
):
    pytest.importorskip("torch")
    opened(browser, address)
    choose(browser, tmp_path)
    kind(browser, "old photo, scan")
    rows = [row.text for row in browser.find_elements(CSS, "#models .model b")]
    assert rows == ["photo", "realesrgan-general"]
    assert ticked(browser) == ["photo"]
    tick(browser, "realesrgan-general")
    browser.find_element(By.ID, "start").click()
    error = browser.find_element(By.ID, "error")
    told = "realesrgan-general could not be downloaded; tick photo, which is here"
    until(browser, lambda _: error.text == told)
    assert browser.find_element(By.ID, "start").is_enabled()


def test_what_is_ticked_out_of_sight_is_told(browser, address):
    opened(browser, address)
    tick(browser, "bicubic", "lanczos")
    summary = browser.find_element(CSS, "#more summary")
    assert summary.text == "all models (2 ticked)"
    tick(browser, "photo")
    assert summary.text == "all models"


def test_the_frame_is_changed_by_its_corners_and_drawn_anew_in_a_large_one(
    browser, address, tmp_path
):
    opened(browser, address)
    choose(browser, tmp_path)
    canvas = browser.find_element(By.ID, "canvas")
    drag(browser, canvas, (0.3, 0.2), (0.6, 0.5))
    drag(browser, canvas, (0.6, 0.5), (0.8, 0.9))
    assert frame(browser) == pytest.approx([0.3, 0.2, 0.8, 0.9], abs=0.02)
    shot(browser, "web-corners")
    drag(browser, canvas, (0.8, 0.2), (0.7, 0.1))
    assert frame(browser) == pytest.approx([0.3, 0.1, 0.7, 0.9], abs=0.02)
    drag(browser, canvas, (0.3, 0.9), (0.01, 0.99))
    drag(browser, canvas, (0.7, 0.1), (0.99, 0.01))
    assert frame(browser) == pytest.approx([0.01, 0.01, 0.99, 0.99], abs=0.02)
    # It covers nearly all, so there is no room beside it: a new one begins within.
    drag(browser, canvas, (0.4, 0.4), (0.7, 0.6))
    assert frame(browser) == pytest.approx([0.4, 0.4, 0.7, 0.6], abs=0.02)


def test_the_result_is_reached_again_and_outlives_a_file_that_is_no_photo(
    browser, address, tmp_path
):
    opened(browser, address)
    choose(browser, tmp_path)
    assert not browser.find_element(By.ID, "to-result").is_displayed()
    tick(browser, "bilinear")
    upscale(browser)
    browser.find_element(By.ID, "again").click()
    assert not browser.find_element(By.ID, "result").is_displayed()
    shot(browser, "web-again")
    browser.find_element(By.ID, "to-result").click()
    stage = browser.find_element(By.ID, "stage")
    assert stage.is_displayed()
    assert not browser.find_element(By.ID, "chooser").is_displayed()
    (tmp_path / "bad.png").write_bytes(b"junk")
    browser.find_element(By.ID, "other").send_keys(str(tmp_path / "bad.png"))
    until(browser, lambda w: "bad.png" in w.find_element(By.ID, "error").text)
    assert stage.is_displayed()
    assert browser.find_element(By.ID, "downloads").is_displayed()
    browser.find_element(By.ID, "again").click()
    assert "mine.png" in browser.find_element(By.ID, "facts").text
    # Another photo has no result yet.
    choose_other(browser, tmp_path)
    assert not browser.find_element(By.ID, "to-result").is_displayed()
    assert not browser.find_element(By.ID, "downloads").is_displayed()


def test_what_a_large_photo_needs_is_not_asked_of_the_next(browser, address, tmp_path):
    opened(browser, address)
    only = browser.find_element(By.ID, "only")
    choose(browser, tmp_path, np.zeros((1500, 1500, 3), np.uint8), "large.png")
    assert only.is_selected()
    assert not only.is_enabled()
    choose_other(browser, tmp_path)
    assert not only.is_selected()
    assert only.is_enabled()
    browser.execute_script("arguments[0].click()", only)
    choose_other(browser, tmp_path, np.zeros((1500, 1501, 3), np.uint8), "again.png")
    choose_other(browser, tmp_path, name="third.png")
    assert only.is_selected()


def test_on_a_phone_a_swipe_scrolls_and_a_tap_chooses(phone, address, tmp_path):
    opened(phone, address)
    choose(phone, tmp_path)
    canvas = phone.find_element(By.ID, "canvas")
    before = frame(phone)
    phone.execute_script("scrollTo(0, 0)")
    swipe(phone, canvas, (0.9, 0.9), (0.92, 0.1))
    assert phone.execute_script("return scrollY") > 40
    assert frame(phone) == before
    shot(phone, "web-phone-photo")
    drag(phone, canvas, (0.85, 0.2), (0.85, 0.2), "touch")
    after = frame(phone)
    assert (after[0] + after[2]) / 2 == pytest.approx(
        min(0.85, 1 - (after[2] - after[0]) / 2), abs=0.03
    )
    assert after[2] - after[0] == pytest.approx(before[2] - before[0], abs=0.01)
    # Its corner is taken hold of by a finger, upwards as well.
    drag(phone, canvas, (after[0], after[3]), (after[0], after[3] - 0.2), "touch")
    assert frame(phone)[3] == pytest.approx(after[3] - 0.2, abs=0.04)


def test_on_a_phone_a_swipe_over_the_result_scrolls_and_leaves_the_divider(
    phone, address, tmp_path
):
    opened(phone, address)
    choose(phone, tmp_path)
    tick(phone, "bilinear")
    upscale(phone)
    phone.find_element(By.ID, "to-whole").click()
    phone.execute_script("scrollTo(0, 0)")
    swipe(phone, phone.find_element(By.ID, "stage"), (0.2, 0.9), (0.24, 0.1))
    assert phone.execute_script("return scrollY") > 40
    assert value(phone) == "50"


def test_on_a_phone_a_swipe_over_a_zoomed_result_scrolls_when_it_is_at_its_end(
    phone, address, tmp_path
):
    opened(phone, address)
    choose(phone, tmp_path)
    tick(phone, "bilinear")
    upscale(phone)
    stage = phone.find_element(By.ID, "stage")
    assert not value(phone, "aria-valuetext").endswith("zoom 1.0")
    phone.execute_script("scrollTo(0, 0)")
    moved = "return document.getElementById('right').style.transform"
    before = phone.execute_script(moved)
    swipe(phone, stage, (0.2, 0.9), (0.2, 0.6))
    assert phone.execute_script(moved) != before
    swipe(phone, stage, (0.2, 0.9), (0.2, 0.1))
    at_end = phone.execute_script(moved)
    phone.execute_script("scrollTo(0, 0)")
    swipe(phone, stage, (0.2, 0.8), (0.2, 0.2))
    assert phone.execute_script(moved) == at_end
    assert phone.execute_script("return scrollY") > 100
    assert value(phone) == "50"


def test_on_a_phone_a_swipe_over_a_large_frame_scrolls(phone, address, tmp_path):
    opened(phone, address)
    choose(phone, tmp_path)
    canvas = phone.find_element(By.ID, "canvas")
    drag(phone, canvas, (0.02, 0.02), (0.6, 0.75), "touch")
    before = frame(phone)
    phone.execute_script("scrollTo(0, 0)")
    swipe(phone, canvas, (0.3, 0.5), (0.32, 0.05))
    assert phone.execute_script("return scrollY") > 40
    assert frame(phone) == before
    # Sideways it is moved.
    drag(phone, canvas, (0.3, 0.5), (0.5, 0.5), "touch")
    assert frame(phone)[0] > before[0] + 0.1


def test_on_a_phone_a_frame_is_never_too_small_for_a_finger(phone, address, tmp_path):
    opened(phone, address)
    choose(phone, tmp_path)
    canvas = phone.find_element(By.ID, "canvas")
    height = canvas.size["height"]
    drag(phone, canvas, (0.05, 0.1), (0.45, 0.11), "touch")
    left, top, right, bottom = frame(phone)
    assert (bottom - top) * height >= 43
    # Its middle, which its corners cover, moves it.
    middle = (left + right) / 2, (top + bottom) / 2
    drag(phone, canvas, middle, (middle[0] + 0.2, middle[1] + 0.3), "touch")
    assert frame(phone) == pytest.approx(
        [left + 0.2, top + 0.3, right + 0.2, bottom + 0.3], abs=0.03
    )


def test_a_frame_that_is_too_large_is_told_before_the_click(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path, np.zeros((1500, 1500, 3), np.uint8), "large.png")
    start, becomes = (browser.find_element(By.ID, name) for name in ("start", "becomes"))
    canvas = browser.find_element(By.ID, "canvas")
    assert start.is_enabled()
    drag(browser, canvas, (0.01, 0.01), (0.99, 0.99))
    assert not start.is_enabled()
    assert "too many: make the frame smaller, to a part of at most 2 megapixels" in becomes.text
    assert browser.find_element(By.ID, "what").text == "too large"
    shot(browser, "web-too-large")
    drag(browser, canvas, (0.3, 0.3), (0.6, 0.6))
    assert start.is_enabled()
    assert browser.find_element(By.ID, "what").text == "zoom: part"


def test_another_photo_is_chosen_beside_a_result(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path)
    tick(browser, "bilinear")
    upscale(browser)
    label = browser.find_element("xpath", "//label[input[@id='other']]")
    assert (label.text, label.is_displayed()) == ("Other photo", True)
    assert browser.find_element(By.ID, "again").text == "Back to the photo"
    choose_other(browser, tmp_path)
    assert browser.find_element(By.ID, "chooser").is_displayed()
