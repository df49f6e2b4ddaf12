"""The page of ``srkit serve`` in a process of its own, and what a program says to it by HTTP."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys

import httpx
from PIL import Image as PILImage
from ports import free_port
from skimage import data

PHOTO = data.astronaut()[:48, 200:264]
API = "/gradio_api"
WEB = httpx.Client(timeout=120)  # machines that test have other work, too


# In a process of its own: Gradio leaves sockets open that pytest would complain of here.
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


def upload(address, content, name="photo.png"):
    answer = WEB.post(f"{address}{API}/upload", files={"files": (name, content)})
    answer.raise_for_status()
    return answer.json()[0]


def start(address, path, models, scale="x4"):
    photo = path and {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [photo, scale, models]}
    return WEB.post(f"{address}{API}/call/compare", json=asked)


def finish(address, started):
    """The name of the last event, and its data."""
    url = f"{address}{API}/call/compare/{started.json()['event_id']}"
    events = re.findall(r"event: (\w+)\ndata: (.*)", WEB.get(url).text)
    return events[-1][0], json.loads(events[-1][1])


def run(address, path, models, scale="x4"):
    return finish(address, start(address, path, models, scale))
