"""Cards of the built-in models, and the file formats srkit opens itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from srkit.card import ModelCard, WeightsFile
from srkit.models.footprints import FOOTPRINTS
from srkit.models.formats import (
    is_bzip2,
    is_graph,
    is_ncnn,
    is_onnx,
    is_safetensors,
    is_torch_checkpoint,
)
from srkit.models.registry import FileFormat

ANY_SCALE = tuple(range(2, 17))


def _classical(
    name: str, summary: str, radius: int, paper: str, good_for: str = "a baseline to compare with"
) -> ModelCard:
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
        even_colours=True,
        good_for=good_for,
    )


NEAREST = _classical("nearest", "Each pixel repeated.", 0, "", "pixel art")
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


# Of all of them: it tells by the weights which network they are of.
_NETWORK = "srkit.adapters.pytorch.architectures.loading:load_network"


def _trained(
    name: str,
    summary: str,
    paper: str,
    digests: Mapping[int, str],
    *,
    adapter: str = _NETWORK,
    default_scale: int | None = None,
    colour: Literal["rgb", "luma"] = "rgb",
    others: Mapping[str, str] | None = None,
    multiple: int = 1,
    radius: int | Mapping[int, int] | None = None,
    float16: tuple[int, ...] = (),
    bfloat16: tuple[int, ...] = (),
    version: str = "2025",
    even_colours: bool = True,
    colour_shift: Mapping[int, int] | None = None,
    keep_grain: Mapping[int, str] | None = None,
    earlier: Mapping[str, str] | None = None,
    defaults: Mapping[str, float | str] | None = None,
    good_for: str,
) -> ModelCard:
    """A card of weights that come with srkit; `digests` are SHA-256 by scale.

    `keep_grain` are those of siblings that keep noise and grain: the other end of ``denoise=``.
    `float16` and `bfloat16` are the scales at which benchmarks/precision.py found these precisions
    good enough.
    """
    return ModelCard(
        name=name,
        summary=summary,
        adapter=adapter,
        framework="torch",
        scales=tuple(digests),
        default_scale=default_scale or max(digests),
        colour=colour,
        multiple=multiple,
        radius=radius,
        licence="CC-BY-SA-4.0",
        paper=paper,
        training_data="srkit/pretrained/CREDITS.md",
        weights=_packaged(name, digests, keep_grain or {}),
        version=version,
        others=others or {},
        precisions=_precisions(float16, bfloat16),
        even_colours=even_colours,
        colour_shift=colour_shift or {},
        earlier=earlier or {},
        defaults=defaults or {},
        good_for=good_for,
    )


def _packaged(
    name: str, digests: Mapping[int, str], keep_grain: Mapping[int, str]
) -> dict[int, WeightsFile]:
    """Weights files that come with srkit, by scale."""
    return {
        scale: WeightsFile(
            file=f"{name}_x{scale}.safetensors",
            sha256=digest,
            companions=_sibling(name, scale, keep_grain),
            footprint=FOOTPRINTS.get((name, scale)),
        )
        for scale, digest in digests.items()
    }


def _sibling(name: str, scale: int, digests: Mapping[int, str]) -> tuple[WeightsFile, ...]:
    """The file of weights that keep noise and grain, where a model has one."""
    if scale not in digests:
        return ()
    return (WeightsFile(file=f"{name}-grain_x{scale}.safetensors", sha256=digests[scale]),)


def _precisions(float16: Collection[int], bfloat16: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Precisions that are good enough, by scale, of the scales at which each is."""
    proven = {"float16": float16, "bfloat16": bfloat16}
    return {
        scale: tuple(name for name, scales in proven.items() if scale in scales)
        for scale in sorted({*float16, *bfloat16})
    }


_LUMA_OTHERS = {"tensorflow": "srkit.adapters.tensorflow.luma:load_model"}

