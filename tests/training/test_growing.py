"""Large networks that begin as small ones."""

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="training needs it: pip install 'srkit[train]'")
pytest.importorskip("lightning_fabric", reason="training needs it: pip install 'srkit[train]'")

from safetensors import safe_open

import srkit
from srkit.adapters.pytorch.nets import compact
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.errors import OptionError
from srkit.models.weights import sha256
from srkit.training import families
from srkit.training.starts.compact import deepen_compact
from srkit.training.starts.growing import grow_avsr

SMALL, LARGE = Size(width=6, encoder=4, low=2, high=1), Size(width=10, encoder=6, low=4, high=3)


def small(scale=2, window=3, channels=1):
    torch.manual_seed(0)
    net = AVSR(scale, window, channels, SMALL)
    for parameter in net.parameters():  # far from any start
        torch.nn.init.normal_(parameter, std=0.2)
    return net


def given(net):
    generator = torch.Generator().manual_seed(1)
    frames = torch.rand(2, net.window * net.channels, 7, 9, generator=generator)
    inverse = torch.rand(2, net.channels, 7 * net.scale, 9 * net.scale, generator=generator)
    return frames, inverse


@pytest.mark.parametrize(("scale", "window", "channels"), [(2, 3, 1), (3, 5, 1), (4, 3, 3)])
def test_a_grown_network_makes_what_the_small_one_does(scale, window, channels):
    net = small(scale, window, channels)
    grown = grow_avsr(net, LARGE)
    assert grown.size == LARGE
    with torch.inference_mode():
        wanted = net(*given(net))
        torch.testing.assert_close(grown(*given(net)), wanted, rtol=1e-4, atol=1e-5)
    assert wanted.std() > 0.01


def test_all_that_was_added_learns():
    net = grow_avsr(small(), LARGE)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for _ in range(3):  # layer by layer, what is added begins to be heard
        optimizer.zero_grad()
        net(*given(net)).square().mean().backward()
        optimizer.step()
    for name, value in net.state_dict().items():
        share = (value != before[name]).float().mean()
        assert share > 0.5, f"{share:.0%} of {name} learned"


@pytest.mark.parametrize("size", [SMALL, Size(width=4, encoder=8, low=4, high=4)])
def test_a_network_that_is_not_smaller_stays_as_it_is(size):
    net = small()
    assert grow_avsr(net, size) is net


@pytest.mark.parametrize("blocks", [{"low": 0, "high": 1}, {"low": 1, "high": 0}])
def test_a_network_without_blocks_stays_as_it_is(blocks):
    """Blocks rectify their input, which one behind a block does not feel, but others would."""
    net = AVSR(2, size=Size(width=6, encoder=4, **blocks))
    assert grow_avsr(net, LARGE) is net


def test_a_run_of_the_large_recipe_grows_what_it_starts_from(
    photos, tmp_path, cache, tiny, monkeypatch
):
    net = small(4, 5)
    start = tmp_path / "small.pth"
    torch.save(net.state_dict(), start)
    wide = dataclasses.replace(
        families.FAMILIES["vsr"], grow=lambda net, stated: grow_avsr(net, LARGE)
    )
    monkeypatch.setitem(families.FAMILIES, "vsr", wide)
    tiny |= {"steps": 1, "batch": 1, "crop": 12}
    path = srkit.train("vsr", photos, tmp_path / "run", scale=4, init=start, cache=cache, **tiny)
    with safe_open(path, "pt") as file:
        told = file.metadata()["started_from"]
        assert file.get_slice("merge.weight").get_shape() == [10, 5 * 10, 3, 3]
    assert told == f"small.pth, SHA-256 {sha256(start)[:16]}, grown"


# --- compact ----------------------------------------------------------------------------------


def small_compact():
    torch.manual_seed(0)
    net = compact.Compact(2, compact.Size(8, 2, 2))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net


def test_a_deeper_compact_network_makes_what_the_shallow_one_does_and_learns():
    net = small_compact()
    deep = deepen_compact(net, compact.Size(8, 5, 2))
    picture = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    assert deep.size.layers == 5
    with torch.inference_mode():
        wanted = net(picture)
        torch.testing.assert_close(deep(picture), wanted, rtol=1e-5, atol=1e-6)
    assert wanted.std() > 0.1
    deep(picture).square().mean().backward()
    assert all(p.grad.any() for p in deep.parameters())


@pytest.mark.parametrize("size", [(8, 1, 2), (16, 2, 2), (8, 5, 1)])
def test_a_compact_network_is_not_grown_otherwise(size):
    with pytest.raises(OptionError, match=r"keeps features=8 and unshuffle=2, and has layers=2"):
        deepen_compact(small_compact(), compact.Size(*size))


def test_a_run_grows_the_weights_it_starts_from(photos, cache, tiny, tmp_path):
    start = tmp_path / "small.pth"
    torch.save(small_compact().state_dict(), start)
    tiny |= {"steps": 1, "layers": 3}
    path = srkit.train(
        "compact", photos, tmp_path / "run", scale=2, init=start, cache=cache, **tiny
    )
    with safe_open(path, "pt") as file:
        assert file.metadata()["started_from"].endswith(", grown")
        names = [name for name in file.keys() if name.endswith("bias")]  # noqa: SIM118
    assert len(names) == 1 + 3 + 1
