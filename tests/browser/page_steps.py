"""What is done with the page of ``srkit serve`` in a browser, step by step."""

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image as PILImage
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from skimage import data

PHOTO = np.ascontiguousarray(data.astronaut()[:200, 120:360])  # with her face
CSS = By.CSS_SELECTOR


def shot(window, name):
    if folder := os.environ.get("SRKIT_SHOTS"):
        window.save_screenshot(str(Path(folder, f"{name}.png")))


def until(window, asked, seconds=120):
    return WebDriverWait(window, seconds, 0.1).until(asked)


def opened(window, address):
    window.get(address)
    until(window, lambda w: w.find_elements(CSS, ".model"))


def choose(window, folder, pixels=PHOTO, name="mine.png"):
    """Give the page a photo, and wait until it has looked at it."""
    PILImage.fromarray(pixels).save(folder / name)
    window.find_element(By.ID, "file").send_keys(str(folder / name))
    until(window, lambda w: w.find_element(By.ID, "part").is_displayed())


def choose_other(window, folder, pixels=PHOTO[:100], name="other.png"):
    PILImage.fromarray(pixels).save(folder / name)
    window.find_element(By.ID, "other").send_keys(str(folder / name))
    until(window, lambda w: name in w.find_element(By.ID, "facts").text)


def tick(window, *names):
    """Tick these models, and no others."""
    window.execute_script("document.getElementById('more').open = true")
    for box in window.find_elements(CSS, ".model input"):
        if box.is_selected() != (box.get_attribute("value") in names):
            window.execute_script("arguments[0].click()", box)
    ticked = [box.get_attribute("value") for box in window.find_elements(CSS, ".model :checked")]
    assert set(ticked) == set(names)


def ticked(window):
    return [box.get_attribute("value") for box in window.find_elements(CSS, ".model :checked")]


def kind(window, name):
    chips = window.find_elements(CSS, "#kinds .chip")
    next(chip for chip in chips if chip.text == name).click()


def upscale(window):
    window.find_element(By.ID, "start").click()
    until(window, lambda w: w.find_element(By.ID, "result").is_displayed())
    loaded = "return ['left', 'right'].every(id => document.getElementById(id).complete)"
    until(window, lambda w: w.execute_script(loaded))


def value(window, name="aria-valuenow"):
    return window.find_element(By.ID, "stage").get_attribute(name)


def frame(window):
    """Left, top, right and bottom of the part, as shares of the photo that is shown."""
    return window.execute_script(
        "const of = id => document.getElementById(id).getBoundingClientRect();"
        "const [part, photo] = [of('part'), of('photo')];"
        "return [(part.left - photo.left) / photo.width, (part.top - photo.top) / photo.height,"
        "(part.right - photo.left) / photo.width, (part.bottom - photo.top) / photo.height]"
    )


def drag(window, element, start, end, kind="mouse"):
    """Press at one place of an element, given by shares of it, and let go at another."""
    window.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    box = window.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width, r.height]",
        element,
    )
    (x, y), (to_x, to_y) = (
        (box[0] + box[2] * one[0], box[1] + box[3] * one[1]) for one in (start, end)
    )
    action = ActionBuilder(window, mouse=PointerInput(kind, "pointer"))
    pointer = action.pointer_action
    pointer.move_to_location(round(x), round(y)).pointer_down()
    for step in range(1, 9):
        pointer.move_to_location(
            round(x + (to_x - x) * step / 8), round(y + (to_y - y) * step / 8)
        ).pause(0.03)
    pointer.pointer_up()
    action.perform()


def swipe(window, element, start, end):
    """A finger across an element, where that is now."""
    box = window.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width, r.height]",
        element,
    )
    finger = ActionBuilder(window, mouse=PointerInput("touch", "pointer"))
    points = [
        [round(box[k] + box[k + 2] * (a + (b - a) * step / 12)) for k, (a, b) in enumerate(ways)]
        for step in range(13)
        for ways in [list(zip(start, end, strict=True))]
    ]
    finger.pointer_action.move_to_location(*points[0]).pointer_down()
    for point in points[1:]:
        finger.pointer_action.move_to_location(*point).pause(0.03)
    finger.pointer_action.pointer_up()
    finger.perform()
    time.sleep(0.3)
