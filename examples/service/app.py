"""A service that upscales pictures by HTTP: uvicorn app:app. See docs/service.md."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

import srkit

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MAX_BYTES, MAX_PIXELS, MEMORY = 10_000_000, 4_000_000, 500_000_000
PLACES, SECONDS = 8, 60  # requests at work or waiting, and how long one may take in all
SENDING = 20  # seconds of these for the body to come in

app, model = FastAPI(), srkit.load("photo")
places, worker = asyncio.Semaphore(PLACES), ThreadPoolExecutor(1)  # one picture has all cores


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/upscale")
async def upscale(request: Request) -> Response:
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise HTTPException(415, "this is a form; the body is to be the picture itself")
    if places.locked():
        raise HTTPException(503, "all places are taken", {"Retry-After": "5"})
    async with places:
        over, watch = threading.Event(), None
        try:
            async with asyncio.timeout(SECONDS):
                data = await body_of(request)
                loop = asyncio.get_running_loop()
                job = loop.run_in_executor(worker, work, data, over)
                watch = asyncio.create_task(cancel_if_left(request, job))
                return await job
        except TimeoutError:
            raise HTTPException(504, f"it took more than {SECONDS} s") from None
        except (asyncio.CancelledError, ClientDisconnect):  # the client has left, or we are to stop
            raise HTTPException(503, "given up") from None
        except srkit.ImageTooLargeError:
            raise HTTPException(413, f"more than {MAX_PIXELS} pixels") from None
        except (srkit.ImageError, srkit.CorruptFileError) as error:
            raise HTTPException(415, str(error).removeprefix("<bytes>: ")) from error
        finally:
            over.set()  # who worked for nobody stops after the part at work
            if watch:
                watch.cancel()


async def body_of(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(SENDING):
            async for piece in request.stream():
                data += piece
                if len(data) > MAX_BYTES:
                    raise HTTPException(413, f"more than {MAX_BYTES} bytes")
    except TimeoutError:
        raise HTTPException(408, f"sending it took more than {SENDING} s") from None
    return bytes(data)


async def cancel_if_left(request: Request, job: asyncio.Future[Response]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.cancel()


def work(data: bytes, over: threading.Event) -> Response:
    def going_on(done: int, pixels: int) -> None:
        if over.is_set():
            raise TimeoutError

    image = srkit.read_image(data, max_pixels=MAX_PIXELS)
    if (form := image.metadata.format) not in TYPES:
        raise srkit.ImageError(f"{form} is none of {', '.join(TYPES)}")
    made = io.BytesIO()
    model.upscale(image, memory=MEMORY, progress=going_on).save(made, format=form)
    return Response(made.getvalue(), media_type=TYPES[form])
