"""Plugins that take a name of srkit's, and cards that make no sense."""

import pickle

import numpy as np
import pytest
import test_registry
from dummies import card
from test_registry import install, registry

import srkit
import srkit.testing
from srkit.card import ModelCard
from srkit.errors import BrokenPluginError, OptionError, UnknownModelError
from srkit.models import entry_points
from srkit.models.registry import Registry

# --- names ------------------------------------------------------------------------------------


@pytest.fixture
def taken(tmp_path, monkeypatch):
    """A plugin whose model has the name of one of srkit's; so has another's."""
    install(tmp_path, "bold-plugin", "bicubic")
    install(tmp_path, "other-plugin", "bicubic")
    monkeypatch.syspath_prepend(tmp_path)
    entry_points._warn.cache_clear()


@pytest.mark.usefixtures("taken")
def test_a_plugin_does_not_take_a_name_of_srkits(caplog):
    own = srkit.card("bicubic")
    assert own.adapter.startswith("srkit.")
    assert srkit.card("bicubic") == Registry().card("bicubic", "srkit") == own
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2  # once each
    for owner, message in zip(("bold-plugin", "other-plugin"), sorted(told), strict=True):
        assert message.startswith(f"{owner} has a model named 'bicubic', as srkit has")
        assert f"'bicubic@{owner}'" in message
    image = np.zeros((3, 4), np.uint8)
    assert srkit.upscale(image, "bicubic", scale=3).shape == (9, 12)


@pytest.mark.usefixtures("taken")
def test_a_model_whose_name_is_srkits_is_there_under_that_of_its_distribution():
    full = "bicubic@bold-plugin"
    assert srkit.list_models("bicubic") == ["bicubic", full, "bicubic@other-plugin"]
    assert full in srkit.list_models()
    for made in (srkit.load(full), srkit.load("bicubic", dist="bold-plugin")):
        assert made.card == srkit.card(full) == srkit.cards()[full]
        assert (made.card.name, made.card.summary) == (full, "bold-plugin")
    assert pickle.loads(pickle.dumps(srkit.load(full))).card.name == full
    with pytest.raises(UnknownModelError, match=r"mean .*bicubic@bold-plugin"):
        srkit.load("bicubic@bold-plugn")
    labels = {label for label, _, _ in srkit.testing.registered("bicubic")}
    assert labels == {"bicubic-x3", "bicubic-x4", f"{full}-x2", "bicubic@other-plugin-x2"}


def test_the_kit_takes_models_that_share_a_name_one_by_one(tmp_path, monkeypatch):
    for distribution in ("first-plugin", "second-plugin"):
        install(tmp_path, distribution, "shared")
    monkeypatch.syspath_prepend(tmp_path)
    labels = {label for label, _, _ in srkit.testing.registered("shared")}
    assert labels == {"shared@first-plugin-x2", "shared@second-plugin-x2"}


# --- cards ------------------------------------------------------------------------------------

WRONG = [
    ({"border": "reflct"}, "border is 'reflct', not one of 'reflect', 'mirror', 'edge', 'zero'"),
    ({"colour": "RGB"}, "colour is 'RGB', not one of 'rgb', 'luma'"),
    ({"default_scale": 4}, r"default scale, 4, is not among its scales \(2,\)"),
    ({"scales": 2}, "scales are 2, not whole numbers such as"),
    ({"scales": ()}, r"scales are \(\), not"),
    ({"scales": (2.5,), "default_scale": 2.5}, r"scales are \(2.5,\), not"),
    ({"radius": -1}, "radius is -1, not a whole number"),
    ({"radius": 2.5}, "radius is 2.5, not a whole number"),
    ({"radius": {2: "wide"}}, "radius is {2: 'wide'}, not a whole number"),
    ({"multiple": 0}, "multiple is 0, not a whole number above 0"),
    ({"weights": "x.pth"}, "weights are no files by scale"),
    ({"weights": {2: "x.pth"}}, "weights are no files by scale"),
]


@pytest.mark.parametrize(("facts", "told"), WRONG)
def test_a_card_that_makes_no_sense_is_told_with_whose_it_is(facts, told, monkeypatch):
    monkeypatch.setattr(test_registry, "MODEL", card("model", **facts))
    models = registry("MODEL", other="NO_CARD")
    assert models.names() == ["model", "other"]
    for call in (models.card, models.load):
        with pytest.raises(
            BrokenPluginError, match=f"'model' of test_registry .*: the card's {told}"
        ):
            call("model")
    with pytest.raises(OptionError, match=f"cannot be registered: the card's {told}"):
        models.register(card("new", **facts))
    assert models.names() == ["model", "other"]


@pytest.mark.parametrize("wrong", [None, ModelCard, "photo"])
def test_what_is_no_card_is_not_registered(wrong):
    with pytest.raises(OptionError, match="is no ModelCard"):
        Registry().register(wrong)
