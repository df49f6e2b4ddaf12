"""``srkit serve`` in a browser: drop a photo, choose, compare with the slider, download."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from ports import free_port
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from skimage import data

pytest.importorskip("gradio", reason="needs pip install 'srkit[web]'")

import srkit

PHOTO = data.astronaut()[:96, 180:300]
MAIN = "import sys; from srkit.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    environment = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("web"))}
    command = [sys.executable, "-c", MAIN, "serve", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process.stdout.readline().split()[0]
        process.terminate()
        assert process.wait(240) == 0


def shot(window, name):
    if folder := os.environ.get("SRKIT_SHOTS"):
        window.save_screenshot(str(Path(folder, f"{name}.png")))


def requested(window):
    """Where the window asked for anything."""
    return set(
        window.execute_script(
            "return performance.getEntriesByType('resource').map(e => new URL(e.name).origin)"
        )
    )


def test_a_photo_is_dropped_compared_and_downloaded(browser, address, tmp_path):
    photo = tmp_path / "mine.png"
    PILImage.fromarray(PHOTO).save(photo)
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    behaviour = {"behavior": "allow", "downloadPath": str(downloads)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    wait = WebDriverWait(browser, 90)
    browser.get(address)
    wait.until(lambda w: w.find_elements(By.CSS_SELECTOR, "#models input"))
    shot(browser, "web-empty")
    browser.find_element(By.CSS_SELECTOR, "#photo input[type=file]").send_keys(str(photo))
    wait.until(lambda w: "mine" in w.find_element(By.ID, "photo").text)
    for label in browser.find_elements(By.CSS_SELECTOR, "#models label"):
        ticked = label.find_element(By.TAG_NAME, "input").is_selected()
        if ticked != (label.text.strip() in ("bicubic", "lanczos")):
            label.click()
    browser.find_element(By.ID, "compare").click()
    frame = wait.until(lambda w: w.find_elements(By.CSS_SELECTOR, "#shown iframe"))[0]
    browser.execute_script("arguments[0].scrollIntoView()", frame)
    browser.switch_to.frame(frame)
    wait.until(lambda w: w.find_elements(By.CSS_SELECTOR, ".cut"))
    names = [label.text for label in browser.find_elements(By.CSS_SELECTOR, "figcaption b")]
    assert names == ["input", "bicubic", "lanczos"]
    browser.find_element(By.CSS_SELECTOR, "input.z2").find_element(By.XPATH, "..").click()
    shot(browser, "web-compared")
    browser.switch_to.default_content()
    links = browser.find_elements(By.CSS_SELECTOR, "#files a[download]")
    assert [link.get_attribute("download") for link in links] == [
        "mine_bicubic_x4.png", "mine_lanczos_x4.png", "mine_comparison.html",
    ]  # fmt: skip
    browser.execute_script("arguments[0].scrollIntoView()", links[0])
    links[0].click()
    made = downloads / "mine_bicubic_x4.png"
    wait.until(lambda _: made.exists())
    np.testing.assert_array_equal(
        np.asarray(PILImage.open(made)), srkit.upscale(PHOTO, "bicubic", scale=4)
    )
    assert requested(browser) == {address.rstrip("/")}


def test_without_a_photo_the_page_says_so(browser, address):
    browser.get(address)
    wait = WebDriverWait(browser, 60)
    wait.until(lambda w: w.find_elements(By.ID, "compare"))[0].click()
    wait.until(lambda w: "Drop a photo first." in w.find_element(By.TAG_NAME, "body").text)
    shot(browser, "web-error")
