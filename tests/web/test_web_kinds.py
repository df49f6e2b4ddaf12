"""What the page offers is what docs/which-model.md says, and the sliders are the models' own."""

import re

import pytest
from checkout import ROOT

import srkit
from srkit.models.loading import REGISTRY
from srkit.models.options import option_names
from srkit.web.kinds import KINDS, SCALES, menu, offered, options_of

# Of what is no photo, and of photos as they are, which the page's first sentence is about.
ROWS = re.findall(
    r"^\| \[([^\]]+)\]\(#[a-z-]+\) \| `([a-z0-9-]+)`[^|\n]*\|(?:[^|\n]*\|)*([^|\n]*)\|$",
    (ROOT / "docs" / "which-model.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_kinds_and_their_models_are_those_of_the_docs():
    told = [(take, re.findall(r"`([a-z0-9-]+)`", other)) for kind, take, other in ROWS[:-1]]
    assert ROWS[-1][0] == "video"
    assert KINDS[0].models[0][0] == "photo"  # "For a photo as it is, none need be named"
    assert len(told) == len(KINDS[1:]) == 6
    for (take, other), kind in zip(told, KINDS[1:], strict=True):
        names = [name for name, _ in kind.models]
        assert names == [take, *other]
        assert all(word for _, word in kind.models)
    for kind, (named, _, _) in zip(KINDS[1:], ROWS, strict=False):
        words = set(re.findall(r"[a-z]{3,}", kind.name.lower()))
        assert words & set(re.findall(r"[a-z]{3,}", named.lower())), named


def test_what_is_of_no_use_beside_photos_is_not_offered():
    there = set(menu()["models"])
    assert {"bicubic", "photo", "srgan", "espcn"} <= there
    assert not {"nearest", "vsr", "vsr-small", "unet-repair", "neural-enhance-repair"} & there
    for scale in SCALES:
        assert set(offered(scale)) <= there


@pytest.mark.parametrize("name", sorted(menu()["models"]))
def test_models_have_the_sliders_of_their_options(name):
    pytest.importorskip("torch")
    card = srkit.card(name)
    facts = menu()["models"][name]
    if card.framework != "torch" or facts["install"]:
        assert facts["dials"] == (["denoise"] if "denoise" in card.defaults else [])
        return
    from srkit.extras import import_named

    taken = option_names(import_named(card.adapter), card, card.default_scale)
    if facts["download"]:
        taken = [option for option in taken if option in facts["dials"]]
    assert facts["dials"] == [dial for dial in ("denoise", "perception") if dial in taken]
    asked = {"denoise": 0.5, "perception": 0.25}
    assert list(options_of(name, asked)) == facts["dials"]


def test_a_plugin_that_is_broken_is_left_out(monkeypatch, caplog):
    names = REGISTRY.names()
    monkeypatch.setattr("srkit.models.loading.list_models", lambda: ["no-such-model", *names])
    assert "bicubic" in offered(4)
    assert "no-such-model is left out" in caplog.text