SRRESNET = _trained(
    "srresnet",
    "Residual network trained for fidelity: the highest PSNR, smooth textures.",
    "Ledig et al., CVPR 2017, arXiv:1609.04802",
    {
        2: "bc6636125550f05e625717a8862e7bc1657e2d05af6a22bd47a6e29f70bd8009",
        4: "23179ad26f65619f3a06555d6336fb1c9b6247419802f9fb9d827236d982d2e7",
    },
    radius=48,
    version="2026",
    float16=(2, 4),
    bfloat16=(2, 4),
    good_for="clean pictures: a camera's originals, renderings",
)
# Its digests are written by tools/ship_model.py.
SPAN = _trained(
    "span",
    "Small blocks that weigh what they make: fidelity at a quarter of srresnet's work.",
    "Wan et al., Swift Parameter-free Attention Network, CVPRW 2024, arXiv:2311.12770",
    {
        2: "0646b3490a0d75638e768e064fda435857f09b73a6fc573c4f81ff32cbc0cb63",
        4: "6f1c7c8f2049f997a5ef8fce494a0b5edc8250a0efb636d6c44cc000cffd3204",
    },
    radius=29,
    version="2026",
    good_for="clean pictures: as true as srresnet or nearly, in a third of its time",
    float16=(2, 4),
    bfloat16=(2, 4),
)
SRGAN = _trained(
    "srgan",
    "SRResNet trained on against a discriminator: sharp textures, invented detail.",
    "Ledig et al., CVPR 2017, arXiv:1609.04802",
    {
        4: "e49e4501f0ab61b9b5ca279d267c653f4c8846e9e025c145ad0bc96e51cd7b0a",
    },
    adapter="srkit.adapters.pytorch.architectures.dials:load_srgan",
    radius=50,
    version="2026",
    float16=(4,),
    bfloat16=(4,),
    good_for="clean pictures, sharper and less true",
)
PHOTO_2025 = _trained(
    "photo-2025",
    "The model that was called photo in 2025, unchanged: soft, and even colours shift a little.",
    "Ledig et al., CVPR 2017, arXiv:1609.04802",
    {
        2: "6186a61130a3ec9e9fa60c6cb60732e9e124de9750766969c0d99fe7a672357f",
        4: "1ee03eb8ee41709c9303f5af3a4a8814acbcce313cee48e1ad9ada09d5b6bc92",
    },
    radius=40,
    float16=(2, 4),
    bfloat16=(2, 4),
    even_colours=False,
    colour_shift={2: 8, 4: 13},
    good_for="poor photos, softer than photo, and nothing drawn",
)
# The default. Its pixels may be others from release to release: the old ones keep a name.
# Digests are written by tools/ship_photo.py.
PHOTO = _trained(
    "photo",
    "For photos as they are: takes blur, noise and JPEG blocks away, as far as it finds them.",
    "Wang et al., Real-ESRGAN, ICCVW 2021, arXiv:2107.10833",
    {
        2: "71152fb7c4c5c6d17d2d649ab9fe4b1b6ef8bd02aebfa16b73bacfa5d6db92b2",
        4: "85e961a2e01a193da28ec2c0a9d5bad729e8219144fbeee389647923cad3e034",
    },
    keep_grain={
        2: "1921e6cbe928c3f5c69e53f99d37eab591cfc4301c43e6e41091e26e8f2043f9",
        4: "b88e4bac56a03a19b5ea8d2ceb9582a721b8d21132ef57f192d695d08c2d5f39",
    },
    radius=38,
    version="2026",
    float16=(2, 4),
    bfloat16=(2, 4),
    earlier={"2025": "photo-2025"},
    defaults={"denoise": "auto"},
    good_for="photos as they are: faces, JPEG from the web, text",
)
ESPCN = _trained(
    "espcn",
    "Three convolutions on luma: tiny and fast.",
    "Shi et al., CVPR 2016, arXiv:1609.05158",
    {
        2: "7c5fdfa0fc2308447a11273ed74efcf426bafbafb5f42d2539ba1fe20c1fc9fe",
        3: "efa9fb90c3cfd462e0732913d467462144e8bb0c6884fbe9d51459a641a958fe",
        4: "3afa92cd80be1933c61e4c863cbe5c88104866cafebd525d1ab9ad3886ccac1e",
    },
    version="2026",
    default_scale=2,
    colour="luma",
    others={"openvino": _NETWORK, **_LUMA_OTHERS},
    radius=4,
    float16=(2, 3, 4),
    good_for="video, and where speed counts",
)
FSRCNN = _trained(
    "fsrcnn",
    "Eight thin layers on luma: half the size of espcn, about as good, slower on a CPU.",
    "Dong et al., ECCV 2016, arXiv:1608.00367",
    {
        2: "96808c05e191f7c3bd6e6aed0e6a9d5b4480072c1032bdbd3f58e2d516c054d3",
        3: "74129d03e0d5f64f91009cfa6a25ea0db897d07aa02aaa7a650d60ae60f36cda",
        4: "68077e50fb8271c195089cb5948e4ece5fc9b09bc8af6951bcc28a90e356f2eb",
    },
    version="2026",
    default_scale=2,
    colour="luma",
    others=_LUMA_OTHERS,
    radius={2: 8, 3: 8, 4: 7},
    float16=(2, 3, 4),
    good_for="clean pictures, where the file has to be small",
)

_ENHANCE_OTHERS = {"theano": "srkit.adapters.lasagne.enhance:LasagneEnhance"}
_ENHANCE_PAPER = "Champandard, github.com/alexjc/neural-enhance, 2016"

