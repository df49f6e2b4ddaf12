"""The documentation as a site: whole, and complete without a network."""

import json
import re
import subprocess
import sys

import pytest
from checkout import ROOT

import srkit

pytest.importorskip("mkdocs", reason="nox -s docs installs it")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    ran = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not re.search(r"^(WARNING|ERROR)", ran.stderr, re.MULTILINE), ran.stderr
    return folder


def test_every_page_of_docs_is_there(site):
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 30
    for page in pages:
        assert (site / page).with_suffix(".html").is_file()


def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|iframe)[^>]*src="?https?:', text), page
        assert not re.search(r'<link[^>]*href="?https?:[^>]*stylesheet', text), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?https?:", style.read_text(encoding="utf-8")), style


def test_pictures_are_there(site):
    for page in site.glob("*.html"):
        for name in re.findall(r'<img[^>]*src="([^"]*)"', page.read_text(encoding="utf-8")):
            assert (page.parent / name).is_file(), (page, name)


def test_the_reference_has_every_public_name(site):
    text = "".join(page.read_text(encoding="utf-8") for page in site.glob("reference/*.html"))
    for name in srkit.__all__:
        kind = "errors." if name.endswith("Error") else ""
        module = "metrics" if name == "metrics" else f"{kind}{name}"
        assert f'id="srkit.{module}' in text, name


def test_pages_of_the_reference_say_where_they_are_built_and_only_in_the_checkout(site):
    pages = list((ROOT / "docs" / "reference").glob("*.md"))
    assert len(pages) > 5
    for page in pages:
        told = f"`build/site/reference/{page.stem}.html`"
        assert told in page.read_text(encoding="utf-8")
        built = (site / "reference" / f"{page.stem}.html").read_text(encoding="utf-8")
        assert "In a checkout this page" not in built


def test_every_command_has_its_help(site):
    text = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    for name in ("upscale", "upscale-video", "info", "doctor", "completion", "train"):
        assert f"usage: srkit {name} " in text


def test_every_model_has_its_card(site):
    text = (site / "models.html").read_text(encoding="utf-8")
    for name in srkit.list_models():
        for scale, file in srkit.card(name).weights.items():
            # Those of others have a page of their own.
            assert file.source != "packaged" or f"{name} x{scale}" in text


def test_search_finds_words_of_pages_and_of_the_reference(site):
    found = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"].split("#")[0] for entry in found["docs"]}
    assert {"perception.html", "reference/upscaler.html", "credits.html", "notices.html"} <= places
