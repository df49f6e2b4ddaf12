"""``srkit serve`` in a browser: choose a photo and a part, upscale, compare, download."""

import time

import numpy as np
import pytest
from PIL import Image as PILImage
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from skimage import data

pytest.importorskip("starlette", reason="needs pip install 'srkit[web]'")

from page_steps import CSS, PHOTO, choose, drag, frame, opened, shot, tick, until, upscale, value

import srkit

LARGE = np.ascontiguousarray(data.astronaut().repeat(2, 0).repeat(3, 1)[:, :1500])


def test_a_photo_is_shown_at_once_compared_and_downloaded(browser, address, tmp_path):
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    behaviour = {"behavior": "allow", "downloadPath": str(downloads)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    opened(browser, address)
    shot(browser, "web-empty")
    PILImage.fromarray(PHOTO).save(tmp_path / "mine.png")
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "mine.png"))
    # Before the page was asked anything: the browser shows the file itself.
    photo = browser.find_element(By.ID, "photo")
    assert photo.is_displayed()
    assert photo.get_attribute("src").startswith("blob:")
    until(browser, lambda w: w.find_element(By.ID, "part").is_displayed())
    assert photo.get_property("naturalWidth") == 240
    shot(browser, "web-chosen")
    tick(browser, "bicubic", "lanczos")
    upscale(browser)
    shot(browser, "web-compared")
    tags = [browser.find_element(By.ID, f"{side}-tag").text for side in ("left", "right")]
    assert tags == ["before", "bicubic"]
    browser.find_element(CSS, "#rights input[value='2'] + span").click()
    assert browser.find_element(By.ID, "right-tag").text == "lanczos"
    links = browser.find_elements(CSS, "#files a")
    names = ["mine_bicubic_x4.png", "mine_lanczos_x4.png", "mine_comparison.html"]
    assert [link.get_attribute("download") for link in links] == names
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", links[0])
    links[0].click()
    made = downloads / names[0]
    until(browser, lambda _: made.exists())
    np.testing.assert_array_equal(
        np.asarray(PILImage.open(made)), srkit.upscale(PHOTO, "bicubic", scale=4)
    )
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert {name for name in asked if not name.startswith((address, "blob:", "data:"))} == set()
    assert browser.get_log("browser") == []


def test_the_part_begins_at_her_face_and_is_dragged(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path)
    assert browser.find_element(By.ID, "what").text == "zoom: face"
    left, top, right, bottom = frame(browser)
    # Eyes and mouth are at columns 80 to 130 and rows 90 to 165 of 240 by 200.
    assert left < 0.33
    assert right > 0.54
    assert top < 0.45
    assert bottom > 0.82
    drag(browser, browser.find_element(By.ID, "canvas"), (0.7, 0.1), (0.95, 0.3))
    assert frame(browser) == pytest.approx([0.7, 0.1, 0.95, 0.3], abs=0.02)
    assert browser.find_element(By.ID, "what").text == "zoom: part"
    # What is taken hold of within moves.
    drag(browser, browser.find_element(By.ID, "canvas"), (0.8, 0.2), (0.5, 0.4))
    assert frame(browser) == pytest.approx([0.4, 0.3, 0.65, 0.5], abs=0.02)
    tick(browser, "bilinear")
    upscale(browser)
    # A quarter of the width is seen.
    assert float(value(browser, "aria-valuetext").split("zoom ")[1]) == pytest.approx(4, abs=0.3)


def test_all_of_it_goes_by_keyboard(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path)
    part = browser.find_element(By.ID, "part")
    before = frame(browser)
    part.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    after = frame(browser)
    assert after[0] - before[0] == pytest.approx(after[2] - before[2], abs=0.005)
    assert after[0] > before[0]
    assert after[1] < before[1]
    part.send_keys(Keys.SHIFT + Keys.ARROW_LEFT)
    assert frame(browser)[2] < after[2]
    tick(browser, "bilinear")
    browser.find_element(By.ID, "start").send_keys(Keys.ENTER)
    until(browser, lambda w: w.find_element(By.ID, "result").is_displayed())
    stage = browser.find_element(By.ID, "stage")
    assert browser.switch_to.active_element == stage
    stage.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert value(browser) == "46"
    stage.send_keys(Keys.END)
    assert value(browser) == "100"
    stage.send_keys("0")
    assert value(browser, "aria-valuetext").endswith("zoom 1.0")
    stage.send_keys("+")
    assert value(browser, "aria-valuetext").endswith("zoom 1.5")
    moved = "return document.getElementById('right').style.transform"
    before = browser.execute_script(moved)
    stage.send_keys(Keys.SHIFT + Keys.ARROW_RIGHT)
    assert browser.execute_script(moved) != before


