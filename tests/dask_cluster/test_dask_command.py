"""`srkit upscale --dask`, with schedulers and workers as users start them."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest
import tifffile
import zarr
from ports import free_port
from skimage import data

import srkit
from srkit.cli import main
from srkit.imaging.files.reading import read_image


def command(*arguments):
    return [
        sys.executable,
        "-c",
        "import srkit.cli; raise SystemExit(srkit.cli.main())",
        *arguments,
    ]


def results(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.png")}


def wait_until(condition, process, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


@contextlib.contextmanager
def started(*arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def scheduler_and_workers(port):
    address = f"tcp://127.0.0.1:{port}"
    with (
        started("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard") as head,
        started("worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"),
    ):
        yield head


def test_a_scheduler_that_dies_is_told_of_and_the_next_does_what_is_missing(tmp_path):
    photos, out, port = tmp_path / "photos", tmp_path / "out", free_port()
    photos.mkdir()
    for number in range(10):
        pixels = np.ascontiguousarray(data.astronaut()[number : number + 64, :96])
        srkit.Image(pixels).save(photos / f"n{number}.png")
    given = command(
        "upscale", str(photos), "-o", str(out), "-m", "srresnet", "--self-ensemble",
        "--dask", f"tcp://127.0.0.1:{port}",
    )  # fmt: skip
    with scheduler_and_workers(port) as scheduler:
        first = subprocess.Popen(given, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: len(results(out)) >= 3, first)
        scheduler.kill()
        _, told = first.communicate(timeout=120)
    assert first.returncode == 1
    assert "the scheduler was lost in mid-work; give the same command again" in told
    recorded = {
        entry["target"]
        for part in (out / ".srkit").glob("*.jsonl")
        for entry in map(json.loads, part.read_text().splitlines())
        if entry["status"] == "done"
    }
    before = results(out)
    assert 1 <= len(recorded) < 10
    with scheduler_and_workers(port):
        second = subprocess.run(given, capture_output=True, text=True, timeout=200)
    assert second.returncode == 0, second.stderr
    after = results(out)
    assert len(after) == 10
    assert {name: after[name] for name in recorded} == {name: before[name] for name in recorded}
    assert f"srkit: {10 - len(recorded)} written, {len(recorded)} skipped" in second.stderr
    made = read_image(out / "n7_srresnet_x4.png").pixels.astype(int)
    one = srkit.load("srresnet", precision="float32").upscale(photos / "n7.png", self_ensemble=True)
    # The command lets workers take bfloat16 where they have units for it.
    assert np.abs(made - one.pixels).max() <= 4


def test_local_workers_and_a_failure(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    srkit.Image(data.cat()[:40, :50].copy()).save(photos / "a.png")
    (photos / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    told = main(
        ["upscale", str(photos), "-o", str(tmp_path / "out"), "-m", "bicubic", "--scale", "2",
         "--dask", "local", "--manifest", str(tmp_path / "m.csv")]
    )  # fmt: skip
    captured = capsys.readouterr()
    assert told == 1
    assert captured.out == f"{tmp_path / 'out'}\n"
    assert "srkit: 1 written, 1 failed:" in captured.err
    assert f"{photos / 'b.png'}: the PNG file is truncated" in captured.err
    want = srkit.load("bicubic", scale=2).upscale(photos / "a.png").pixels
    assert np.array_equal(read_image(tmp_path / "out" / "a_bicubic_x2.png").pixels, want)
    assert (tmp_path / "m.csv").read_text().count("\n") == 3


def test_for_programs_the_same_is_told_as_of_work_here(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    cat = PIL.Image.fromarray(data.cat()[:40, :50])
    cat.save(photos / "a.jpg", comment=b"by Ann")
    cat.save(photos / "b.png")
    (photos / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    given = ["upscale", str(photos), "-m", "bicubic", "--scale", "2", "--format", "webp", "--json"]
    assert main([*given, "-o", str(tmp_path / "here")]) == 1
    here = json.loads(capsys.readouterr().out)
    assert main([*given, "-o", str(out), "--dask", "local"]) == 1
    captured = capsys.readouterr()
    there = json.loads(captured.out)
    assert json.loads(json.dumps(there).replace(str(out), str(tmp_path / "here"))) == here
    # By the formats: WebP has no place for a comment, and a signature alone is no PNG.
    assert there["written"] == [
        {
            "source": str(photos / "a.jpg"),
            "target": str(out / "a_bicubic_x2.webp"),
            "left_out": ["WebP holds no comment: left out"],
            "decided": {},
        },
        {
            "source": str(photos / "b.png"),
            "target": str(out / "b_bicubic_x2.webp"),
            "left_out": [],
            "decided": {},
        },
    ]
    assert [failure["source"] for failure in there["failed"]] == [str(photos / "c.png")]
    assert [failure["kind"] for failure in there["failed"]] == ["CorruptFileError"]
    assert "srkit: 2 written, 1 failed:" in captured.err
    # Given again, what is done is done.
    assert main([*given, "-o", str(out), "--dask", "local"]) == 1
    again = json.loads(capsys.readouterr().out)
    assert again["written"] == []
    assert again["skipped"] == [
        {key: one[key] for key in ("source", "target")} for one in there["written"]
    ]
    assert again["failed"] == there["failed"]


def test_for_programs_a_huge_picture_is_told_of_as_one_file(tmp_path, capsys):
    source, target = tmp_path / "a.tif", tmp_path / "b.zarr"
    grey = np.ascontiguousarray(data.cat()[..., 0])
    tifffile.imwrite(source, grey, metadata=None, resolution=(300, 300), resolutionunit=2)
    given = ["upscale", "-m", "bicubic", "--scale", "2", "--dask", "local", "--json"]
    assert main([*given, str(source), "-o", str(target)]) == 0
    told = json.loads(capsys.readouterr().out)
    (left_out,) = told["written"][0].pop("left_out")
    assert left_out.startswith("Zarr holds no resolution of 300 dpi")
    assert told == {
        "model": "bicubic",
        "options": {"scale": 2},
        "written": [{"source": str(source), "target": str(target), "decided": {}}],
        "skipped": [],
        "failed": [],
    }
    (tmp_path / "letter.tif").write_bytes(b"Dear reader")
    assert main([*given, str(tmp_path / "letter.tif"), "-o", str(tmp_path / "c.zarr")]) == 1
    told = json.loads(capsys.readouterr().out)
    (failure,) = told["failed"]
    assert failure["source"] == str(tmp_path / "letter.tif")
    assert "only Zarr and TIFF are upscaled in blocks" in failure["reason"]
    assert main([*given, str(tmp_path / "none.tif"), "-o", str(tmp_path / "c.zarr")]) == 1
    told = json.loads(capsys.readouterr().out)["failed"]
    assert told == [
        {
            "source": str(tmp_path / "none.tif"),
            "reason": os.strerror(errno.ENOENT),
            "kind": "FileNotFoundError",
        }
    ]
    # A folder that the result has no place in is no fault of the source.
    assert main([*given, str(source), "-o", str(tmp_path / "none" / "c.zarr")]) == 1
    assert capsys.readouterr().out == ""


def test_one_huge_picture_in_blocks(tmp_path, capsys):
    source, target = tmp_path / "a.zarr", tmp_path / "b.zarr"
    grey = np.ascontiguousarray(data.cat()[..., 0])
    array = zarr.create_array(store=str(source), shape=grey.shape, chunks=(99, 99), dtype="uint8")
    array[:] = grey
    arguments = ["upscale", str(source), "-m", "bicubic", "--scale", "2", "--dask", "local"]
    assert main([*arguments, "-o", str(target)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{target}\n"
    assert captured.err.startswith("srkit: 1 blocks in ")
    made = zarr.open_array(target, mode="r")[:]
    assert np.array_equal(made, srkit.load("bicubic", scale=2).upscale(grey))
    assert main([*arguments, "-o", str(target)]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.png", "--dask", "local"], "name it by -o"),
        (["a.png", "--dask", "local", "-o", "out", "--skip-existing"], "drop --skip-existing"),
        (["a.png", "--dask", "local", "-o", "out.png"], "name a folder for files, or a .zarr"),
        (["a.zarr", "--dask", "local", "-o", "b.zarr", "--width", "9"], "--width is not for"),
        (["s3://bucket/a.png"], "has no folder for its result: add -o"),
        (["s3://bucket/a.png", "s3://bucket/b.png"], "--dask"),
        (["a.png", "--manifest", "m.csv"], "--manifest is for --dask"),
    ],
)
def test_arguments_that_make_no_sense(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["upscale", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