NEURAL_ENHANCE = _trained(
    "neural-enhance",
    "neural-enhance's network, for fidelity: 3.7 times as fast as srresnet, 0.9 dB below.",
    _ENHANCE_PAPER,
    {
        2: "049fecb4cce28b5b7e876e6ae2c6a19f6c2a69f73f21e887bfbae6461f3454fe",
    },
    others=_ENHANCE_OTHERS,
    radius=10,
    float16=(2,),
    bfloat16=(2,),
    good_for="clean pictures, faster",
)
NEURAL_ENHANCE_REPAIR = _trained(
    "neural-enhance-repair",
    "neural-enhance's network at the same size: takes JPEG's blocks away.",
    _ENHANCE_PAPER,
    {
        1: "05fb473c31c39fa2345b7084f3e0855980dd30281a03edd88f0bb734689e45aa",
    },
    others=_ENHANCE_OTHERS,
    radius=12,
    float16=(1,),
    even_colours=False,
    colour_shift={1: 2},
    good_for="JPEG that keeps its size",
)

_UNET_PAPER = "Howard and others, fastai 1.0, lesson 7, 2019"

UNET = _trained(
    "unet",
    "U-Net trained on a classifier's features: crisper edges than srresnet, truer than srgan.",
    _UNET_PAPER,
    {
        2: "77d42bf46a65bba7fd3c4634cc07c20751bf33f57b3fdd34ae7144be7c7c6f40",
        4: "a1e107671b1ac275c622eab727b4a06dec73ef66f82b8a88bede78ce3d874596",
    },
    multiple=16,
    float16=(2, 4),
    bfloat16=(2, 4),
    good_for="clean pictures, crisper",
)

UNET_REPAIR = _trained(
    "unet-repair",
    "U-Net at the same size: takes JPEG's blocks, noise and blur away.",
    _UNET_PAPER,
    {
        1: "82be6915a7ec283c6abbc570b5d5b73459d79d7b517da13608605361b8345350",
    },
    multiple=32,
    float16=(1,),
    bfloat16=(1,),
    good_for="poor pictures that keep their size",
)

_AVSR_PAPER = "López-Tapia et al., Digital Signal Processing 2020, arXiv:1907.01399"

VSR = _trained(
    "vsr",
    "MD-AVSR, for video: each frame from five, on luma; flickers least.",
    _AVSR_PAPER,
    {
        4: "e5962d6f8df7108c70df424829c54c0faf199d0fcff54d5755d4b1e60704d62a",
    },
    colour="luma",
    good_for="clean video, where flicker shows",
)
VSR_SMALL = _trained(
    "vsr-small",
    "MD-AVSR, narrow: a twentieth of the work of vsr, on luma.",
    _AVSR_PAPER,
    {
        4: "7ac54c2b3395fec043ca7a31f8f57d47d727556efc9ae7b03b919b2ad4384044",
    },
    colour="luma",
    good_for="clean video, faster",
)

TORCH_CHECKPOINT = FileFormat(
    name="PyTorch checkpoint",
    suffixes=(".pth", ".pth.tar", ".pt", ".ckpt"),
    sniff=is_torch_checkpoint,
    adapter="srkit.adapters.pytorch.opening:open_checkpoint",
    framework="torch",
    contents="srkit.adapters.pytorch.checkpoints:contents",
)
FROZEN_GRAPH = FileFormat(
    name="frozen TensorFlow graph",
    suffixes=(".pb",),
    sniff=is_graph,
    adapter="srkit.adapters.pytorch.graphs.opening:open_graph",
    framework="torch",
    others={"tensorflow": "srkit.adapters.tensorflow.frozen:open_graph"},
    contents="srkit.adapters.readers.graphdef.frozen:contents",
)
ENHANCE_PICKLE = FileFormat(
    name="neural-enhance file",
    suffixes=(".pkl.bz2",),
    sniff=is_bzip2,
    adapter="srkit.adapters.pytorch.architectures.enhance:open_pickle",
    framework="torch",
    others={"theano": "srkit.adapters.lasagne.enhance:open_weights"},
    contents="srkit.adapters.readers.enhance.files:contents",
)
SAFETENSORS = FileFormat(
    name="safetensors file",
    suffixes=(".safetensors",),
    sniff=is_safetensors,
    adapter="srkit.adapters.pytorch.opening:open_checkpoint",
    framework="torch",
    others={
        "tensorflow": "srkit.adapters.tensorflow.luma:open_weights",
        "theano": "srkit.adapters.lasagne.enhance:open_weights",
    },
    contents="srkit.models.contents:safetensors_contents",
)
ONNX = FileFormat(
    name="ONNX network",
    suffixes=(".onnx",),
    sniff=is_onnx,
    adapter="srkit.adapters.onnx.files:open_network",
    framework="onnx",
    contents="srkit.adapters.onnx.judging:contents",
)
NCNN = FileFormat(
    name="ncnn network",
    suffixes=(".param", ".bin"),
    sniff=is_ncnn,
    adapter="srkit.adapters.pytorch.graphs.ncnn:open_ncnn",
    framework="torch",
    contents="srkit.adapters.readers.ncnn.files:contents",
)
