"""A real, headless Chromium, driven through its own driver."""

import os
import shutil
import subprocess
import sys

import pytest

MAIN = "import sys; from srkit.cli import main; sys.exit(main())"


def _start(mobile):
    from selenium import webdriver

    browser = shutil.which("chromium")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no Chromium with its driver (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    # In containers Chromium can make no sandbox of its own; it opens nothing but our pages.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    if mobile:
        metrics = {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    else:
        options.add_argument("--window-size=1200,1000")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


@pytest.fixture(scope="module")
def browser():
    """A window of 1200x1000 with a mouse."""
    window = _start(mobile=False)
    yield window
    window.quit()


@pytest.fixture(scope="module")
def phone():
    """A screen of 390x844 with a finger."""
    window = _start(mobile=True)
    yield window
    window.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page of ``srkit serve``."""
    from ports import free_port

    # Nothing was downloaded, and nothing can be.
    folders = {"TMPDIR": "web", "SRKIT_CACHE": "cache"}
    environment = {name: str(tmp_path_factory.mktemp(folder)) for name, folder in folders.items()}
    environment = {**os.environ, **environment, "https_proxy": f"http://127.0.0.1:{free_port()}"}
    command = [sys.executable, "-c", MAIN, "serve", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process.stdout.readline().split()[0]
        process.terminate()
        assert process.wait(240) == 0
