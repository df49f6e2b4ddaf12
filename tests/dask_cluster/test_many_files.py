import csv
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from distributed import Client, LocalCluster
from exactness import EXACT
from pyarrow import parquet
from skimage import data

import srkit
import srkit.dask
from srkit.batch.work import Request
from srkit.errors import ClusterError, OptionError
from srkit.imaging.files.reading import read_image


def results(folder):
    """Files and when they were written."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".srkit" not in path.parts)
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def upscale(client, photos, out, **options):
    return srkit.dask.upscale_files([photos], out, "espcn", scale=2, client=client, **options)


def test_files_become_what_one_machine_makes_of_them(client, photos, tmp_path):
    report = upscale(client, photos, tmp_path / "out", **EXACT)
    assert (report.written, report.skipped, report.failures) == (5, 0, [])
    model = srkit.load("espcn", scale=2, **EXACT)
    for name in ("a.png", "more/d.png", "e.png", "c.tif"):
        made = read_image((tmp_path / "out" / name).with_stem(name[-5] + "_espcn_x2"))
        assert np.array_equal(made.pixels, model.upscale(photos / name).pixels), name


def test_a_second_call_does_what_is_missing_changed_or_asked_otherwise(client, photos, tmp_path):
    out = tmp_path / "out"
    upscale(client, photos, out)
    first = results(out)
    assert len(first) == 5
    assert upscale(client, photos, out).skipped == 5
    assert results(out) == first

    (out / "a_espcn_x2.png").unlink()
    srkit.Image(np.zeros((9, 9), np.uint8)).save(photos / "more" / "d.png")
    (out / "c_espcn_x2.tif").write_bytes(b"cut")
    report = upscale(client, photos, out)
    assert (report.written, report.skipped) == (3, 2)
    changed = {name for name, when in results(out).items() if first[name] != when}
    assert changed == {"a_espcn_x2.png", "more/d_espcn_x2.png", "c_espcn_x2.tif"}
    assert read_image(out / "more" / "d_espcn_x2.png").pixels.shape == (18, 18)

    report = upscale(client, photos, out, request=Request(quality=50))
    assert (report.written, report.skipped) == (5, 0)


def test_relative_paths_are_those_of_the_caller_and_results_may_be_moved(
    client, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    report = upscale(client, "photos", "out")
    assert (report.written, report.failures) == (5, [])
    assert len(results(tmp_path / "out")) == 5
    (tmp_path / "out").rename(tmp_path / "moved")
    assert upscale(client, "photos", "moved").skipped == 5


def test_files_of_others_are_not_replaced_unless_told(client, photos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a_espcn_x2.png").write_bytes(b"mine")
    report = upscale(client, photos, out)
    assert report.written == 4
    assert [failure.path for failure in report.failures] == [str(photos / "a.png")]
    assert "exists" in report.failures[0].reason
    assert (out / "a_espcn_x2.png").read_bytes() == b"mine"
    assert upscale(client, photos, out, overwrite=True).written == 1
    assert read_image(out / "a_espcn_x2.png").height == 120


def test_what_fails_is_tried_again_and_told_with_the_rest_done(client, photos, tmp_path):
    (photos / "bad.png").write_bytes((photos / "a.png").read_bytes()[:99])
    report = upscale(client, photos, tmp_path / "out", retries=2, manifest=tmp_path / "m.csv")
    assert report.written == 5
    (failure,) = report.failures
    assert failure.path == str(photos / "bad.png")
    assert "damaged" in failure.reason
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = {row["source"]: row for row in csv.DictReader(file)}
    assert len(rows) == 6
    assert rows[str(photos / "bad.png")]["status"] == "failed"
    assert rows[str(photos / "bad.png")]["attempts"] == "3"
    done = rows[str(photos / "a.png")]
    assert (done["status"], done["attempts"]) == ("done", "1")
    assert int(done["written"]) == (tmp_path / "out" / "a_espcn_x2.png").stat().st_size
    assert done["worker"] in client.nthreads()
    assert not (tmp_path / "out" / "bad_espcn_x2.png").exists()


def test_a_manifest_as_parquet_tells_of_earlier_files_too(client, photos, tmp_path):
    upscale(client, photos, tmp_path / "out")
    upscale(client, photos, tmp_path / "out", manifest=tmp_path / "m.parquet")
    table = parquet.read_table(tmp_path / "m.parquet").to_pydict()
    assert table["status"] == ["done"] * 5
    assert all(seconds > 0 for seconds in table["seconds"])
    for manifest in ("m.txt", "nowhere/m.csv"):
        with pytest.raises((OptionError, FileNotFoundError)):
            upscale(client, photos, tmp_path / "other", manifest=tmp_path / manifest)
        assert not (tmp_path / "other").exists()


def test_urls_are_read_and_written_as_paths_are(client, photos, tmp_path):
    upscale(client, photos, tmp_path / "out", **EXACT)
    places = f"file://{photos}", f"file://{tmp_path / 'there'}"
    report = upscale(client, *places, **EXACT)
    assert (report.written, report.failures) == (5, [])
    for name in results(tmp_path / "out"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert upscale(client, *places, **EXACT).skipped == 5
    lost = upscale(client, f"file://{tmp_path}/lost", places[1])
    assert [failure.path for failure in lost.failures] == [f"file://{tmp_path}/lost"]
    with pytest.raises(OptionError, match="no place that fsspec knows"):
        upscale(client, "nowhere://bucket/a", places[1])


def test_a_killed_worker_loses_nothing(photos, tmp_path):
    for number in range(8):
        pixels = np.ascontiguousarray(data.astronaut()[number : number + 96, :128])
        srkit.Image(pixels).save(photos / f"n{number}.png")
    out = tmp_path / "out"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))
        killed = threading.Event()

        def kill(done, total):
            if done >= 3 and not killed.is_set():
                os.kill(victim, signal.SIGKILL)
                killed.set()

        report = srkit.dask.upscale_files(
            [photos], out, "srresnet", client=client, progress=kill, **EXACT
        )
        assert killed.is_set()
        assert victim not in client.run(os.getpid).values()
    assert (report.written, report.failures) == (13, [])
    model = srkit.load("srresnet", **EXACT)
    for number in range(8):
        made = read_image(out / f"n{number}_srresnet_x4.png")
        assert np.array_equal(made.pixels, model.upscale(photos / f"n{number}.png").pixels)
    assert not list(out.rglob("*.tmp"))


def test_each_process_loads_the_model_once_and_has_few_tasks(client, photos, tmp_path):
    for number in range(20):
        srkit.Image(np.zeros((20, 20, 3), np.uint8)).save(photos / f"n{number}.png")
    held, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            held.append(sum(len(keys) for keys in client.processing().values()))
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    upscale(client, photos, tmp_path / "out")
    stop.set()
    watcher.join()
    assert 0 < max(held) <= 4
    kept = client.run(lambda: len(__import__("srkit.dask.models").dask.models._kept))
    assert set(kept.values()) == {1}


def faults():
    """Pages that the system had to bring for ten arrays of 24 MB, one after the other."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(3_000_000).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is Linux's")
