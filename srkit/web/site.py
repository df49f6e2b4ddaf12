"""What the page asks by HTTP: to keep a photo, to work on it, how far that is, and the results."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import math
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from srkit.errors import OptionError, SrkitError
from srkit.evaluation.comparison import flat
from srkit.evaluation.gaze import Part, first_look, part_asked_for
from srkit.imaging.files.reading import read_image
from srkit.imaging.image import Image
from srkit.web.desk import Desk, FullError, Job, files_of, told_of
from srkit.web.door import Quota
from srkit.web.kinds import Own, as_file_name, menu, offered, options_of, scales

log = logging.getLogger(__name__)

UPLOADS = "/api/upload"
_PREVIEW_SIDE = 1600
# Bytes of a photo's name: those of results have a model's and settings behind it.
_MOST_NAMED = 120


@dataclass(frozen=True)
class Bounds:
    """How much is taken.

    Attributes
    ----------
    file_bytes
        Of a photo.
    read_pixels, made_pixels
        Of a photo, and of what is upscaled at once.
    """

    file_bytes: int
    read_pixels: int
    made_pixels: int


class RefusedError(Exception):
    """What was asked cannot be done; the text says why."""

    def __init__(self, told: str, status: int = 400) -> None:
        super().__init__(told)
        self.status = status


@dataclass(frozen=True)
class Photo:
    """A photo that was sent."""

    file: Path
    size: tuple[int, int]
    look: Part


class Site:
    """The page and what it asks.

    Parameters
    ----------
    folder
        Where photos and results lie.
    kept
        Seconds for which they do.
    own
        Models that were handed over, by their names.
    first
        Names of models that come along, and first.
    """

    def __init__(
        self,
        folder: Path,
        desk: Desk,
        *,
        bounds: Bounds,
        quota: Quota,
        kept: int,
        own: Own,
        first: Sequence[str],
    ) -> None:
        self._folder, self._desk, self._kept = folder, desk, kept
        self._bounds, self._quota, self._own = bounds, quota, own
        self._first = first
        self._photos: dict[str, Photo] = {}
        # Photos are large when they are read: one at a time.
        self._reading = threading.Lock()

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/", self._page),
            Route("/api/menu", self._menu),
            Route(UPLOADS, self._upload, methods=["POST"]),
            Route("/api/photos/{id}/preview", self._preview),
            Route("/api/jobs", self._start, methods=["POST"]),
            Route("/api/jobs/{id}", self._progress),
            Route("/api/jobs/{id}/cancel", self._cancel, methods=["POST"]),
            Route("/api/jobs/{id}/files/{name}", self._file),
        ]
        return Starlette(routes=routes, exception_handlers={RefusedError: _refused})

    def forget(self) -> None:
        """Forget photos whose files were deleted."""
        for name, photo in list(self._photos.items()):
            if not photo.file.is_file():
                del self._photos[name]

    # --- the page -------------------------------------------------------------------------------

    def _page(self, request: Request) -> Response:
        html, policy = page()
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(html, headers=headers)

    def _menu(self, request: Request) -> Response:
        bounds = self._bounds
        limits = {
            "bytes": bounds.file_bytes,
            "pixels": bounds.made_pixels,
            "read": bounds.read_pixels,
            "minutes": round(self._kept / 60, 1),
        }
        return JSONResponse({**menu(self._own, self._first), "limits": limits})

    # --- photos ---------------------------------------------------------------------------------

    async def _upload(self, request: Request) -> Response:
        folder = self._folder / "photos" / secrets.token_urlsafe(16)
        file = folder / _name(request.query_params.get("name", ""))
        folder.mkdir(parents=True)
        photo = None
        try:
            await self._receive(request, file)
            photo = await run_in_threadpool(self._read, file)
        finally:
            # Whatever went wrong, an upload that was cut off included.
            if photo is None:
                file.unlink(missing_ok=True)
                folder.rmdir()
        self._photos[folder.name] = photo
        width, height = photo.size
        told = {
            "photo": folder.name,
            "name": file.name,
            "width": width,
            "height": height,
            "part": photo.look.box,
            "what": photo.look.what,
        }
        return JSONResponse(told)

    async def _receive(self, request: Request, file: Path) -> None:
        came = 0
        with file.open("wb") as out:
            async for piece in request.stream():
                came += len(piece)
                if came > self._bounds.file_bytes:
                    most = self._bounds.file_bytes // 10**6
                    raise RefusedError(f"The file is larger than {most} MB.", 413)
                out.write(piece)

    def _read(self, file: Path) -> Photo:
        with self._reading:
            try:
                picture = flat(read_image(file, max_pixels=self._bounds.read_pixels))
            except SrkitError as error:
                raise RefusedError(str(error).replace(str(file), file.name), 415) from error
            return Photo(file, (picture.shape[1], picture.shape[0]), first_look(picture))

    async def _preview(self, request: Request) -> Response:
        photo = self._photo(request.path_params["id"])
        return Response(await run_in_threadpool(self._drawn, photo), media_type="image/webp")

    def _drawn(self, photo: Photo) -> bytes:
        """The photo as any browser shows it: not all of them know TIFF or HEIC."""
        with self._reading:
            picture = flat(read_image(photo.file, max_pixels=self._bounds.read_pixels))
        small = Image(picture).to_pil()
        small.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
        file = io.BytesIO()
        small.convert("RGB").save(file, "WEBP", quality=90)
        return file.getvalue()

    def _photo(self, name: object) -> Photo:
        photo = self._photos.get(name) if isinstance(name, str) else None
        if photo is None or not photo.file.is_file():
            raise RefusedError("The photo is not here any more: choose it again.", 404)
        return photo

    # --- jobs -----------------------------------------------------------------------------------

    async def _start(self, request: Request) -> Response:
        try:
            asked = json.loads(await request.body())
        except ValueError as error:
            raise RefusedError("This is no JSON.") from error
        if not isinstance(asked, dict):
            raise RefusedError("This is no job.")
        job = await run_in_threadpool(self._job, asked)
        try:
            self._desk.take(job)
        except FullError as error:
            raise RefusedError("Too many jobs are waiting; try again later.", 503) from error
        return JSONResponse(told_of(job, self._desk), 202)

    def _job(self, asked: dict[str, Any]) -> Job:
        if not asked.get("photo"):
            raise RefusedError("Choose a photo first.")
        photo = self._photo(asked["photo"])
        scale, models = _scale(asked, scales(self._own)), asked.get("models")
        # A request need not come from the page: any other text could name a file of this machine.
        there = set(offered(scale, self._own))
        if not _are_texts(models) or not models or not set(models) <= there:
            raise RefusedError(f"Choose models that exist for x{scale}.")
        options = _options(asked)
        chosen = [(name, options_of(name, options, self._own)) for name in dict.fromkeys(models)]
        part, only = self._part(asked, photo), asked.get("only") is True
        if self._quota.free < 0:
            raise RefusedError("There is no room for more results; try again later.", 507)
        folder = self._folder / "jobs" / secrets.token_urlsafe(16)
        work = {
            "photo": str(photo.file),
            "models": chosen,
            "scale": scale,
            "folder": str(folder),
            "part": part.box,
            "only": only,
            "max_pixels": self._bounds.read_pixels,
        }
        return Job(work, folder, photo.file)

    def _part(self, asked: dict[str, Any], photo: Photo) -> Part:
        try:
            part = part_asked_for(asked["part"], photo.size) if asked.get("part") else photo.look
        except OptionError as error:
            raise RefusedError(str(error)) from error
        size = (part.width, part.height) if asked.get("only") is True else photo.size
        if size[0] * size[1] > self._bounds.made_pixels:
            raise RefusedError(
                f"{size[0]}x{size[1]} pixels are too many: at most "
                f"{self._bounds.made_pixels / 1e6:g} megapixels are upscaled at once. "
                "Choose a smaller part, and only that."
            )
        return part

    def _progress(self, request: Request) -> Response:
        return JSONResponse(told_of(self._found(request), self._desk))

    def _cancel(self, request: Request) -> Response:
        job = self._found(request)
        self._desk.cancel(job)
        return JSONResponse(told_of(job, self._desk))

    def _found(self, request: Request) -> Job:
        job = self._desk.find(request.path_params["id"])
        if job is None:
            raise RefusedError("There is no such job any more.", 404)
        return job

    def _file(self, request: Request) -> Response:
        job, name = self._found(request), request.path_params["name"]
        path = job.folder / name
        if name not in files_of(job.result) or not path.is_file():
            raise RefusedError("The file is not here any more: upscale the photo again.", 404)
        inline = "shown" in request.query_params and path.suffix == ".png"
        return FileResponse(
            path,
            filename=name,
            content_disposition_type="inline" if inline else "attachment",
            headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"},
        )


def page() -> tuple[str, str]:
    """The page, one file with its style and script, and the policy that lets it load no more.

    Examples
    --------
    >>> html, policy = page()
    >>> "src=" in html.split("<body>")[0], "default-src 'none'" in policy
    (False, True)
    """
    here = resources.files("srkit.web")
    html = here.joinpath("page.html").read_text("utf-8")
    allowed = {"css": "", "js": ""}
    for name in ("page.css", "photo.js", "result.js", "page.js"):
        text = here.joinpath(name).read_text("utf-8")
        html = html.replace(f"/* {name} */", text)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed[name.rpartition(".")[2]] += f" 'sha256-{digest}'"
    policy = (
        "default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; "
        f"style-src{allowed['css']}; script-src{allowed['js']}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _name(text: str) -> str:
    """A name for a file, of the one that it had.

    Examples
    --------
    >>> _name("../my photo.JPG"), _name("")
    ('my photo.JPG', 'photo')
    """
    stem, dot, suffix = re.split(r"[/\\]", text)[-1].rpartition(".")
    kept = as_file_name((stem if dot else suffix)[:80], _MOST_NAMED)
    return (kept or "photo") + (dot + re.sub(r"\W", "", suffix)[:8] if dot else "")


def _scale(asked: dict[str, Any], there: list[int]) -> int:
    scale = asked.get("scale")
    if isinstance(scale, bool) or scale not in there:
        raise RefusedError(f"scale is one of {', '.join(map(str, there))}.")
    return int(scale)


def _options(asked: dict[str, Any]) -> dict[str, float | str]:
    """What the sliders say."""
    options: dict[str, float | str] = {}
    for name in ("denoise", "perception"):
        value = asked.get(name)
        if value is None:
            continue
        if name == "denoise" and value == "auto":
            options[name] = value
        elif (share := _share(value)) is not None:
            options[name] = share
        else:
            raise RefusedError(f"{name} is a number from 0 to 1, not {value!r}.")
    return options


def _share(value: object) -> float | None:
    """A number from 0 to 1, or None of anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= 1 else None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 500
    return JSONResponse({"error": str(error)}, status)