def test_a_job_that_is_cancelled_leaves_the_page_ready(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path, LARGE, "large.png")
    tick(browser, "bicubic", "lanczos", "bilinear")
    browser.find_element(By.ID, "start").click()
    until(browser, lambda w: w.find_element(By.ID, "cancel").is_displayed())
    job = browser.execute_script("return state.job.id")
    until(browser, lambda w: "left" in w.find_element(By.ID, "told").text)
    shot(browser, "web-working")
    assert "%" in browser.find_element(By.ID, "told").text
    # In its first second it is deaf.
    until(browser, lambda w: w.find_element(By.ID, "cancel").is_enabled())
    browser.find_element(By.ID, "cancel").click()
    assert browser.find_element(By.ID, "start").is_displayed()
    assert not browser.find_element(By.ID, "job").is_displayed()
    told = "return fetch('api/jobs/' + arguments[0]).then(a => a.json())"
    until(browser, lambda w: w.execute_script(told, job)["state"] == "cancelled")
    browser.execute_script("document.getElementById('only').click()")
    tick(browser, "bilinear")
    upscale(browser)
    assert browser.find_element(CSS, "#files small").text == "large_part_bilinear_x4.png"


def test_sliders_are_there_where_a_model_has_them(browser, address):
    pytest.importorskip("torch")
    opened(browser, address)
    denoise, perception = (
        browser.find_element(By.ID, f"{name}-dial") for name in ("denoise", "perception")
    )
    tick(browser, "photo")
    assert denoise.is_displayed()
    assert not perception.is_displayed()
    auto = browser.find_element(By.ID, "denoise-auto")
    assert auto.is_selected()
    browser.find_element(By.ID, "denoise").send_keys(Keys.ARROW_RIGHT)
    assert not auto.is_selected()
    assert browser.find_element(By.ID, "denoise-told").text == "0.55"
    tick(browser, "srgan")
    assert perception.is_displayed()
    assert not denoise.is_displayed()
    browser.find_element(By.ID, "perception").send_keys(Keys.HOME)
    assert browser.find_element(By.ID, "perception-told").text == "0 truest"


def test_a_kind_of_picture_brings_its_models(browser, address):
    opened(browser, address)
    suggested = {}
    for chip in browser.find_elements(CSS, "#kinds .chip"):
        chip.click()
        rows = browser.find_elements(CSS, "#models .model b")
        suggested[chip.text] = [row.text for row in rows]
    assert suggested["clean original"] == ["photo", "srresnet", "span", "srgan"]
    assert suggested["text, screenshot"] == ["photo", "photo-2025"]
    browser.execute_script("document.getElementById('more').open = true")
    every = {row.text for row in browser.find_elements(CSS, ".model b")}
    assert "bicubic" in every
    assert not {"nearest", "vsr", "vsr-small"} & every


def test_a_photo_that_the_browser_does_not_know_is_shown(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path, name="mine.tif")
    photo = browser.find_element(By.ID, "photo")
    until(browser, lambda _: photo.get_property("naturalWidth") == 240)
    assert "/preview" in photo.get_attribute("src")


def test_the_page_says_what_is_wrong(browser, address, tmp_path):
    opened(browser, address)
    error = browser.find_element(By.ID, "error")
    browser.find_element(By.ID, "start").click()
    until(browser, lambda _: error.text == "Choose a photo first.")
    (tmp_path / "bad.png").write_bytes(b"junk")
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "bad.png"))
    until(browser, lambda _: "bad.png" in error.text)
    shot(browser, "web-error")
    assert browser.find_element(By.ID, "drop").is_displayed()
    (tmp_path / "huge.png").write_bytes(bytes(20_000_001))
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "huge.png"))
    until(browser, lambda _: "at most 20.0 MB" in error.text)