def test_workers_keep_freed_memory_which_dask_tells_them_not_to(client, photos, tmp_path):
    upscale(client, photos, tmp_path / "out")
    # Each array has 5860 pages of 4 KiB; the first may be new.
    assert max(client.run(faults).values()) < 2 * 5860


def test_workers_with_a_resource_do_the_work(photos, tmp_path):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", resources={"GPU": 1}
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster.scale(1)
        asked = {"resources": {"GPU": 1}, "manifest": tmp_path / "m.csv"}
        assert upscale(client, photos, tmp_path / "out", **asked).written == 5
        with pytest.raises(OptionError, match=r"no worker has TPU=2; .*--resources 'TPU=2'"):
            upscale(client, photos, tmp_path / "other", resources={"TPU": 2})


def test_a_gpu_that_no_worker_has_is_told_at_once(client, photos, tmp_path):
    with pytest.raises(OptionError, match="no worker has GPU=1"):
        upscale(client, photos, tmp_path / "out", device="cuda")


def test_a_cluster_that_is_not_there(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("srkit.dask.tasks.PATIENCE", 0.5)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1"):
        upscale("tcp://127.0.0.1:1", photos, tmp_path / "out")
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        pytest.raises(ClusterError, match="no workers"),
    ):
        upscale(cluster.scheduler_address, photos, tmp_path / "out")
