"""``srkit cite`` and CITATION.cff say the same, and what cards say."""

import contextlib
import re

import pytest
from checkout import ROOT

import srkit
from srkit import ModelCard, Registry
from srkit.cli import main
from srkit.cli.papers import METRICS, PAPERS
from srkit.models import loading
from srkit.models.weights import PACKAGED

yaml = pytest.importorskip("yaml")


def entries(text):
    """Entries of BibTeX by their keys; each must be whole."""
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}$", text, re.M | re.S):
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", body, re.M))
        assert len(fields) == len(body.splitlines())
        assert all(value.count("{") == value.count("}") for value in fields.values())
        found[key] = {"kind": kind, **fields}
    assert len(found) == text.count("@")
    return found


def plain(text):
    r"""A text without BibTeX's braces and accents."""
    text = text.replace("{\\'a}", "á").replace("{\\'o}", "ó")
    return re.sub("[{}]", "", text)


def cited(capsys, *models):
    assert main(["cite", *models]) == 0
    return capsys.readouterr()


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_srkit_is_cited_as_its_citation_file_says(capsys, citation):
    (entry,) = entries(cited(capsys).out).values()
    assert entry["title"] == citation["title"]
    assert plain(entry["author"]) == citation["authors"][0]["name"]
    assert entry["year"] == citation["date-released"][:4]
    assert entry["version"] == citation["version"] == srkit.__version__


def test_papers_are_those_of_the_citation_file(capsys, citation):
    references = {one["identifiers"][0]["value"][6:]: one for one in citation["references"]}
    assert references.keys() == PAPERS.keys()
    out = cited(capsys, "srgan", "espcn", "fsrcnn", "realesrgan", "span", "vsr").out
    made = {one["eprint"]: one for one in entries(out).values() if "eprint" in one}
    assert made.keys() == references.keys()
    for number, reference in references.items():
        entry = made[number]
        assert plain(entry["title"]) == reference["title"]
        assert entry["year"] == str(reference["year"])
        names = [
            f"{author['family-names']}, {author['given-names']}" for author in reference["authors"]
        ]
        assert plain(entry["author"]).split(" and ") == names
        where = reference.get("journal") or reference["conference"]["name"]
        assert where in entry.values()


def test_every_paper_of_a_card_is_known(capsys):
    """None of srkit's own with a number of arXiv is cited by its number alone."""
    for name in srkit.list_models():
        if "arXiv" in srkit.card(name).paper:
            _, paper, *_ = entries(cited(capsys, name).out).values()
            assert paper["eprint"] in srkit.card(name).paper
            assert paper["author"].split(",")[0].replace("{\\'o}", "ó") in srkit.card(name).paper


def test_a_paper_of_two_models_comes_once(capsys):
    # Of srkit, of each network, and of the two that espcn has learned from.
    assert len(entries(cited(capsys, "espcn", "espcn", "srgan", "photo-2025").out)) == 5


def test_networks_that_weights_have_learned_from_are_cited(capsys):
    """Their headers name the teachers, by what is cited of them."""
    opened = pytest.importorskip("safetensors", reason="srkit[torch] brings it").safe_open
    names = {
        "2308.03364": "Dual Aggregation Transformer",
        "2409.13435": "PlainUSR",
        "2107.10833": "Real-ESRGAN",
    }
    taught = 0
    for name in srkit.list_models():
        for weights in srkit.card(name).weights.values():
            path = PACKAGED / weights.file
            with contextlib.suppress(FileNotFoundError), opened(path, "np") as file:
                header = file.metadata().get("teachers", "")
                wanted = {number for number, teacher in names.items() if teacher in header}
                made = entries(cited(capsys, name).out).values()
                assert wanted <= {one.get("eprint") for one in made}, (name, header)
                taught += bool(wanted)
    assert taught >= 3


def test_what_has_no_paper_is_told(capsys):
    out, err = cited(capsys, "nearest")
    assert list(entries(out)) == ["srkit"]
    assert err == "srkit: note: the card of nearest names no paper\n"


def test_older_papers_and_metrics_are_cited_in_full(capsys):
    names = ["bicubic", "lanczos", "unet", "neural-enhance", *METRICS, "MS-SSIM"]
    found = entries(cited(capsys, *names).out)
    assert len(found) == 1 + 4 + len(METRICS)
    assert found["keys1981cubic"]["author"] == "Keys, Robert G."
    assert found["zhang2018unreasonable"]["year"] == "2018"
    assert all(one.keys() >= {"author", "title", "year"} for one in found.values())


def test_every_paper_of_a_card_without_a_number_is_known(capsys):
    for name in srkit.list_models():
        paper = srkit.card(name).paper
        if paper and "arXiv" not in paper:
            _, entry = entries(cited(capsys, name).out).values()
            assert "note" not in entry
            assert entry["year"] in paper


def test_a_metric_without_a_paper_is_told(capsys):
    out, err = cited(capsys, "psnr")
    assert list(entries(out)) == ["srkit"]
    assert err == "srkit: note: PSNR has no paper of its own\n"


def test_a_plugins_paper_is_cited_as_its_card_says(capsys, monkeypatch):
    monkeypatch.setattr(loading, "REGISTRY", Registry())
    card = ModelCard("mine", "", "mine:Net", "numpy", (2,), 2, paper="Me, arXiv:9999.00001")
    srkit.register(card)
    made = entries(cited(capsys, "mine").out)["mine"]
    assert made["note"] == "Me, arXiv:9999.00001"
    assert "mine" in made["title"]


def test_an_unknown_model_is_told_and_nothing_cited(capsys):
    assert main(["cite", "srgan", "srgam"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "did you mean srgan?" in err
