"""A file under its final name is whole, whatever the disk takes and whoever is killed."""

import errno
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from srkit import atomic
from srkit.atomic import replacing, replacing_folder
from srkit.imaging.files.reading import read_image
from srkit.imaging.files.writing import save_image
from srkit.imaging.image import Image

posix = pytest.mark.skipif(os.name != "posix", reason="limits and locks are POSIX's")
PIXELS = np.random.default_rng(0).integers(0, 256, (96, 120, 3), np.uint8)

# A process that may not write files of more bytes than it is told: what is beyond is not
# taken, and only the write after that fails, as on a full disk.
SMALL_DISK = """
import resource, signal, sys
import numpy as np
import srkit
from pathlib import Path
from srkit.imaging.image import Image
from srkit.imaging.metadata import Metadata
from srkit.imaging.files import by_rows as row_files

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, suffix, by_rows = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "rows"
pixels = np.random.default_rng(0).integers(0, 256, (96, 120, 3), np.uint8)

def write(path):
    if by_rows:
        writer = row_files.writer(path, pixels.dtype)
        step = writer.rows_per_strip(pixels.shape, pixels.dtype)
        strips = (pixels[n : n + step] for n in range(0, len(pixels), step))
        with row_files.placed(path) as file:
            writer.write_rows(file, strips, Metadata("RGB"), pixels.shape, pixels.dtype)
    else:
        Image(pixels).save(path)

def size(path):
    return sum(p.stat().st_size for p in [path, *path.rglob("*")] if p.is_file())

whole = folder / f"whole{suffix}"
write(whole)
most = max(p.stat().st_size for p in [whole, *whole.rglob("*")] if p.is_file())
for allowed in sorted({0, 1, 512, *range(1000, most, most // 23), most - 1}):
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, resource.RLIM_INFINITY))
    made = folder / f"made{suffix}"
    try:
        write(made)
    except OSError:
        assert not made.exists(), allowed
    else:
        raise AssertionError(f"{allowed} bytes of {most} were enough")
    assert not [p for p in folder.iterdir() if p != whole], allowed
resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
write(made)
assert size(made) == size(whole)
print("done")
"""


@posix
@pytest.mark.parametrize(
    ("suffix", "how"),
    [(s, "whole") for s in (".jpg", ".bmp", ".webp", ".avif", ".png", ".tif", ".zarr")]
    + [(s, "rows") for s in (".png", ".tif", ".zarr")],
)
def test_a_small_disk_gets_the_whole_file_or_an_error_and_nothing(tmp_path, suffix, how):
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    command = [sys.executable, "-c", SMALL_DISK, str(tmp_path), suffix, how]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == "done\n", run.stderr


def test_no_encoder_gets_at_the_descriptor(tmp_path):
    with replacing(tmp_path / "a.bin") as file, pytest.raises(io.UnsupportedOperation):
        file.fileno()


@pytest.mark.parametrize("writer", [replacing, replacing_folder])
def test_a_disk_that_refuses_at_the_very_end_leaves_nothing(tmp_path, monkeypatch, writer):
    def refuse(descriptor):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(atomic.os, "fsync", refuse)

    def write():
        with writer(tmp_path / "a") as made:
            if writer is replacing:
                made.write(b"all of it")
            else:
                (made / "chunk").write_bytes(b"all of it")

    with pytest.raises(OSError, match=os.strerror(errno.EDQUOT)):
        write()
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_fsync_is_no_error(tmp_path, monkeypatch):
    def unknown(descriptor):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(atomic.os, "fsync", unknown)
    with replacing(tmp_path / "a") as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"


def killed(tmp_path, code):
    """Run `code` in a process until it says that it waits, then kill -9 it."""
    script = "from srkit.atomic import *\nimport os, sys, time\nfrom pathlib import Path\n"
    wait = "\nprint('waits', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script + textwrap.dedent(code).replace("WAIT", wait.strip())]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waits\n"
        process.send_signal(signal.SIGKILL)


@posix
def test_the_next_run_sweeps_what_a_killed_one_left(tmp_path):
    code = "with replacing('a.png') as file:\n    file.write(bytes(10**6)); file.flush(); WAIT"
    killed(tmp_path, code)
    assert len(list(tmp_path.iterdir())) == 1
    save_image(Image(PIXELS), tmp_path / "b.png")
    assert len(list(tmp_path.iterdir())) == 2  # that of another target is not ours
    save_image(Image(PIXELS), tmp_path / "a.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, PIXELS)


@posix
def test_what_several_killed_runs_left_is_swept_at_once(tmp_path):
    nested = "with replacing('a') as one, replacing('a') as two, replacing('a') as three:\n    WAIT"
    killed(tmp_path, nested)
    assert len(list(tmp_path.iterdir())) == 3
    with replacing(tmp_path / "a") as file:
        file.write(b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@posix
def test_a_folder_that_a_killed_run_left_is_swept(tmp_path):
    killed(tmp_path, "with replacing_folder('a') as f:\n    (f / 'x').write_text('x'); WAIT")
    with replacing_folder(tmp_path / "a") as folder:
        assert not list(folder.iterdir())
        (folder / "y").write_text("y")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "y"]


@posix
def test_a_folder_that_was_moved_aside_when_its_owner_was_killed_comes_back(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").write_text("old")
    code = """
    def stop(self, to, rename=Path.rename):
        if self.suffix == '.tmp': WAIT
        return rename(self, to)
    Path.rename = stop
    with replacing_folder('a') as f: (f / 'new').write_text('new')
    """
    killed(tmp_path, code)
    assert not (tmp_path / "a").exists()

    def fail():
        with replacing_folder(tmp_path / "a"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "old"]


def test_what_a_living_run_writes_is_not_swept(tmp_path):
    with replacing(tmp_path / "a") as first:
        first.write(b"first")
        with replacing(tmp_path / "a") as second:
            second.write(b"second")
        assert (tmp_path / "a").read_bytes() == b"second"
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_many_at_once_for_one_name_each_write_a_whole_file(tmp_path):
    failed = []

    def write(letter):
        try:
            for _ in range(30):
                with replacing(tmp_path / "a") as file:
                    file.write(letter * 10_000)
                assert len(set((tmp_path / "a").read_bytes())) == 1
        except BaseException as error:  # noqa: BLE001  # told by the test
            failed.append(error)

    threads = [threading.Thread(target=write, args=(bytes([65 + n]),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["n" * 256, "loop"])
def test_a_name_that_no_file_can_have_is_told_before_anything_is_written(tmp_path, name):
    if name == "loop":
        (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r".") as told:  # noqa: SIM117
        with replacing(tmp_path / name):
            raise AssertionError
    assert told.value.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
