"""Cards of the built-in models, and the file formats srkit opens itself."""

from __future__ import annotations

from srkit.card import ModelCard, WeightsFile
from srkit.formats import is_bzip2, is_graph, is_safetensors, is_torch_checkpoint
from srkit.registry import FileFormat

ANY_SCALE = tuple(range(2, 17))


def _classical(name: str, summary: str, radius: int, paper: str) -> ModelCard:
    return ModelCard(
        name=name,
        summary=summary,
        adapter="srkit.adapters.classical:Interpolation",
        framework="numpy",
        scales=ANY_SCALE,
        default_scale=4,
        border="mirror",
        radius=radius,
        licence="Apache-2.0",
        paper=paper,
    )


NEAREST = _classical("nearest", "Each pixel repeated.", 0, "")
BILINEAR = _classical("bilinear", "Linear interpolation of both axes.", 1, "")
BICUBIC = _classical(
    "bicubic",
    "Bicubic interpolation as MATLAB's imresize: the usual baseline.",
    2,
    "Keys, Cubic convolution interpolation for digital image processing, 1981",
)
LANCZOS = _classical(
    "lanczos",
    "Lanczos interpolation with three lobes.",
    3,
    "Duchon, Lanczos filtering in one and two dimensions, 1979",
)

# Checksums are those of the files in srkit/pretrained.
SRRESNET = ModelCard(
    name="srresnet",
    summary="Residual network trained for fidelity: the highest PSNR, smooth textures.",
    adapter="srkit.adapters.pytorch.srresnet:SRResNetUpscaler",
    framework="torch",
    scales=(4,),
    default_scale=4,
    licence="CC-BY-SA-4.0",
    paper="Ledig et al., CVPR 2017, arXiv:1609.04802",
    training_data="srkit/pretrained/CREDITS.md",
    weights={
        4: WeightsFile(
            file="srresnet_x4.safetensors",
            sha256="3e1bed53475bffeba29e581746ad6a3cb58aeb0acea0b6821da26cf362f7764c",
        )
    },
)
SRGAN = ModelCard(
    name="srgan",
    summary="SRResNet trained on against a discriminator: sharp textures, invented detail.",
    adapter="srkit.adapters.pytorch.srresnet:SRGANUpscaler",
    framework="torch",
    scales=(4,),
    default_scale=4,
    licence="CC-BY-SA-4.0",
    paper="Ledig et al., CVPR 2017, arXiv:1609.04802",
    training_data="srkit/pretrained/CREDITS.md",
    weights={
        4: WeightsFile(
            file="srgan_x4.safetensors",
            sha256="ee3779349c72602650b20c3ab381b80730e7f4af2dc6e354d6321453b12123c2",
        )
    },
)

ESPCN = ModelCard(
    name="espcn",
    summary="Three convolutions on luma: tiny and fast.",
    adapter="srkit.adapters.pytorch.luma:LumaUpscaler",
    framework="torch",
    others={"tensorflow": "srkit.adapters.tensorflow.luma:load_model"},
    scales=(2, 3, 4),
    default_scale=2,
    colour="luma",
    licence="CC-BY-SA-4.0",
    paper="Shi et al., CVPR 2016, arXiv:1609.05158",
    training_data="srkit/pretrained/CREDITS.md",
    weights={
        2: WeightsFile(
            file="espcn_x2.safetensors",
            sha256="b13f4f3bab061ebb749172b4bfd91d301b71da20554e68666d874c41dac2a83e",
        ),
        3: WeightsFile(
            file="espcn_x3.safetensors",
            sha256="2c13cdc687077dc8be838f6dcb93b212b2e6a0ad50833346b732f705b9aa9e65",
        ),
        4: WeightsFile(
            file="espcn_x4.safetensors",
            sha256="5bd18637dcfc235ebe9c070d6c887f406b9102b3062866ab3b84c8c2f421a3fd",
        ),
    },
)

TORCH_CHECKPOINT = FileFormat(
    name="PyTorch checkpoint",
    suffixes=(".pth", ".pth.tar", ".pt", ".ckpt"),
    sniff=is_torch_checkpoint,
    adapter="srkit.adapters.pytorch.files:open_checkpoint",
    framework="torch",
)
FROZEN_GRAPH = FileFormat(
    name="frozen TensorFlow graph",
    suffixes=(".pb",),
    sniff=is_graph,
    adapter="srkit.adapters.pytorch.frozen:open_graph",
    framework="torch",
    others={"tensorflow": "srkit.adapters.tensorflow.frozen:open_graph"},
)
ENHANCE_PICKLE = FileFormat(
    name="neural-enhance file",
    suffixes=(".pkl.bz2",),
    sniff=is_bzip2,
    adapter="srkit.adapters.pytorch.enhance:open_pickle",
    framework="torch",
    others={"theano": "srkit.adapters.lasagne.enhance:open_pickle"},
)
SAFETENSORS = FileFormat(
    name="safetensors file",
    suffixes=(".safetensors",),
    sniff=is_safetensors,
    adapter="srkit.adapters.pytorch.files:open_checkpoint",
    framework="torch",
    others={"tensorflow": "srkit.adapters.tensorflow.luma:open_weights"},
)
