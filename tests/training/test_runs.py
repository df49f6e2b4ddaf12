"""Runs of a moment: what they learn, what they write, and what they refuse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

from safetensors import safe_open
from safetensors.torch import save_file

import srkit
from srkit import OptionError, WeightsError
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.adapters.pytorch.nets.discriminator import Discriminator
from srkit.adapters.pytorch.nets.espcn import ESPCN
from srkit.adapters.pytorch.nets.fsrcnn import FSRCNN
from srkit.adapters.pytorch.nets.srresnet import SRResNet
from srkit.models.weights import weights_path
from srkit.training import RECIPES
from srkit.training.data.motion import start_avsr
from srkit.training.starts.srresnet import start_bicubic

LR = data.rocket()[100:112, 300:314]


def small_srresnet(path: Path) -> Path:
    """A narrow and short network, which starts as bicubic interpolation."""
    torch.manual_seed(0)
    net = SRResNet(4, channels=48, blocks=1)
    start_bicubic(net)
    torch.save(net.state_dict(), path)
    return path


def small_avsr(path: Path) -> Path:
    torch.manual_seed(0)
    net = AVSR(4, size=Size(width=8, encoder=4, low=1, high=1))
    start_avsr(net)
    torch.save(net.state_dict(), path)
    return path


def luma(picture: np.ndarray) -> np.ndarray:
    return picture[8:-8, 8:-8].astype(float) @ (0.299, 0.587, 0.114)


def header(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


# --- what comes out ---------------------------------------------------------------------------


def test_a_precision_that_is_asked_for_is_that_of_features_and_not_of_pictures(
    photos, tmp_path, cache, tiny, monkeypatch
):
    seen = []
    forward = torch.nn.Conv2d.forward

    def watched(self, x):
        made = forward(self, x)
        if torch.is_grad_enabled():
            seen.append((x.dtype, made.dtype))
        return made

    monkeypatch.setattr(torch.nn.Conv2d, "forward", watched)
    tiny |= {"steps": 1, "expand": 0, "precision": "bf16-mixed"}
    srkit.train("espcn", photos, tmp_path, scale=2, cache=cache, **tiny)
    assert seen[0] == (torch.float32, torch.bfloat16)
    assert {made for _, made in seen} == {torch.bfloat16}


def test_a_short_run_beats_bicubic_on_the_photo_it_never_saw(photos, tmp_path, cache, tiny, rows):
    tiny |= {"steps": 150, "batch": 8, "crop": 16, "rim": 2, "check_every": 50, "ema": 0.9}
    tiny |= {"warmup": 30, "rate": 5e-4}
    path = srkit.train("espcn", photos, tmp_path, scale=2, cache=cache, **tiny)
    hr = np.asarray(Image.open(photos / "astronaut.png"))
    lr = srkit.imresize(hr, 1 / 2)
    errors = {
        name: np.mean((luma(srkit.load(model, scale=2).upscale(lr)) - luma(hr)) ** 2)
        for name, model in (("espcn", path), ("bicubic", "bicubic"))
    }
    gain = 10 * np.log10(errors["bicubic"] / errors["espcn"])
    assert gain > 0.2
    # The run's own check sees the same, but for rounding to 8 bits.
    best = max(float(row["psnr"]) for row in rows(tmp_path))
    assert best == pytest.approx(10 * np.log10(255**2 / errors["espcn"]), abs=0.05)


def test_a_run_leaves_weights_a_log_pictures_and_a_state(photos, tmp_path, cache, tiny, rows):
    path = srkit.train("espcn", photos, tmp_path, scale=3, cache=cache, **tiny)
    assert path == tmp_path / "best.safetensors"
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} == {
        "best.safetensors", "weights.safetensors", "state.pth", "log.csv", "held_out.txt",
        "pictures/0000000.png", "pictures/0000006.png",
    }  # fmt: skip
    assert [row["step"] for row in rows(tmp_path)] == ["0", "3", "6"]
    assert torch.load(tmp_path / "state.pth", weights_only=True)["step"] == 6
    # Bicubic, result and photo of the one held-out patch, in brightness.
    picture = np.asarray(Image.open(tmp_path / "pictures" / "0000006.png"))
    assert picture.shape == (240, 720, 3)
    photo = luma(np.asarray(Image.open(photos / "astronaut.png")))
    assert np.abs(luma(picture[:, 480:]) - photo).max() <= 0.51


@pytest.mark.parametrize(
    ("recipe", "scale", "architecture"), [("espcn", 3, "ESPCN"), ("fsrcnn", 3, "FSRCNN")]
)
def test_the_result_says_what_it_is_and_loads(
    photos, tmp_path, cache, tiny, recipe, scale, architecture
):
    path = srkit.train(recipe, photos, tmp_path, scale=scale, cache=cache, rate=0.001, **tiny)
    about = header(path)
    assert (about["architecture"], about["scale"]) == (architecture, str(scale))
    told = json.loads(about["recipe"])
    assert (told["name"], told["steps"], told["rate"]) == (recipe, 6, 0.001)
    # The scale comes from the header: FSRCNN's tensors do not tell it.
    model = srkit.load(path)
    assert (model.scale, model.card.colour) == (scale, "luma")
    bicubic = srkit.load("bicubic", scale=scale).upscale(LR)
    assert np.abs(model.upscale(LR).astype(int) - bicubic).mean() < 8


@pytest.mark.parametrize(("recipe", "scale"), [("neural-enhance", 2), ("neural-enhance-repair", 1)])
def test_neural_enhance_is_trained_from_what_leaves_images_as_they_are(
    photos, tmp_path, cache, tiny, recipe, scale
):
    tiny["losses"] = [{"kind": "l1"}]
    out = tmp_path / "run"
    path = srkit.train(recipe, photos, out, scale=scale, cache=cache, **tiny)
    assert header(path)["architecture"] == "neural-enhance"
    model = srkit.load(path, device="cpu")
    assert (model.scale, model.card.colour) == (scale, "rgb")
    still = srkit.load("bicubic", scale=scale).upscale(LR) if scale > 1 else LR
    assert np.abs(model.upscale(LR).astype(int) - still).mean() < 3
    # The original program gets it as a file of its own.
    assert srkit.load(srkit.convert(path, tmp_path / "made.pkl.bz2")).scale == scale


def test_a_network_of_another_width_is_trained_on_from_a_file(photos, tmp_path, cache, tiny):
    start = small_srresnet(tmp_path / "start.pth")
    out = tmp_path / "run"
    tiny["steps"] = 2
    srkit.train("srresnet", photos, out, scale=4, init=start, cache=cache, **tiny)
    before = torch.load(start, weights_only=True)
    with safe_open(out / "weights.safetensors", "pt") as file:
        after = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert after.keys() == before.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    # All learn but the statistics of batch norm, which stay as they are.
    assert moved == {n for n in before if not n.rsplit(".", 1)[1].startswith(("running", "num"))}
    assert srkit.load(out / "weights.safetensors").upscale(LR).shape == (48, 56, 3)


def test_a_recipe_of_ones_own_and_a_file_of_changes(photos, tmp_path, cache, tiny):
    (tmp_path / "mine.toml").write_text('steps = 50\nseed = 9\n[[losses]]\nkind = "l2"\n')
    srkit.train(
        RECIPES["espcn"], photos, tmp_path / "run",
        scale=2, cache=cache, config=tmp_path / "mine.toml", **tiny,
    )  # fmt: skip
    told = json.loads(header(tmp_path / "run" / "best.safetensors")["recipe"])
    assert [(loss["kind"], loss["weight"]) for loss in told["losses"]] == [("l2", 1.0)]
    # What is given by name counts more than the file.
    assert (told["seed"], told["steps"], told["name"]) == (9, 6, "espcn")


def test_a_duel_moves_both_networks(photos, tmp_path, cache, tiny, rows):
    start = small_srresnet(tmp_path / "start.pth")
    tiny |= {"steps": 2, "batch": 1, "losses": [{"kind": "l1"}]}
    adversary = {"kind": "relativistic", "channels": 4}
    out = tmp_path / "run"
    path = srkit.train(
        "srgan", photos, out, scale=4, init=start, cache=cache, adversary=adversary, **tiny
    )
    # The newest, since PSNR says little of it.
    assert path == out / "weights.safetensors"
    state = torch.load(out / "state.pth", weights_only=True)
    torch.manual_seed(0)
    untrained = Discriminator(4).state_dict()
    judge = state["parts"]["judge"]
    for name in ("features.0.weight", "judge.2.weight"):
        assert not torch.equal(judge[name], untrained[name])
        # Adam's first steps are no longer than the rate.
        assert (judge[name] - untrained[name]).abs().max() < 2e-4
    last = rows(out)[-1]
    assert {"psnr", "l1", "adversarial", "judge", "rate"} <= set(last)


@pytest.mark.parametrize("recipe", ["vsr-fg", "vsr-p"])
def test_windows_of_luma_are_judged_as_grey(
    photos, tmp_path, cache, tiny, rows, recipe, monkeypatch
):
    judged, forward = [], Discriminator.forward

    def watched(self, x):
        judged.append(x.detach().clone())
        return forward(self, x)

    monkeypatch.setattr(Discriminator, "forward", watched)
    start = small_avsr(tmp_path / "start.pth")
    adversary = {"kind": "log_ratio", "channels": 4, "weight": 0.001}
    pixels, features = (dataclasses.asdict(loss) for loss in RECIPES[recipe].losses)
    features["backbone"] = "blurpool"
    tiny |= {"steps": 2, "batch": 1, "crop": 12, "losses": [pixels, features]}
    out = tmp_path / "run"
    srkit.train(recipe, photos, out, scale=4, init=start, cache=cache, adversary=adversary, **tiny)
    state = torch.load(out / "state.pth", weights_only=True)
    torch.manual_seed(0)
    assert not torch.equal(
        state["parts"]["judge"]["judge.2.weight"], Discriminator(4).state_dict()["judge.2.weight"]
    )
    assert {"psnr", "charbonnier", "vgg", "adversarial", "judge"} <= set(rows(out)[-1])
    for seen in judged:
        assert torch.equal(seen, seen[:, :1].expand(-1, 3, -1, -1))
    # Photos, whose black is -1 for a discriminator.
    assert min(seen.min() for seen in judged) < -0.5


def test_a_duel_with_a_discriminator_that_sees_features(photos, tmp_path, cache, tiny):
    tiny |= {"steps": 2, "batch": 1, "crop": 24}
    adversary = {
        "sees": "features", "channels": 4, "kind": "neural-enhance", "backbone": "blurpool",
    }  # fmt: skip
    path = srkit.train(
        "neural-enhance", photos, tmp_path / "run", scale=2, cache=cache, adversary=adversary,
        **tiny,
    )  # fmt: skip
    judge = torch.load(tmp_path / "run" / "state.pth", weights_only=True)["parts"]["judge"]
    assert judge["fine.0.num_batches_tracked"] == 4 + 2  # both kinds each step, and the doubt
    assert sum(values.numel() for values in judge.values()) < 100_000  # without VGG
    recorded = json.loads(header(path)["recipe"])["adversary"]
    assert (recorded["sees"], recorded["backbone"]) == ("features", "blurpool")


# --- refusals ---------------------------------------------------------------------------------


def refused(error, match, recipe, photos, out, **options):
    with pytest.raises(error, match=match):
        srkit.train(recipe, photos, out, **options)
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"scale": 5}, "espcn can be trained for x2, x3, x4, not x5"),
        ({"crop": 121}, "crop is 1 to 120 LR pixels at x2, not 121"),
        ({"device": "abacus"}, "device 'abacus' x1 cannot be used"),
        ({"stepz": 4}, "did you mean 'steps'"),
        ({"degradations": [{"kind": "blur"}]}, "exactly one of kind 'downsample'"),
    ],
)
def test_what_makes_no_sense_is_refused(photos, tmp_path, cache, tiny, changes, match):
    options = {"scale": 2, "cache": cache, **tiny, **changes}
    refused(OptionError, match, "espcn", photos, tmp_path / "run", **options)


def test_a_recipe_that_goes_on_from_weights_asks_for_them(photos, tmp_path, cache, tiny):
    options = {"scale": 4, "cache": cache, **tiny}
    message = "vsr-none is neither a model nor a file of weights; .*--init"
    refused(OptionError, message, "vsr-p", photos, tmp_path / "run", init="vsr-none", **options)


def test_weights_of_others_programs_are_learned_from_not_started_from(
    photos, tmp_path, cache, tiny, monkeypatch
):
    # Whether their package is installed or not.
    monkeypatch.setattr("srkit.models.weights._installed", lambda name: None)
    options = {"scale": 4, "cache": cache, **tiny, "crop": 16}
    message = "weights of realesrgan are another's, .* give teacher='realesrgan' in place of init"
    refused(WeightsError, message, "compact", photos, tmp_path / "r", init="realesrgan", **options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(photos, tmp_path, tiny):
    tiny["device"] = "cuda"
    refused(OptionError, "'cuda' x1 cannot", "espcn", photos, tmp_path / "run", scale=2, **tiny)


def test_srresnet_for_x2_starts_from_weights_for_x4(photos, tmp_path, cache, tiny, rows):
    tiny["steps"] = 1
    path = srkit.train(
        "srresnet", photos, tmp_path / "run", scale=2, cache=cache, **tiny,
        init=weights_path(srkit.card("srresnet").weights[4]),
    )  # fmt: skip
    assert header(path)["started_from"].startswith("srresnet_x4.safetensors, SHA-256 ")
    assert header(path)["started_from"].endswith(", which is for x4")
    assert srkit.load(path).scale == 2
    # It begins as an image, if not yet as a good one.
    assert float(rows(tmp_path / "run")[0]["psnr"]) > 20


NETS = {
    "srresnet": lambda: SRResNet(2, channels=4, blocks=1),
    "espcn": lambda: ESPCN(2),
    "fsrcnn": lambda: FSRCNN(2),
}


@pytest.mark.parametrize("recipe", NETS)
@pytest.mark.parametrize("other", NETS)
def test_weights_of_another_network_or_scale_are_no_start(
    photos, tmp_path, cache, tiny, recipe, other
):
    path = tmp_path / "start.safetensors"
    save_file(NETS[other]().state_dict(), path, {"scale": "2"})
    match = "for x2, not x4" if recipe == other else "these are no weights of"
    options = {"scale": 4, "init": path, "cache": cache, **tiny}
    refused(WeightsError, match, recipe, photos, tmp_path / "run", **options)


def test_a_model_without_weights_is_no_start(photos, tmp_path, cache, tiny):
    for name, scale in (("bicubic", 4), ("bicubic", 2)):
        options = {"scale": scale, "init": name, "cache": cache, **tiny}
        match = f"{name} has no weights for x{scale}"
        refused(WeightsError, match, "srresnet", photos, tmp_path / "run", **options)
