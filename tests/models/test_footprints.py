"""What cards state of packaged networks, against the networks."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

import srkit
from srkit.adapters.pytorch.runtime import network
from srkit.adapters.pytorch.runtime.footprint import bytes_per_pixel
from srkit.adapters.pytorch.runtime.receptive import receptive_radius
from srkit.adapters.pytorch.runtime.streaming import cost_of
from srkit.card import Footprint
from srkit.models.footprints import FOOTPRINTS


def packaged():
    """Every packaged network whose card states how far it sees."""
    for name in srkit.list_models():
        card = srkit.card(name)
        for scale, weights in card.weights.items():
            if weights.source == "packaged" and card.radius_at(scale) is not None:
                yield name, scale


@pytest.mark.parametrize(("name", "scale"), sorted(packaged()))
def test_cards_state_what_is_measured_of_packaged_networks(name, scale):
    model = srkit.load(name, scale=scale, device="cpu", precision="float32", runtime="torch")
    graph = model._full.graph
    channels = 1 if model.card.colour == "luma" else 3
    tile = bytes_per_pixel(graph, channels, model.card.multiple)
    strips = cost_of(graph, channels, model.card.multiple)
    measured = Footprint(model.parameters, tile, strips.column, strips.pixel)
    stated = srkit.card(name).weights[scale].footprint
    assert stated is not None, f"to be stated: {measured}"
    assert dataclasses.astuple(stated) == pytest.approx(dataclasses.astuple(measured), rel=1e-6)
    assert (model.strip_bytes(8, 100), model.bytes_per_pixel) == pytest.approx(
        (max(100 * (strips.column + 8 * strips.pixel) + 4 * channels * 800, 800 * tile), tile)
    )
    assert model.radius == receptive_radius(graph)
    assert model.streams
    assert not model._full.plan.wants_height


def test_every_figure_is_of_a_packaged_network():
    assert set(FOOTPRINTS) <= set(packaged())


def test_a_packaged_network_is_neither_traced_nor_measured_to_be_loaded(monkeypatch):
    def fail(*args):
        raise AssertionError("it is in the card")

    monkeypatch.setattr(network, "trace", fail)
    monkeypatch.setattr(network, "cost_of", fail)
    monkeypatch.setattr(network, "bytes_per_pixel", fail)
    model = srkit.load("fsrcnn", device="cpu", precision="float32")
    assert model.radius == srkit.card("fsrcnn").radius_at(2)
    assert model.strip_bytes(8, 10) > 0
    # In one strip, so that there is no need of a plan either.
    assert model.upscale(np.zeros((20, 30), np.uint8)).shape == (40, 60)


def test_another_network_under_a_card_is_measured():
    card = srkit.card("fsrcnn")
    stated = dataclasses.replace(card.weights[2].footprint, parameters=1, tile=1.0)
    weights = {2: dataclasses.replace(card.weights[2], footprint=stated)}
    other = dataclasses.replace(card, weights=weights, scales=(2,))
    srkit.register(other, replace=True)
    try:
        model = srkit.load("fsrcnn", device="cpu", precision="float32")
    finally:
        srkit.models.loading.REGISTRY._added.pop("fsrcnn")
    assert model.bytes_per_pixel == pytest.approx(card.weights[2].footprint.tile)