def test_who_wants_it_dark_has_it_dark(browser, address):
    opened(browser, address)
    script = "return getComputedStyle(document.body).backgroundColor"
    shades = {}
    for name in ("dark", "light"):
        features = [{"name": "prefers-color-scheme", "value": name}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        text = browser.execute_script(script)
        shades[name] = sum(int(n) for n in text[4:-1].split(","))
    assert shades["dark"] < 120
    assert shades["light"] > 650


def test_on_a_phone_a_finger_does_it(phone, address, tmp_path):
    opened(phone, address)
    choose(phone, tmp_path)
    drag(phone, phone.find_element(By.ID, "canvas"), (0.05, 0.1), (0.55, 0.6), "touch")
    assert frame(phone) == pytest.approx([0.05, 0.1, 0.55, 0.6], abs=0.04)
    tick(phone, "bicubic")
    upscale(phone)
    stage = phone.find_element(By.ID, "stage")
    # The part is half as wide as the photo.
    assert float(value(phone, "aria-valuetext").split("zoom ")[1]) == pytest.approx(2, abs=0.2)
    drag(phone, stage, (0.5, 0.5), (0.8, 0.5), "touch")
    assert int(value(phone)) == pytest.approx(80, abs=4)
    shot(phone, "web-phone")
    # Beside the divider a finger moves the picture.
    moved = "return document.getElementById('right').style.transform"
    before = phone.execute_script(moved)
    drag(phone, stage, (0.3, 0.5), (0.5, 0.5), "touch")
    assert int(value(phone)) == pytest.approx(80, abs=4)
    assert phone.execute_script(moved) != before
    phone.find_element(By.ID, "to-whole").click()
    drag(phone, stage, (0.8, 0.5), (0.25, 0.5), "touch")
    assert int(value(phone)) == pytest.approx(25, abs=4)
    assert phone.execute_script(f"return getComputedStyle({STAGE}).touchAction") == "pan-y"
    assert phone.execute_script("return document.documentElement.scrollWidth") <= 390


STAGE = "document.getElementById('stage')"


def test_on_a_phone_downloads_can_be_read_and_touched(phone, address, tmp_path):
    opened(phone, address)
    choose(phone, tmp_path, name="a name that somebody gave to a photo of the holidays.png")
    tick(phone, "bicubic", "lanczos")
    upscale(phone)
    assert phone.execute_script("return document.documentElement.scrollWidth") <= 390
    items = phone.find_elements(CSS, "#files li")
    assert len(items) == 3
    for item in items:
        assert item.find_element(By.TAG_NAME, "a").size["height"] >= 44
        for text in item.find_elements(CSS, "b, small"):
            assert text.text
            assert float(text.value_of_css_property("font-size")[:-2]) >= 14
            # Nothing of it is cut off.
            assert text.get_property("scrollWidth") <= text.get_property("clientWidth")
    assert "960 × 800 pixels" in items[0].text
    for button in phone.find_elements(CSS, "button, .chip span, .model"):
        if button.is_displayed():
            assert button.size["height"] >= 44


def test_a_click_and_two_fingers_zoom(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path)
    tick(browser, "bilinear")
    upscale(browser)
    stage = browser.find_element(By.ID, "stage")
    browser.find_element(By.ID, "to-whole").click()
    assert value(browser, "aria-valuetext").endswith("zoom 1.0")
    ActionChains(browser).double_click(stage).perform()
    assert not value(browser, "aria-valuetext").endswith("zoom 1.0")
    browser.find_element(By.ID, "to-whole").click()
    fingers = [PointerInput("touch", f"finger{k}") for k in (0, 1)]
    action = ActionBuilder(browser, mouse=fingers[0])
    action.devices.append(fingers[1])
    x, y = (round(stage.rect[side] + stage.rect[length] / 2) for side, length in BOX)
    y -= round(browser.execute_script("return scrollY"))
    for finger, way in zip(fingers, (-1, 1), strict=True):
        finger.create_pointer_move(duration=0, x=x + 20 * way, y=y)
        finger.create_pointer_down(button=0)
        for step in range(1, 7):
            finger.create_pointer_move(duration=50, x=x + way * (20 + 10 * step), y=y)
        finger.create_pointer_up(button=0)
    action.perform()
    time.sleep(0.2)
    # They were 40 pixels apart, and then 160.
    assert float(value(browser, "aria-valuetext").split("zoom ")[1]) == pytest.approx(4, rel=0.3)


BOX = (("x", "width"), ("y", "height"))
