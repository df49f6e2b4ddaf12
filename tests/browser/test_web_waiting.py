"""``srkit serve`` in a browser: while the page loads and a job runs, and what is lost or kept."""

import io
import time

import numpy as np
import pytest
from PIL import Image as PILImage
from selenium.webdriver.common.by import By
from skimage import data

pytest.importorskip("starlette", reason="needs pip install 'srkit[web]'")

from page_steps import CSS, choose, choose_other, opened, shot, tick, until, upscale

LARGE = np.ascontiguousarray(data.astronaut().repeat(2, 0).repeat(3, 1)[:, :1500])


def begin(window):
    window.find_element(By.ID, "start").click()
    until(window, lambda w: w.find_element(By.ID, "cancel").is_displayed())
    return window.execute_script("return state.job.id")


def state_of(window, job):
    told = "return fetch('api/jobs/' + arguments[0]).then(a => a.json())"
    return window.execute_script(told, job)["state"]


def files(window):
    return [one.get_attribute("download") for one in window.find_elements(CSS, "#files a")]


def asks_before_it_is_left(window):
    script = (
        "const e = new Event('beforeunload', {cancelable: true}); window.dispatchEvent(e);"
        "return e.defaultPrevented"
    )
    return window.execute_script(script)


def test_a_photo_that_is_chosen_before_the_models_are_there_is_taken(browser, address, tmp_path):
    browser.execute_cdp_cmd("Network.enable", {})
    slow = {"offline": False, "latency": 2500, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    try:
        browser.get(address)
        assert not browser.find_elements(CSS, ".model")
        assert not browser.find_element(By.ID, "controls").is_displayed()
        choose(browser, tmp_path, name="early.png")
    finally:
        quick = {**slow, "latency": 0}
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", quick)
    assert "early.png" in browser.find_element(By.ID, "facts").text
    assert browser.find_element(By.ID, "start").is_enabled()


def test_who_taps_twice_on_upscale_does_not_cancel(phone, address, tmp_path):
    opened(phone, address)
    choose(phone, tmp_path, LARGE, "large.png")
    tick(phone, "bilinear")
    # Two taps at once, at one place: under the finger is now another button.
    phone.execute_script(
        "const box = document.getElementById('start').getBoundingClientRect();"
        "const tap = () => document.elementFromPoint(box.x + 40, box.y + 25).click();"
        "tap(); const wait = setInterval(() => { if (state.job) { clearInterval(wait);"
        "window.under = document.elementFromPoint(box.x + 40, box.y + 25).id; tap(); } }, 20);"
    )
    until(phone, lambda w: w.execute_script("return window.under"))
    time.sleep(0.5)
    assert phone.find_element(By.ID, "job").is_displayed()
    until(phone, lambda w: w.find_element(By.ID, "result").is_displayed())


def test_cancel_keeps_what_is_finished(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path, LARGE, "large.png")
    tick(browser, "bilinear", "bicubic", "lanczos")
    job = begin(browser)
    assert asks_before_it_is_left(browser)
    until(browser, lambda w: "of 3" in w.find_element(By.ID, "told").text)
    until(browser, lambda w: "(1 of 3)" not in w.find_element(By.ID, "told").text)
    browser.find_element(By.ID, "cancel").click()
    until(browser, lambda w: w.find_element(By.ID, "result").is_displayed())
    assert state_of(browser, job) == "cancelled"
    made = files(browser)
    assert 1 <= len(made) <= 2
    assert all(name.endswith("_x4.png") for name in made)  # no comparison
    assert "was not finished" in browser.find_element(By.ID, "error").text
    shot(browser, "web-kept")
    assert asks_before_it_is_left(browser)
    link = browser.find_element(CSS, "#files a").get_attribute("href")
    assert browser.execute_script("return fetch(arguments[0]).then(a => a.status)", link) == 200
    assert "was not finished" in browser.find_element(CSS, "#files .bad").text


def test_another_photo_during_a_job_is_asked_about(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path, LARGE, "large.png")
    assert not asks_before_it_is_left(browser)
    tick(browser, "bicubic", "lanczos")
    job = begin(browser)
    choose_and_answer(browser, tmp_path, yes=False)
    assert browser.find_element(By.ID, "job").is_displayed()
    assert "large.png" in browser.find_element(By.ID, "facts").text
    choose_and_answer(browser, tmp_path, yes=True)
    until(browser, lambda w: "other.png" in w.find_element(By.ID, "facts").text)
    assert not browser.find_element(By.ID, "job").is_displayed()
    until(browser, lambda w: state_of(w, job) == "cancelled")


def choose_and_answer(window, folder, *, yes):
    PILImage.fromarray(LARGE[:90, :90]).save(folder / "other.png")
    window.find_element(By.ID, "other").send_keys(str(folder / "other.png"))
    alert = until(window, lambda w: w.switch_to.alert)
    assert alert.text == "Stop upscaling large.png, and take other.png?"
    alert.accept() if yes else alert.dismiss()


def test_a_model_that_cannot_be_downloaded_does_not_hold_up_the_others(browser, address, tmp_path):
    pytest.importorskip("torch")
    opened(browser, address)
    choose(browser, tmp_path)
    tick(browser, "realesrgan-general", "bilinear")
    upscale(browser)
    assert files(browser) == ["mine_bilinear_x4.png", "mine_comparison.html"]
    told = "realesrgan-general could not be downloaded"
    assert browser.find_element(By.ID, "error").text == told
    assert browser.find_element(CSS, "#files .bad").text == told


def test_results_of_one_photo_stay_beside_each_other(browser, address, tmp_path):
    opened(browser, address)
    choose(browser, tmp_path)
    tick(browser, "bilinear")
    upscale(browser)
    assert browser.find_element(By.ID, "right-tag").text == "after: bilinear"
    assert not browser.find_element(By.ID, "sides").is_displayed()
    tick(browser, "lanczos")
    browser.find_element(By.ID, "start").click()
    until(browser, lambda w: len(files(w)) == 3)
    assert files(browser)[:2] == ["mine_bilinear_x4.png", "mine_lanczos_x4.png"]
    assert browser.find_element(By.ID, "right-tag").text == "lanczos"
    browser.find_element(CSS, "#lefts input[value='1'] + span").click()
    assert browser.find_element(By.ID, "left-tag").text == "bilinear"
    links = [a.get_attribute("href") for a in browser.find_elements(CSS, "#files a")]
    got = "return Promise.all(arguments[0].map(a => fetch(a).then(a => a.status)))"
    assert browser.execute_script(got, links) == [200] * 3
    # Of another photo there are none yet.
    choose_other(browser, tmp_path)
    upscale(browser)
    assert files(browser) == ["other_lanczos_x4.png", "other_comparison.html"]


def test_what_is_transparent_is_white_on_both_sides(browser, address, tmp_path):
    opened(browser, address)
    clear = np.zeros((60, 80, 4), np.uint8)
    clear[:30, :, 3] = 255
    choose(browser, tmp_path, clear, "clear.png")
    tick(browser, "bilinear")
    upscale(browser)
    browser.find_element(By.ID, "to-whole").click()
    png = browser.find_element(By.ID, "stage").screenshot_as_png
    pixels = np.asarray(PILImage.open(io.BytesIO(png)).convert("RGB"))
    height, width = pixels.shape[:2]
    for x in (0.1, 0.9):
        assert pixels[int(0.9 * height), int(x * width)].min() > 250
        assert pixels[int(0.35 * height), int(x * width)].max() < 5
