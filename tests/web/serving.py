"""The page of ``srkit serve`` in a process of its own, and what a program says to it by HTTP."""

import contextlib
import io
import os
import subprocess
import sys
import time

import httpx
from PIL import Image as PILImage
from ports import free_port
from skimage import data

PHOTO = data.astronaut()[:48, 200:264]
API = "/api"
WEB = httpx.Client(timeout=120)  # machines that test have other work, too


# In a process of its own, as for a user.
PROGRAM = """
import sys
{before}
from srkit.web import page as web
{setting}
with web.serving({host!r}, port={port}, kept={kept}) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def served(folder, *, before="", setting="", kept=600, host="127.0.0.1", paths=()):
    """The page in a process whose temporary files are in `folder`, after some lines of code."""
    program = PROGRAM.format(before=before, setting=setting, host=host, port=free_port(), kept=kept)
    found = [*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"TMPDIR": str(folder), "PYTHONPATH": os.pathsep.join(found)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            yield process.stdout.readline().strip().rstrip("/")
        finally:
            process.stdin.close()
            process.wait(240)


def encoded(pixels, kind="PNG"):
    file = io.BytesIO()
    PILImage.fromarray(pixels).save(file, kind)
    return file.getvalue()


def send(address, content, name="photo.png"):
    return WEB.post(f"{address}{API}/upload", params={"name": name}, content=content)


def upload(address, content, name="photo.png"):
    """The id that the page gives a photo."""
    answer = send(address, content, name)
    answer.raise_for_status()
    return answer.json()["photo"]


def start(address, photo, models, scale=4, **more):
    asked = {"photo": photo, "scale": scale, "models": models, **more}
    return WEB.post(f"{address}{API}/jobs", json=asked)


def look(address, started):
    return WEB.get(f"{address}{API}/jobs/{started.json()['id']}").json()


def finish(address, started):
    """What a job came to, and what is told of it: of a refused one, why."""
    if started.status_code != 202:
        return "refused", started.json()["error"]
    while (told := look(address, started))["state"] in ("waiting", "running"):
        time.sleep(0.1)
    return told["state"], told.get("result") or told.get("error")


def run(address, photo, models, scale=4, **more):
    return finish(address, start(address, photo, models, scale, **more))


def run_to_files(address, photo, models, scale=4, **more):
    """The results as downloads: names and contents."""
    started = start(address, photo, models, scale, **more)
    state, result = finish(address, started)
    assert state == "done", result
    names = [one["file"] for one in result["results"]] + [result["page"]]
    folder = f"{address}{API}/jobs/{started.json()['id']}/files"
    return {name: WEB.get(f"{folder}/{name}").content for name in names}
