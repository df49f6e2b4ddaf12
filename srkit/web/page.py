"""A page on this machine: drop a photo, choose models, compare, download.

Needs ``pip install "srkit[web]"``. The page is made by Gradio, whose telemetry is off.
"""

from __future__ import annotations

import os

# Gradio reads both when it is imported, and huggingface_hub with it.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import atexit
import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr
from starlette.middleware import Middleware

from srkit.errors import OptionError, SrkitError
from srkit.models import loading
from srkit.models.weights import missing_for
from srkit.web.door import Door, Quota
from srkit.web.worker import Worker

log = logging.getLogger(__name__)

MAX_BYTES = 20_000_000  # of an upload
MAX_PIXELS = 2_000_000  # of a photo: at x4 its result has 32 megapixels
MOST_KEPT = 1_000_000_000  # bytes of all photos and results; beyond, no more are taken
UPLOAD_SECONDS = 300  # for an upload
JOB_SECONDS = 1800  # for a job
MOST_WAITING = 10  # jobs in the queue
KEPT = 1800  # seconds that a photo and its results can be downloaded
SCALES = (2, 4)
_FIRST = ("bicubic", "photo", "srresnet")  # what is ticked in the beginning
_UPLOADS = "/upload"  # end of Gradio's address for them
_worker = Worker()
atexit.register(_worker.end)


def offered(scale: int) -> list[str]:
    """Names of the models for `scale` for which all is installed.

    Examples
    --------
    >>> "bicubic" in offered(4), "neural-enhance-repair" in offered(4)
    (True, False)
    """
    names = []
    for name in loading.list_models():
        try:
            card = loading.card(name)
        except SrkitError as error:  # a broken plugin does not take the page along
            log.warning("%s is left out: %s", name, error)
            continue
        if scale in card.scales and not missing_for(card):
            names.append(name)
    return names


@contextlib.contextmanager
def serving(host: str = "127.0.0.1", port: int = 7860, *, kept: int = KEPT) -> Iterator[str]:
    """Serve the page while the block runs.

    Parameters
    ----------
    host
        Address to listen at; the default is seen by this machine alone. Requests that other
        sites send, or that come under a name that is not this machine's, are refused.
    port
        Where; no other is taken in its place.
    kept
        Seconds after which photos and results are deleted. All are at the end.

    Yields
    ------
    str
        The page's address.

    Raises
    ------
    OptionError
        If the port is taken, or cannot be listened at.

    Examples
    --------
    ::

        with serving(port=8000) as address:
            webbrowser.open(address)
            input("Enter ends it")
    """
    before = os.environ.get("GRADIO_TEMP_DIR")
    with TemporaryDirectory(prefix="srkit-web-") as folder:
        jobs, shared = Path(folder, "jobs"), Path(folder, "shared")
        jobs.mkdir()
        # Where Gradio puts uploads and results; it is read while the page is made.
        os.environ["GRADIO_TEMP_DIR"] = str(shared)
        page = _page(kept, jobs)
        end = threading.Event()
        sweeper = threading.Thread(target=_sweep, args=(shared, kept, end), daemon=True)
        try:
            address = _launched(page, host, port, shared)
            sweeper.start()
            yield address
        finally:
            end.set()
            page.close(verbose=False)
            _worker.end()
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before


def _launched(page: gr.Blocks, host: str, port: int, shared: Path) -> str:
    door = Middleware(
        Door,
        host=host,
        uploads=_UPLOADS,
        quota=Quota(shared, MOST_KEPT),
        largest=2 * MAX_BYTES,
        seconds=UPLOAD_SECONDS,
    )
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            max_file_size=MAX_BYTES,
            app_kwargs={"middleware": [door]},
            theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            prevent_thread_lock=True,
            share=False,
            ssr_mode=False,
            enable_monitoring=False,
            footer_links=[],
            quiet=True,
        )
    except OSError as error:
        raise OptionError(f"the page cannot be served at {host}:{port}: {error}") from error
    return str(address)


