"""What is known of a picture before it is upscaled."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Findings:
    """What is known of a picture before it is upscaled.

    Attributes
    ----------
    noise
        Deviation in levels of 255; see `srkit.imaging.noise.estimate_noise`.
    jpeg_quality
        Of the JPEG file that it is, from 1 to 100; or was, where its pixels tell, as an array's
        may (`srkit.imaging.jpeg_traces.estimate_jpeg_quality`). Otherwise None.
    sharpness
        Of its strong edges, or None where there are none; see
        `srkit.imaging.sharpness.estimate_sharpness`.

    Examples
    --------
    >>> Findings(noise=2.5).jpeg_quality is None
    True
    """

    noise: float
    jpeg_quality: int | None = None
    sharpness: float | None = None
