"""A real cluster of two worker processes, and pictures."""

import numpy as np
import pytest
from distributed import Client, LocalCluster
from skimage import data

import srkit


@pytest.fixture(scope="session")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def photos(tmp_path):
    """A folder of five small pictures, one of them below another folder and one of 16 bits."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    cat = data.cat()
    places = ["a.png", "b.jpg", "c.tif", "more/d.png", "e.png"]
    for number, place in enumerate(places):
        pixels = cat[20 * number : 20 * number + 60, 100:180]
        if place == "e.png":
            pixels = pixels.astype(np.uint16) * 257
        srkit.Image(np.ascontiguousarray(pixels)).save(folder / place)
    return folder