def _sweep(folder: Path, kept: int, end: threading.Event) -> None:
    """Delete what is older than `kept` seconds, until the end.

    Gradio's own cleaning forgets some uploads.
    """
    while not end.wait(min(60, kept)):
        for path in folder.rglob("*"):
            # Gradio may move it at this moment.
            with contextlib.suppress(OSError):
                if path.is_file() and time.time() - path.stat().st_ctime > kept:
                    path.unlink()


def _page(kept: int, jobs: Path) -> gr.Blocks:
    def job(photo: str | None, scale: str, models: list[str]) -> Iterator[tuple[str, list[str]]]:
        yield from _compare(photo, scale, models, jobs)

    with gr.Blocks(analytics_enabled=False, title="srkit") as page:
        gr.Markdown(
            "# srkit\nDrop a photo, choose models, and compare what they make of it. "
            f"At most {MAX_BYTES // 10**6} MB and {MAX_PIXELS / 10**6:g} megapixels. "
            f"Nothing is sent to any other program, and nothing is kept for longer than "
            f"{kept / 60:g} minutes."
        )
        with gr.Row():
            photo = gr.File(label="photo", file_types=["image"], elem_id="photo")
            with gr.Column():
                scale = gr.Radio([f"x{s}" for s in SCALES], value="x4", label="scale")
                models = gr.CheckboxGroup(**_choices(4), label="models", elem_id="models")
                button = gr.Button("compare", variant="primary", elem_id="compare")
        shown = gr.HTML(elem_id="shown")
        files = gr.File(label="download", file_count="multiple", interactive=False, elem_id="files")
        scale.change(
            lambda text: gr.CheckboxGroup(**_choices(int(text[1:]))),
            scale,
            models,
            api_visibility="private",
        )
        button.click(
            job,
            [photo, scale, models],
            [shown, files],
            api_name="compare",
            concurrency_limit=1,
        )
    return page.queue(max_size=MOST_WAITING, default_concurrency_limit=1)


def _choices(scale: int) -> dict[str, list[str]]:
    names = offered(scale)
    return {"choices": names, "value": [name for name in _FIRST if name in names]}


def _compare(
    photo: str | None, scale_text: str, models: Sequence[str], jobs: Path
) -> Iterator[tuple[str, list[str]]]:
    """Upscale the photo by the models: the page to show, and files to download."""
    if photo is None:
        raise gr.Error("Drop a photo first.", print_exception=False)
    scale = int(scale_text.removeprefix("x"))
    # A request need not come from the page: any other text could name a file of this machine.
    if not models or not set(models) <= set(offered(scale)):
        raise gr.Error(f"Choose models that exist for x{scale}.", print_exception=False)
    if Quota(jobs.parent, MOST_KEPT).free < 0:
        raise gr.Error("There is no room for more results; try again later.", print_exception=False)
    # Gradio copies what it is given into its own folder, and asks for more: then this one goes.
    with TemporaryDirectory(dir=jobs) as folder:
        try:
            files = _made(Path(photo), list(dict.fromkeys(models)), scale, Path(folder))
        except SrkitError as error:
            told = str(error).replace(photo, Path(photo).name)
            raise gr.Error(told, print_exception=False) from error
        html = escape(files[-1].read_text(encoding="utf-8"))
        # In a frame of its own neither page's styles reach the other; it may run nothing.
        frame = (
            '<iframe title="comparison" sandbox="" style="width:100%;height:90vh;border:0" '
            f'srcdoc="{html}"></iframe>'
        )
        yield frame, [str(file) for file in files]


def _made(photo: Path, models: list[str], scale: int, folder: Path) -> list[Path]:
    """Each model's result as a file, and the comparison as a page."""
    return _worker.made(photo, models, scale, folder, max_pixels=MAX_PIXELS, seconds=JOB_SECONDS)
