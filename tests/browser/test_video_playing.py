"""Results of `upscale_video` in a browser: they are played, from whatever they were made."""

import base64

import numpy as np
import pytest

av = pytest.importorskip("av", reason="PyAV is not installed")

from PIL import Image

import srkit

# Waits for a frame beyond the first, or for the reason why there is none.
PLAY = """
const done = arguments[arguments.length - 1];
const video = document.createElement("video");
video.muted = true;
video.addEventListener("error", () => done({error: video.error.message}));
video.addEventListener("timeupdate", () => {
    if (video.currentTime > 0.05) done({width: video.videoWidth, height: video.videoHeight});
});
document.body.append(video);
video.src = arguments[0];
video.play().catch(problem => done({error: String(problem)}));
"""


def moving(count):
    y, x = np.mgrid[:48, :64]
    for n in range(count):
        yield np.stack([(x * 3 + 9 * n) % 256, y * 5, 255 - x * 3], -1).astype(np.uint8)


def write(path, codec, form):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, width=64, height=48, pix_fmt=form)
        for rgb in moving(10):
            frame = av.VideoFrame.from_ndarray(rgb).reformat(format=form)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("source", "codec", "form", "target"),
    [
        ("in.gif", "", "", "out.mp4"),
        ("in.mkv", "ffv1", "bgr0", "out.mp4"),
        ("in.avi", "mjpeg", "yuvj444p", "out.mp4"),
        ("in.mov", "prores_ks", "yuv422p10le", "out.mp4"),
        ("in.wmv", "wmv2", "yuv420p", "out.mp4"),
        ("in.webm", "libvpx-vp9", "yuv420p", "out.webm"),
    ],
)
def test_results_are_played(browser, tmp_path, source, codec, form, target):
    if codec:
        write(tmp_path / source, codec, form)
    else:
        frames = [Image.fromarray(rgb) for rgb in moving(10)]
        frames[0].save(tmp_path / source, save_all=True, append_images=frames[1:], duration=100)
    srkit.upscale_video(tmp_path / source, tmp_path / target, "nearest", scale=4)
    browser.get("data:text/html,<body></body>")
    kind = "video/webm" if target.endswith("webm") else "video/mp4"
    content = base64.b64encode((tmp_path / target).read_bytes()).decode()
    browser.set_script_timeout(60)
    assert browser.execute_async_script(PLAY, f"data:{kind};base64,{content}") == {
        "width": 256,
        "height": 192,
    }
