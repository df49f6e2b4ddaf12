"""RLFN, RFDN and PlainUSR: their authors' files open, and make what their authors' code makes."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

import restated
from safetensors.torch import save_file
from skimage import data

import srkit
from srkit import OptionError, WeightsError, testing
from srkit.adapters.pytorch.architectures.plainusr import build_plainusr
from srkit.adapters.pytorch.architectures.rfdn import build_rfdn
from srkit.adapters.pytorch.architectures.rlfn import build_rlfn
from srkit.adapters.pytorch.nets.plainusr import Part, PlainUSR, Size, u_shaped
from srkit.adapters.pytorch.nets.rfdn import RFDN
from srkit.adapters.pytorch.nets.rfdn import Size as RFDNSize
from srkit.adapters.pytorch.nets.rlfn import RLFN
from srkit.adapters.pytorch.nets.rlfn import Size as RLFNSize
from srkit.upscaling.upscaler import LONGEST_SIDE

# State dicts, what is made of them, and the value that stands for white.
NETWORKS = {
    "rlfn": (restated.rlfn_state, restated.rlfn, 255),
    "rfdn": (restated.rfdn_state, restated.rfdn, 255),
    "plainusr": (restated.plainusr_state, restated.plainusr, 1),
    "plainusr-large": (
        lambda scale=4: restated.plainusr_state(scale, convs=3), restated.plainusr, 1),
    "plainusr-ultra": (
        lambda scale=4: restated.plainusr_state(scale, kind="fast"), restated.plainusr, 1),
    "plainusr-trained": (
        lambda scale=4: restated.plainusr_state(scale, merged=False), restated.plainusr, 1),
    "plainusr-large-trained": (
        lambda scale=4: restated.plainusr_state(scale, convs=3, merged=False),
        restated.plainusr, 1),
    "plainusr-ultra-trained": (
        lambda scale=4: restated.plainusr_state(scale, kind="fast", merged=False),
        restated.plainusr, 1),
}  # fmt: skip
SMALLEST = {"plainusr-ultra", "plainusr-ultra-trained"}
KINDS = ["rlfn", "rfdn", "plainusr", "plainusr-ultra"]
# Of random weights sums cancel out, so rounding counts for more than with trained ones.
CLOSE = 5e-5
PHOTO = data.astronaut()[60:130, 190:241]


def state_of(name, scale=4):
    """Random weights, whose results lie around the middle."""
    make, run, top = NETWORKS[name]
    state = make(scale)
    last = "tail.0" if name.startswith("plainusr") else "upsampler.0"
    with torch.no_grad():
        made = run(state, planes(PHOTO) * top, scale) / top
    # Scaled, so that clipping takes away little of what is compared.
    state[f"{last}.weight"] *= 0.2 / made.std()
    state[f"{last}.bias"] = torch.full_like(state[f"{last}.bias"], 0.5 * top)
    return state


def planes(levels):
    return torch.from_numpy(levels / np.float32(255)).permute(2, 0, 1)[None]


def by_hand(name, state, levels, scale=4):
    _, run, top = NETWORKS[name]
    with torch.no_grad():
        made = run(state, planes(levels) * top, scale) / top
    return made[0].permute(1, 2, 0).clamp(0, 1).numpy()


@pytest.fixture
def file(tmp_path):
    def save(state, name="theirs.pth"):
        torch.save(state, tmp_path / name)
        return tmp_path / name

    return save


# --- the same pixels ------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_makes_what_its_authors_code_makes(name, scale, file):
    state = state_of(name, scale)
    model = srkit.load(file(state), precision="float32")
    assert (model.scale, model.card.border) == (scale, "zero")
    wanted = by_hand(name, state, PHOTO, scale)
    assert wanted.std() > 0.05
    np.testing.assert_allclose(model.upscale(PHOTO / np.float32(255)), wanted, atol=CLOSE)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("wrapper", ["params", "params_ema", "module."])
def test_wrapped_state_dicts_load_alike(name, wrapper, file):
    state = state_of(name)
    wanted = srkit.load(file(state)).upscale(PHOTO)
    nested = {wrapper: state, "iter": 5}
    if wrapper.endswith("."):
        nested = {f"{wrapper}{key}": value for key, value in state.items()}
    np.testing.assert_array_equal(srkit.load(file(nested, "w.pth")).upscale(PHOTO), wanted)


@pytest.mark.parametrize("name", KINDS)
def test_safetensors_load_too(name, tmp_path, file):
    state = state_of(name)
    save_file(state, tmp_path / "w.safetensors")
    wanted = srkit.load(file(state)).upscale(PHOTO)
    np.testing.assert_array_equal(srkit.load(tmp_path / "w.safetensors").upscale(PHOTO), wanted)


def test_sizes_are_those_of_the_files_that_are_published():
    # Counted in the files of github bytedance/RLFN, njulj/RFDN and icandle/PlainUSR.
    counts = {
        RLFN(2): 526_856,
        RLFN(4): 543_740,
        RLFN(2, RLFNSize(48, middle=48)): 454_620,
        RLFN(4, RLFNSize(48, middle=48)): 470_208,
        RLFN(4, RLFNSize(46, 4, middle=48)): 317_218,
        RFDN(4): 433_448,
        PlainUSR(2): 311_364,
        PlainUSR(4): 333_108,
        PlainUSR(4, u_shaped(80, 64, 48, convolutions=3)): 734_004,
        PlainUSR(4, u_shaped(48, 32, 16, inner=8)): 165_492,
        PlainUSR(4, u_shaped(32, 16, 8, inner=4)): 68_612,
    }
    for net, count in counts.items():
        assert sum(p.numel() for p in net.parameters()) == count


# --- strips, tiles and little pictures --------------------------------------------------------


# With weights as torch draws them.
NEW = {
    "rlfn": lambda: RLFN(2, RLFNSize(6, 2, 8, 4)),
    "rfdn": lambda: RFDN(2, RFDNSize(8, 2, 4, 4)),
    "plainusr": lambda: PlainUSR(2, u_shaped(8, 6, 4, inner=4)),
    "plainusr-large": lambda: PlainUSR(2, u_shaped(6, 4, convolutions=3, inner=2)),
    "plainusr-ultra": lambda: PlainUSR(2, Size(8, (Part("block1", 8, 2, "none"),
        Part("blockm", 6, 2, "fast"), Part("block2", 8, 2, "none")))),
}  # fmt: skip


@pytest.mark.parametrize("name", NEW)
def test_it_conforms(name, file):
    torch.manual_seed(0)
    path = file(NEW[name]().state_dict())
    testing.check_upscaler(lambda: srkit.load(path, device="cpu"), trained=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_streams_and_gives_what_it_gives_of_the_whole(name, file):
    state = state_of(name, 2)
    model = srkit.load(file(state), precision="float32")
    assert model.streams
    model._full.quick_strip_bytes = model.strip_bytes(48, 32)  # else it runs whole, being small
    tall = data.astronaut()[:301, 200:232]
    strips = []
    rows = model.run_rows

    def watched(given, **told):
        return rows((strips.append(strip.shape[1]) or strip for strip in given), **told)

    model.run_rows = watched
    made = model.upscale(tall / np.float32(255))
    assert len(strips) > 3
    np.testing.assert_allclose(made, by_hand(name, state, tall, 2), atol=CLOSE)


@pytest.mark.parametrize("name", NETWORKS)
def test_how_far_it_sees_is_told(name, file):
    model = srkit.load(file(state_of(name)))
    if name in SMALLEST:
        # By hand: a convolution first, two and two and two in three blocks, one of attention
        # and one last.
        assert (model.radius, model.short_halo, model.wants_height) == (9, None, False)
    else:
        assert (model.radius, model.short_halo, model.wants_height) == (LONGEST_SIDE, 48, True)


@pytest.mark.parametrize("name", ["rlfn", "rfdn", "plainusr"])
def test_where_no_strip_fits_tiles_are_blended_and_the_log_says_so(name, file, caplog):
    model = srkit.load(file(state_of(name)), precision="float32")
    large = data.astronaut()[:250, :400] / np.float32(255)
    whole = model.upscale(large)
    assert not caplog.messages
    # Of a picture so much wider that no strip fits this holds; here it is said.
    model.strip_bytes = lambda rows, width: math.inf
    memory = int(model.bytes_per_pixel * 200**2)
    apart = np.abs(model.upscale(large, memory=memory) - whole)
    (told,) = caplog.messages
    assert "the whole picture, all of which it may look at" in told
    assert "blended, which is not exact" in told
    # Attention lies a little elsewhere in each tile, and that of random weights counts for much.
    assert 0 < apart.mean() < 0.2 * whole.std()


@pytest.mark.parametrize("sides", [(1, 1), (3, 40), (14, 14), (6, 9)])
@pytest.mark.parametrize("name", KINDS)
def test_pictures_too_small_for_its_pool_are_filled_up_by_reflection(name, sides, file):
    state = state_of(name, 2)
    model = srkit.load(file(state), precision="float32")
    small = PHOTO[: sides[0], : sides[1]]
    least = {"rlfn": 15, "rfdn": 15, "plainusr": 7, "plainusr-ultra": 1}[name]
    missing = [(0, max(0, least - side)) for side in small.shape[:2]]
    # Reflected as often as it takes, as numpy does.
    filled = np.pad(small, [*missing, (0, 0)], "reflect" if min(sides) > 1 else "symmetric")
    wanted = by_hand(name, state, filled, 2)[: 2 * sides[0], : 2 * sides[1]]
    made = model.upscale(small / np.float32(255))
    np.testing.assert_allclose(made, wanted, atol=CLOSE)


def test_the_smallest_of_plainusr_becomes_onnx_and_the_others_say_why_not(file, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs pip install 'srkit[onnx]'")
    pytest.importorskip("onnx", reason="needs pip install 'srkit[onnx]'")
    state = state_of("plainusr-ultra")
    made = srkit.export(file(state), tmp_path / "made.onnx")
    found = srkit.load(made.path).upscale(PHOTO / np.float32(255))
    np.testing.assert_allclose(found, by_hand("plainusr-ultra", state, PHOTO), atol=2e-5)
    with pytest.raises(WeightsError, match=r"ResizedLike.*cannot be written as ONNX"):
        srkit.export(file(state_of("rlfn")), tmp_path / "not.onnx")
    assert not (tmp_path / "not.onnx").exists()


# --- what is refused ------------------------------------------------------------------------

DAMAGE = [
    ("rlfn", {"block_2.c5.bias": None}, "block_2.c5.bias is missing"),
    ("rlfn", {"block_2.c1_r.weight": torch.zeros(9, 10, 3, 3)}, "block_2.c1_r.weight is"),
    ("rlfn", {"block_1.c1_r.weight": torch.zeros(8)}, "no kernel"),
    ("rlfn", {"upsampler.0.weight": torch.zeros(50, 10, 3, 3)}, "no squares of pixels"),
    ("rlfn", {"upsampler.0.weight": torch.zeros(0, 10, 3, 3)}, "no squares of pixels"),
    ("rlfn", {"block_4.c5.bias": torch.zeros(10)}, "block_3.c1_r.bias is missing"),
    ("rlfn", {"more.weight": torch.zeros(1)}, "more.weight is left over"),
    ("rlfn", {"conv_1.weight": torch.zeros(1).expand(10, 3, 3, 3)}, "repeats its data"),
    ("rfdn", {"B1.esa.conv1.weight": None}, "B1.esa.conv1.weight is missing"),
    ("rfdn", {"c.0.weight": torch.zeros(10, 10, 1, 1)}, "c.0.weight is"),
    ("plainusr", {"blockm.body.0.bias": None}, "blockm.body.0.bias is missing"),
    ("plainusr", {"block3.body.3.body.2.weight": None}, "block3.body.3.body.2"),
    ("plainusr", {"head.weight": torch.zeros(9, 3, 3, 3)}, "12 channels, where there are 6"),
    ("plainusr", {"head.weight": torch.zeros(2, 3, 3, 3)}, "where there are -1"),
    ("plainusr-trained", {"block1.body.0.se.tensor": None}, "block1.body.0.se.tensor' is missing"),
    ("plainusr-trained", {"block1.body.0.fea_conv.bias": torch.zeros(5)}, r"fea_conv.bias is \(5"),
    ("plainusr-trained", {"block1.body.0.fea_conv.bias": torch.zeros(5, 5)}, "2 dimensions"),
    ("plainusr-trained", {"block1.body.3.conv.weight": torch.zeros(2, 12, 1, 1)}, "no channels"),
    ("plainusr-trained", {"block1.body.03.conv.weight": torch.zeros(1, 12, 1, 1)},
     "block1.body.03.conv.weight is left over"),
    ("plainusr-trained", {"x.block1.body.3.conv.weight": torch.zeros(1, 12, 1, 1)},
     "x.block1.body.3.conv.weight is left over"),
    ("plainusr-trained", {"block1.body.3.conv.bias": None}, "block1.body.3.conv.bias' is missing"),
    ("plainusr-trained", {"block1.body.2.reduce_conv.weight": torch.zeros(1).expand(12, 24, 1, 1)},
     "repeats its data"),
]  # fmt: skip
BUILD = {"rlfn": build_rlfn, "rfdn": build_rfdn, "plainusr": build_plainusr}


@pytest.mark.parametrize(("name", "change", "message"), DAMAGE)
def test_weights_that_do_not_fit_are_told(name, change, message):
    state = {k: v for k, v in (NETWORKS[name][0]() | change).items() if v is not None}
    with pytest.raises(WeightsError, match=message):
        BUILD[name.split("-")[0]](state)


def test_a_small_file_does_not_state_a_large_convolution():
    wide = 50_000
    part = "block1.body.0"
    state = NETWORKS["plainusr-trained"][0]() | {
        f"{part}.expand_conv.weight": torch.zeros(1, wide, 1, 1),
        f"{part}.expand_conv.bias": torch.zeros(1),
        f"{part}.fea_conv.weight": torch.zeros(1, 1, 3, 3),
        f"{part}.fea_conv.bias": torch.zeros(1),
        f"{part}.reduce_conv.weight": torch.zeros(wide, 1, 1, 1),
        f"{part}.reduce_conv.bias": torch.zeros(wide),
        f"{part}.se.tensor": torch.zeros(1, 1, 1, 1),
        f"{part}.se.se.1.weight": torch.zeros(1, 1),
        f"{part}.se.se.3.weight": torch.zeros(1, 1),
    }
    with pytest.raises(WeightsError, match="50000 channels are expanded to 1"):
        build_plainusr(state)


@pytest.mark.parametrize("name", KINDS)
def test_another_scale_and_options_that_are_not_there_are_refused(name, file):
    path = file(state_of(name, 3))
    with pytest.raises(OptionError, match="x3, not x4"):
        srkit.load(path, scale=4)
    with pytest.raises(OptionError, match="has no option 'window'"):
        srkit.load(path, window=3)


def test_blocks_of_other_numbers_and_widths_than_upstreams_are_read_from_names_and_shapes():
    parts = tuple(
        Part(name, width, 1, kind, 2)
        for name, width, kind in (("block1", 5, "none"), ("blockm", 3, "local"))
    )
    torch.manual_seed(0)
    given = PlainUSR(3, Size(5, parts))
    # An odd number of blocks beside the one in the middle: it comes first.
    found = build_plainusr(given.state_dict())
    assert [(p.name, p.channels, p.convolutions, p.attention) for p in found.size.parts] == [
        ("blockm", 3, 1, "local"), ("block1", 5, 1, "none")]  # fmt: skip
