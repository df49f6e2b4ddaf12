"""The comparison page and the notebook's output in a browser: what a user does and sees."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput

from srkit.evaluation.comparison import Comparison

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)
SMALL = np.zeros((60, 80, 3), np.uint8)


def plain(colour):
    """A picture of one colour, but for a white and a black corner at its left."""
    picture = np.full((240, 320, 3), colour, np.uint8)
    picture[:24, :32] = 255
    picture[-24:, :32] = 0
    return picture


@pytest.fixture
def made():
    results = {"red": plain(RED), "green": plain(GREEN), "<b>blue</b>": plain(BLUE)}
    return Comparison(SMALL, 4, results)


@pytest.fixture
def page(made, tmp_path):
    path = tmp_path / "page.html"
    made.to_html(path)
    return path.as_uri()


def seen(window, selector, name):
    """What the window shows of an element; kept where SRKIT_SHOTS names a folder."""
    shot = window.find_element("css selector", selector).screenshot_as_png
    if folder := os.environ.get("SRKIT_SHOTS"):
        Path(folder, f"{name}.png").write_bytes(window.get_screenshot_as_png())
    return np.asarray(PILImage.open(io.BytesIO(shot)).convert("RGB")).astype(int)


def colour_at(pixels, x, y):
    """The colour at shares of width and height."""
    return tuple(pixels[int(y * (len(pixels) - 1)), int(x * (pixels.shape[1] - 1))])


def near(found, colour):
    return np.abs(np.subtract(found, colour)).max() <= 12


def choose(window, name):
    button = window.find_element("css selector", f"input.{name.replace(' ', '.')}")
    # The label is what is clicked where there is one: the button itself is unseen.
    labels = button.find_elements("xpath", "parent::label")
    (labels[0] if labels else button).click()


def boundary(pixels, left, right):
    """Where, as a share of the width, the left colour ends and the right one begins."""
    row = pixels[len(pixels) // 4]  # in the middle is the divider's knob
    lefts = np.flatnonzero(np.abs(row - left).max(axis=1) <= 12)
    rights = np.flatnonzero(np.abs(row - right).max(axis=1) <= 12)
    assert lefts.max() < rights.min()
    assert len(lefts) + len(rights) > 0.95 * len(row)
    return lefts.max() / len(row)


def test_the_divider_is_dragged(browser, page):
    browser.get(page)
    before = boundary(seen(browser, ".frame", "desktop"), RED, GREEN)
    assert before == pytest.approx(0.5, abs=0.01)
    cut = browser.find_element("css selector", ".cut")
    wide = browser.find_element("css selector", ".frame").size["width"]
    # By its lower end, and anywhere on the line: from some way before it to as much beyond.
    for move, aside, above in (
        (120, -8, 8),
        (-300, -8, 8),
        (90, -16, 300),
        (-50, -2, 30),
        (60, -28, 9),
    ):
        now = boundary(seen(browser, ".frame", "before"), RED, GREEN)
        corner = (cut.size["width"] // 2 + aside, cut.size["height"] // 2 - above)
        drag = ActionChains(browser).move_to_element_with_offset(cut, *corner)
        drag.click_and_hold().move_by_offset(move, 0).release().perform()
        after = boundary(seen(browser, ".frame", f"dragged{move}"), RED, GREEN)
        assert after - now == pytest.approx(move / wide, abs=0.01)


def test_places_to_zoom_at_lie_over_the_picture_and_have_names(browser, page):
    browser.get(page)
    small = seen(browser, ".map", "map")
    assert near(colour_at(small, 0.1, 0.1), (0, 0, 0))  # the input
    names = [b.get_attribute("title") for b in browser.find_elements("css selector", ".map input")]
    assert len(set(names)) == 25
    assert (names[0], names[12], names[-1]) == (
        "top, far left",
        "middle, centre",
        "bottom, far right",
    )


def test_any_two_are_compared_and_names_are_text(browser, page):
    browser.get(page)
    choose(browser, "l3")
    choose(browser, "r1")
    assert boundary(seen(browser, ".frame", "chosen"), BLUE, RED) == pytest.approx(0.5, abs=0.01)
    shown = [t.text for t in browser.find_elements("css selector", ".tag") if t.is_displayed()]
    assert shown == ["<b>blue</b>", "red"]
    assert not browser.find_elements("css selector", "figcaption b b")


def test_zoom_moves_all_pictures_in_step(browser, page):
    browser.get(page)
    choose(browser, "x0 y0")
    for zoom, across in ((1, 0.1), (2, 0.2), (4, 0.4)):
        choose(browser, f"z{zoom}")
        for pane in range(1, 4):
            pixels = seen(browser, f".p{pane}", f"zoom{zoom}")
            # Eight pixels from the top, the white corner ends at its share of the picture.
            white = (pixels[8].min(axis=1) > 243).mean()
            assert white == pytest.approx(across, abs=0.02)
        frame = seen(browser, ".frame", f"zoom{zoom}")
        assert near(colour_at(frame, across - 0.02, 0.02), (255, 255, 255)) or zoom == 1
    choose(browser, "x0 y4")
    for pane in range(1, 4):
        assert near(colour_at(seen(browser, f".p{pane}", "below"), 0.2, 0.9), (0, 0, 0))


def test_enlarged_pixels_stay_square(browser, tmp_path):
    checks = (np.indices((24, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Comparison(checks[:12, :16], 2, {"checks": checks}).to_html(tmp_path / "checks.html")
    browser.get((tmp_path / "checks.html").as_uri())
    choose(browser, "z4")
    pixels = seen(browser, ".p1", "pixels")
    assert ((pixels < 12) | (pixels > 243)).mean() > 0.99


def test_nothing_is_fetched_and_nothing_complains(browser, page):
    browser.get(page)
    fetched = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name.slice(0, 5))"
    )
    assert set(fetched) <= {"data:"}
    assert browser.get_log("browser") == []


def test_two_in_one_notebook_are_apart(browser, made, tmp_path):
    other = Comparison(SMALL, 4, {"blue": plain(BLUE), "green": plain(GREEN)})
    outputs = "<hr>".join(c._repr_html_() for c in (made, made, other))
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{outputs}", encoding="utf-8")
    browser.get((tmp_path / "notebook.html").as_uri())
    choose(browser, "l3")  # of the first alone
    frames = browser.find_elements("css selector", ".frame")
    colours = []
    for frame in frames:
        shot = PILImage.open(io.BytesIO(frame.screenshot_as_png)).convert("RGB")
        colours.append(colour_at(np.asarray(shot).astype(int), 0.3, 0.5))
    assert all(map(near, colours, (BLUE, RED, BLUE)))


def test_a_finger_swipes_the_divider(phone, page):
    phone.get(page)
    assert phone.execute_script("return document.documentElement.scrollWidth") <= 390
    before = boundary(seen(phone, ".frame", "phone"), RED, GREEN)
    assert before < 0.15
    frame = phone.find_element("css selector", ".frame").rect
    x, y = frame["x"] + frame["width"] * 0.2, frame["y"] + frame["height"] / 2
    finger = ActionBuilder(phone, mouse=PointerInput("touch", "finger"))
    swipe = finger.pointer_action
    swipe.move_to_location(int(x), int(y)).pointer_down()
    for step in range(1, 11):
        swipe.move_to_location(int(x + step * 15), int(y)).pause(0.05)
    swipe.pause(0.5).pointer_up()
    finger.perform()
    after = boundary(seen(phone, ".frame", "swiped"), RED, GREEN)
    # The divider goes with the finger, but for the first pixels that tell a swipe from a tap.
    assert after - before == pytest.approx(150 / frame["width"], abs=0.08)


def test_on_a_phone_buttons_are_large_enough(phone, page):
    phone.get(page)
    for label in phone.find_elements("css selector", ".row label"):
        assert label.size["height"] >= 32
    choose(phone, "z4")
    choose(phone, "x0 y0")
    pixels = seen(phone, ".p1", "phone-zoom")
    assert (pixels[8].min(axis=1) > 243).mean() == pytest.approx(0.4, abs=0.03)
