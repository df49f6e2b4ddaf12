"""Cards as tables: of one model, and of all there are to choose from."""

import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.metadata import EntryPoint

import pytest
from dummies import card

import srkit
from srkit.models import loading
from srkit.models.entry_points import MODELS


class Table(HTMLParser):
    """The cells of an HTML table, row by row."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def cells(text):
    """The rows of a text table: columns are two spaces apart."""
    return [re.split(r"  +", line) for line in text.split("\n\n")[0].splitlines()]


# --- one card -----------------------------------------------------------------------------


def test_a_card_shows_what_is_known_of_a_model():
    rows = dict(cells(repr(srkit.card("srresnet"))))
    assert rows["name"] == "srresnet"
    assert rows["scales"] == "2, 4"
    assert rows["licence"] == "CC-BY-SA-4.0"
    assert rows["paper"].startswith("Ledig et al., CVPR 2017")
    assert "weights" not in rows
    # What is not known takes no line.
    assert "licence" not in dict(cells(repr(card())))


def test_a_notebook_shows_the_same_and_markup_stays_text():
    odd = card("<script>", summary="a & b", radius={2: 3}, defaults={"dial": 0.5})
    assert Table(odd._repr_html_()).rows == cells(repr(odd))
    assert "<script>" not in odd._repr_html_()


def test_cards_go_to_other_processes():
    for one in (card(), srkit.card("photo"), srkit.card("realesrgan")):
        assert pickle.loads(pickle.dumps(one)) == one


# --- all of them --------------------------------------------------------------------------


def test_the_table_has_each_model_with_what_it_is_good_for():
    rows = cells(repr(srkit.cards()))
    assert rows[0] == ["name", "scales", "framework", "licence", "good for"]
    assert [row[0] for row in rows[1:]] == srkit.list_models()
    assert {len(row) for row in rows} == {5}
    shown = {row[0]: row for row in rows}
    assert shown["photo"][1:2] == ["x2, x4"]
    assert "drawings" in shown["realesrgan-anime"][4]
    assert shown["realesrgan"][3] == "BSD-3-Clause*"
    assert "* realesr-animevideo, realesrgan, " in repr(srkit.cards())


def test_every_model_of_srkits_own_says_what_it_is_good_for():
    assert [one.name for one in srkit.cards() if not one.good_for] == []


def test_the_table_in_a_notebook_is_that_of_a_terminal():
    found = srkit.cards("real*")
    assert Table(found._repr_html_()).rows == cells(repr(found))
    assert "issue 677" in found._repr_html_()


def test_cards_are_a_sequence_of_cards():
    found = srkit.cards("bi*")
    assert [one.name for one in found] == srkit.list_models("bi*") == ["bicubic", "bilinear"]
    assert (len(found), found[0], found[-1]) == (2, srkit.card("bicubic"), srkit.card("bilinear"))
    assert srkit.card("bicubic") in found
    assert len(srkit.cards("no*thing")) == 0
    assert repr(srkit.cards("no*thing")) == (
        "no model's name fits 'no*thing'; srkit.cards() shows all"
    )
    assert "<table" not in srkit.cards("<no*")._repr_html_()
    assert "&lt;no*" in srkit.cards("<no*")._repr_html_()
    assert srkit.cards()["srresnet"] == srkit.card("srresnet")
    with pytest.raises(srkit.UnknownModelError, match=r"'SRResNet'; there are srresnet$"):
        srkit.cards()["SRResNet"]
    with pytest.raises(srkit.UnknownModelError, match="there are bicubic, bilinear"):
        srkit.cards("bi*")["zzz"]


def test_list_models_is_the_list_of_names_that_it_was():
    names = srkit.list_models("bi*")
    assert type(names) is list
    assert repr(names) == "['bicubic', 'bilinear']"


def test_a_plugin_without_the_word_shows_its_summary_and_a_broken_one_its_cause(monkeypatch):
    monkeypatch.setattr(loading.REGISTRY, "_added", dict(loading.REGISTRY._added))
    srkit.register(replace(card("plain"), summary="A filter of mine.", licence=""))
    found, broken = loading.REGISTRY.discover, EntryPoint("broken", "no_such_module:CARD", MODELS)
    monkeypatch.setattr(
        loading.REGISTRY,
        "discover",
        lambda group: [*found(group), *([broken] if group == MODELS else [])],
    )
    shown = {row[0]: row for row in cells(repr(srkit.cards()))}
    assert shown["plain"] == ["plain", "x2", "numpy", "-", "A filter of mine."]
    assert shown["broken"][1:4] == ["-", "broken", "-"]
    assert "no_such_module" in shown["broken"][4]
    assert "broken" not in [one.name for one in srkit.cards()]


# --- the names of srkit ---------------------------------------------------------------------


def test_dir_has_the_public_names_and_no_others():
    assert sorted(dir(srkit)) == sorted([*srkit.__all__, "__version__"])
    for name in dir(srkit):
        try:
            assert getattr(srkit, name) is not None
        except ModuleNotFoundError as error:  # video without PyAV
            assert error.name == "av"  # noqa: PT017
    private = {"annotations", "import_module", "TYPE_CHECKING", "Any", "errors", "version"}
    assert not private & set(dir(srkit))


@pytest.mark.parametrize("name", ["cards", "card", "list_models"])
def test_they_have_help(name):
    assert "Examples" in getattr(srkit, name).__doc__


def test_cards_are_asked_for_by_name():
    there = srkit.cards("bi*")
    assert "bicubic" in there
    assert srkit.card("bicubic") in there
    assert "photo" not in there
    with pytest.raises(srkit.OptionError, match=r"a pattern is a text .*, not \['photo'\]"):
        srkit.cards(["photo"])
