"""Compact networks: Real-ESRGAN's form of checkpoints, and srkit's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import save_file
from torch.nn import functional

import srkit
from srkit.adapters.pytorch.architectures.compact import build_compact
from srkit.adapters.pytorch.nets.compact import Compact, Size
from srkit.errors import OptionError, WeightsError
from srkit.training.starts.compact import halve_compact, start_compact

SIZES = [Size(32, 3), Size(32, 2, unshuffle=2)]


def checkpoint(scale: int = 4, features: int = 8, layers: int = 2) -> dict[str, torch.Tensor]:
    """A state dict of upstream's form, written down by hand."""
    torch.manual_seed(scale)
    state = {"body.0.weight": 0.2 * torch.randn(features, 3, 3, 3), "body.0.bias": torch.ones(8)}
    for n in range(layers):
        state[f"body.{2 * n + 1}.weight"] = torch.rand(features)
        state[f"body.{2 * n + 2}.weight"] = 0.1 * torch.randn(features, features, 3, 3)
        state[f"body.{2 * n + 2}.bias"] = torch.randn(features)
    state[f"body.{2 * layers + 1}.weight"] = torch.rand(features)
    state[f"body.{2 * layers + 2}.weight"] = 0.02 * torch.randn(3 * scale**2, features, 3, 3)
    state[f"body.{2 * layers + 2}.bias"] = 0.01 * torch.randn(3 * scale**2)
    return state


def by_hand(state: dict[str, torch.Tensor], rgb: np.ndarray, scale: int) -> np.ndarray:
    """What upstream's program computes, clipped: zeros beyond the image."""
    x = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    y = x
    for n in range(max(int(name.split(".")[1]) for name in state) + 1):
        weight = state[f"body.{n}.weight"]
        if weight.ndim == 1:
            y = torch.where(y > 0, y, weight.view(1, -1, 1, 1) * y)
        else:
            y = functional.conv2d(y, weight, state[f"body.{n}.bias"], padding=1)
    y = functional.pixel_shuffle(y, scale)
    y = y + x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return y[0].permute(1, 2, 0).clamp(0, 1).numpy()


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).random((23, 31, 3)).astype(np.float32)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("wrapper", ["params", "params_ema", None])
def test_upstreams_checkpoints_open_and_compute_what_their_program_does(
    tmp_path: Path, photo: np.ndarray, scale: int, wrapper: str | None
) -> None:
    state = checkpoint(scale)
    torch.save({wrapper: state} if wrapper else state, tmp_path / "general.pth")
    model = srkit.load(tmp_path / "general.pth")
    assert (model.scale, model.card.border) == (scale, "zero")
    np.testing.assert_allclose(model.upscale(photo), by_hand(state, photo, scale), atol=1e-5)


def test_sizes_are_those_that_are_published() -> None:
    # realesr-animevideov3 and realesr-general-x4v3: 621 and 1,213 thousand numbers.
    counts = [sum(p.numel() for p in Compact(4, Size(64, n)).parameters()) for n in (16, 32)]
    assert counts == [621424, 1213296]


@pytest.mark.parametrize("size", SIZES)
def test_our_own_files_reflect_at_the_border(tmp_path: Path, size: Size) -> None:
    net = Compact(4, size)
    start_compact(net)
    save_file(net.state_dict(), tmp_path / "mine.safetensors", {"srkit": "0.1"})
    model = srkit.load(tmp_path / "mine.safetensors")
    assert model.card.border == "reflect"
    assert model.card.multiple == size.unshuffle
    # An even picture has no dark rim.
    even = np.full((21, 33, 3), 200, np.uint8)
    assert np.abs(model.upscale(even).astype(int) - 200).max() <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_new_network_is_bicubic_interpolation(scale: int, size: Size) -> None:
    net = Compact(scale, size)
    start_compact(net)
    with torch.no_grad():
        # What stays random beside the carried pixels, so that there is something to learn from.
        rest = net.last.weight[:, 27 if size.unshuffle == 1 else 12 :]
        assert 0 < rest.abs().mean() < 0.002
        rest.zero_()
    photo = np.random.default_rng(1).random((16, 20, 3))
    made = net(torch.from_numpy(photo).float().permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    inside = slice(4 * scale, -4 * scale)
    wanted = (srkit.imresize(photo, scale) if scale > 1 else photo)[inside, inside]
    np.testing.assert_allclose(made.detach().numpy()[inside, inside], wanted, atol=1e-5)


def test_a_network_too_narrow_to_start_from_bicubic_is_refused() -> None:
    with pytest.raises(OptionError, match="27 features at least"):
        start_compact(Compact(4, Size(features=16)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [4, 2])
def test_from_x4_to_x2_squares_of_pixels_become_their_mean(size: Size, scale: int) -> None:
    torch.manual_seed(0)
    large = Compact(scale, size)
    small = halve_compact(large.state_dict())
    photo = torch.rand(1, 3, 12, 14)
    wanted = functional.avg_pool2d(large(photo), 2)
    torch.testing.assert_close(small(photo), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_it_streams_and_little_memory_changes_nothing(tmp_path: Path, size: Size) -> None:
    torch.manual_seed(0)
    save_file(Compact(3, size).state_dict(), tmp_path / "w.safetensors", {"srkit": "0.1"})
    model = srkit.load(tmp_path / "w.safetensors", precision="float32")
    assert model.streams
    photo = np.random.default_rng(0).random((150, 64, 3)).astype(np.float32)
    whole = model.upscale(photo)
    little = model.upscale(photo, memory=4_000_000)
    np.testing.assert_allclose(little, whole, atol=1e-5)


def test_the_receptive_field_is_the_number_of_convolutions(tmp_path: Path) -> None:
    # specs of upstream: 18 convolutions see 18 pixels far; at half the resolution twice that.
    for unshuffle, wanted in ((1, 18), (2, 37)):
        size = Size(27, 16, unshuffle)
        save_file(Compact(4, size).state_dict(), tmp_path / "w.safetensors", {"srkit": "0"})
        assert srkit.load(tmp_path / "w.safetensors").radius == wanted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body.6.bias": None}, "missing"),
        ({"body.7.weight": torch.rand(8)}, "no weights of Compact"),
        ({"body.6.weight": torch.rand(50, 8, 3, 3)}, "no weights of Compact"),
        ({"body.0.weight": torch.rand(8, 7, 3, 3)}, "no weights of Compact"),
        ({"body.2.weight": torch.rand(9, 8, 3, 3)}, "body.2.weight is"),
    ],
)
def test_weights_that_do_not_fit_are_told(change: dict, message: str) -> None:
    state = {k: v for k, v in (checkpoint() | change).items() if v is not None}
    with pytest.raises(WeightsError, match=message):
        build_compact(state)


def test_the_scale_is_the_one_of_the_weights(tmp_path: Path) -> None:
    torch.save(checkpoint(3), tmp_path / "w.pth")
    with pytest.raises(OptionError, match="x3, not x4"):
        srkit.load(tmp_path / "w.pth", scale=4)
