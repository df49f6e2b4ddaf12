"""Iterative back-projection, as a model of srkit."""

from srkit import ModelCard

ROUNDS = 3

CARD = ModelCard(
    name="back-projection",
    summary="Bicubic, made to shrink to the picture that was given: crisper, no network.",
    adapter="srkit_back_projection.adapter:BackProjection",
    framework="numpy",
    scales=(2, 3, 4),
    default_scale=2,
    border="mirror",
    # Bicubic sees two pixels far, once at first and once in each round.
    radius=2 * (1 + ROUNDS),
    licence="Apache-2.0",
    paper="Irani and Peleg, Improving resolution by image registration, CVGIP 53(3), 1991",
)
