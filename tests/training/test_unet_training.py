"""Training U-Nets: where they start, on which encoder, and what comes of a run."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("pydantic", reason="training needs it: pip install 'srkit[train]'")

import srkit
from srkit import OptionError, WeightsError
from srkit.adapters.pytorch.architectures.unet import Interpolated
from srkit.adapters.pytorch.checkpoints import read_checkpoint
from srkit.adapters.pytorch.nets.resnet import Form, ResNet, form_of
from srkit.training import RECIPES
from srkit.training.data.photos import PATCH
from srkit.training.families import FAMILIES
from srkit.training.stages import stretches
from srkit.training.starts.unet import new_unet, read_encoder, start_unet

TINY_FORM = Form((8, 12), (1, 2))


def classifier(form: Form) -> dict:
    net = ResNet(form)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 0.5)
    return {**net.state_dict(), "fc.weight": torch.zeros(10, 12), "fc.bias": torch.zeros(10)}


def test_a_classifiers_weights_load_without_its_last_layer():
    torch.manual_seed(0)
    state = classifier(TINY_FORM)
    # As in files from before torch counted batches.
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    net = read_encoder(old)
    assert net.form == TINY_FORM == form_of(state)
    torch.testing.assert_close(net.layer2[1].bn2.running_mean, state["layer2.1.bn2.running_mean"])
    torch.testing.assert_close(net.conv1.weight, state["conv1.weight"])


def test_weights_of_a_resnet_of_fifty_layers_are_refused():
    state = classifier(TINY_FORM)
    state["layer1.0.conv3.weight"] = torch.zeros(32, 8, 1, 1)
    with pytest.raises(WeightsError, match="ResNet-18 or 34"):
        read_encoder(state)
    with pytest.raises(WeightsError, match=r"layer1\.0\.conv1\.weight is missing"):
        read_encoder({"features.0.weight": torch.zeros(1)})


def test_an_encoder_is_not_made_larger_than_its_data():
    state = classifier(TINY_FORM)
    state["layer1.0.conv1.weight"] = torch.zeros(1).expand(100_000, 8, 3, 3)
    with pytest.raises(WeightsError):
        read_encoder(state)
    state["layer1.0.conv1.weight"] = torch.zeros(())
    with pytest.raises(WeightsError, match="no kernel"):
        read_encoder(state)


@pytest.mark.parametrize("scale", [2, 4])
def test_a_new_network_is_nearly_bicubic_interpolation(scale):
    from skimage import data

    torch.manual_seed(0)
    net = new_unet(scale)
    start_unet(net)
    photo = data.astronaut()[:128, :128]
    lr = srkit.imresize(photo, 1 / scale)
    given = torch.from_numpy(lr).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        made = Interpolated(net.eval())(given)[0].permute(1, 2, 0).numpy() * 255
    wanted = srkit.imresize(lr.astype(np.float32), scale)
    inner = slice(8 * scale, -8 * scale)
    assert np.abs(made - wanted)[inner, inner].mean() < 4  # levels of 255


def test_a_run_on_a_trained_encoder_keeps_it_while_it_is_frozen(photos, cache, tiny, tmp_path):
    torch.manual_seed(0)
    state = classifier(TINY_FORM)
    torch.save(state, tmp_path / "resnet.pth")
    out = srkit.train(
        "unet", photos, tmp_path / "out", scale=2, cache=cache,
        encoder=str(tmp_path / "resnet.pth"), losses=[{"kind": "l1"}], stages=[{"frozen": 2}],
        **tiny | {"rate": 1e-3},
    )  # fmt: skip
    file = read_checkpoint(tmp_path / "out" / "weights.safetensors")
    assert out.exists()
    assert form_of(file.tensors, "encoder.") == TINY_FORM
    for name, value in state.items():
        if not name.startswith("fc."):
            assert torch.equal(file.tensors[f"encoder.{name}"], value), name
    assert "encoder resnet.pth, SHA-256 " in file.metadata["started_from"]
    assert str(tmp_path) not in str(file.metadata)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder": "nowhere.pth"}, "small, resnet34 or a file"),
        ({"encoder": "small", "init": "x.safetensors"}, "an encoder is for a new network"),
        ({"stages": [{"frozen": 3, "crop": 16}]}, "3 frozen leave none"),
        ({"expand": 2, "weight_norm": True}, "expand is 0 with weight_norm"),
        ({"schedule": "one_cycle", "betas": (0.05, 0.9)}, "betas"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_any_work(
    photos, tiny, tmp_path, changes, told
):
    with pytest.raises(OptionError, match=told):
        srkit.train("unet", photos, tmp_path / "out", scale=2, **tiny | changes)
    assert not (tmp_path / "out").exists()


def test_weight_norm_is_refused_for_a_network_without_a_decoder(photos, tiny, tmp_path):
    with pytest.raises(OptionError, match="espcn has no decoder"):
        srkit.train("espcn", photos, tmp_path / "out", scale=2, weight_norm=True, expand=0, **tiny)


def test_weights_for_one_scale_start_another(photos, cache, tiny, tmp_path):
    torch.manual_seed(0)
    torch.save(classifier(TINY_FORM), tmp_path / "resnet.pth")
    options = {**tiny, "cache": cache, "losses": [{"kind": "l1"}], "stages": [{}]}
    first = srkit.train(
        "unet", photos, tmp_path / "x4", scale=4, encoder=str(tmp_path / "resnet.pth"), **options
    )
    srkit.train("unet", photos, tmp_path / "x2", scale=2, init=first, **options | {"steps": 1})
    header = read_checkpoint(tmp_path / "x2" / "weights.safetensors").metadata
    assert header["scale"] == "2"
    assert header["started_from"].endswith("which is for x4")


def test_of_a_perceptual_run_the_newest_weights_are_the_result(photos, cache, tiny, tmp_path):
    """PSNR falls while it learns, so the best by PSNR would be where it started."""
    pytest.importorskip("stlpips_pytorch", reason="needs pip install 'srkit[perceptual]'")
    torch.save(classifier(TINY_FORM), tmp_path / "resnet.pth")
    path = srkit.train(
        "unet", photos, tmp_path / "out", scale=2, cache=cache, stages=[{}],
        encoder=str(tmp_path / "resnet.pth"), **tiny | {"crop": 16, "steps": 2},
    )  # fmt: skip
    assert path.name == "weights.safetensors"


@pytest.mark.parametrize("name", RECIPES)
def test_crops_of_every_recipe_are_cut_from_patches_and_halve_evenly(name):
    family = FAMILIES[RECIPES[name].model]
    # What repairs has no other scale; and at x1 there is nothing to learn for the others.
    scales = (1,) if name.endswith("repair") else tuple(s for s in family.scales if s > 1)
    for scale in scales:
        multiple = family.multiple(family.build(scale))
        for stretch in stretches(RECIPES[name]):
            assert stretch.stage.crop % multiple == 0
            assert stretch.stage.crop * scale <= PATCH
