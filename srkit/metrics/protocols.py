"""The protocols behind benchmark figures, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import OptionError
from srkit.imaging.resize import imresize
from srkit.metrics.fidelity import Window
from srkit.metrics.pairs import Channel, mod_crop, rounded_luma

_MADE = "LR by MATLAB's antialiased bicubic rounded to the original's depth"


@dataclass(frozen=True)
class Protocol:
    """What a benchmark figure means, so that it can be named beside the figure.

    Attributes
    ----------
    name
        How `srkit.evaluate` and result tables call it.
    channel, window
        As `psnr` and `ssim` take them.
    description
        One sentence for people.
    beyond
        Pixels that are cropped on each side beyond as many as the scale.
    rounded
        Whether luma of 8-bit images is rounded.
    luma_alone
        Whether models are given nothing but the rounded luma, as a grey image in floats, as
        MATLAB's scripts have it: LR is not rounded then.

    Examples
    --------
    >>> import numpy as np
    >>> hr = np.zeros((25, 18, 3), np.uint8)
    >>> lr = STANDARD.low_resolution(hr, 4)
    >>> lr.shape, STANDARD.crop(4), STANDARD.plane(hr).shape
    ((6, 4, 3), 4, (25, 18))
    """

    name: str
    channel: Channel
    window: Window
    description: str
    beyond: int = 0
    rounded: bool = True
    luma_alone: bool = False

    def crop(self, scale: int) -> int:
        """Pixels that metrics leave out on each side: as many as the scale, and `beyond`.

        Examples
        --------
        >>> STANDARD.crop(4)
        4
        """
        return scale + self.beyond

    def plane(self, image: NDArray[Any]) -> NDArray[Any]:
        """Take from `image` what `psnr` and `ssim` shall compare.

        Parameters
        ----------
        image
            ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` (RGB).

        Returns
        -------
        NDArray
            For uint8 on luma, where it is `rounded`, the `rounded_luma`, as MATLAB's scripts
            score 8-bit images; else `image`.

        Raises
        ------
        ImageError
            As `rounded_luma`.

        Examples
        --------
        >>> STANDARD.plane(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).tolist()
        [[16, 235]]
        """
        rounds = self.rounded and self.channel == "y" and image.dtype == np.uint8
        return rounded_luma(image) if rounds else image

    def original(self, hr: NDArray[Any], scale: int) -> NDArray[Any]:
        """What the upscaled image is compared with: `hr` by `mod_crop`, or its luma alone.

        Raises
        ------
        ImageError, OptionError
            As `mod_crop`, and `rounded_luma` where it takes that.

        Examples
        --------
        >>> LUMA_ALONE.original(np.zeros((25, 18, 3), np.uint8), 4).shape
        (24, 16)
        """
        cropped = mod_crop(hr, scale)
        return rounded_luma(cropped) if self.luma_alone else cropped

    def compared(self, upscaled: NDArray[Any]) -> NDArray[Any]:
        """What is compared with the original: the image, in the original's depth.

        Examples
        --------
        >>> LUMA_ALONE.compared(np.array([[0.5]])).tolist()
        [[128]]
        """
        return np.rint(upscaled * 255).astype(np.uint8) if self.luma_alone else upscaled

    def with_given_lr(self) -> Protocol:
        """The same for datasets that hold LR images of their own.

        Raises
        ------
        OptionError
            If LR is luma alone, not rounded, which files do not hold.

        Examples
        --------
        >>> STANDARD.with_given_lr().description.split(", ")[1]
        'LR as the dataset has it'
        """
        if self.luma_alone:
            raise OptionError(
                f"the protocol {self.name} makes LR itself, in floats; give a folder of originals "
                "alone, without LR"
            )
        told = self.description.replace(_MADE, "LR as the dataset has it")
        return replace(self, description=told)

    def low_resolution(self, hr: NDArray[Any], scale: int) -> NDArray[Any]:
        """LR that belongs to `hr`, by MATLAB's antialiased bicubic with mirrored borders.

        Parameters
        ----------
        hr
            ``(H, W)`` or ``(H, W, C)``; cropped by `mod_crop` first. A uint8
            colour image gives the 8-bit LR that RGB models get; the rounded luma
            as float64 gives the unquantised LR behind the published bicubic
            figures.
        scale
            Whole factor by which LR is smaller.

        Returns
        -------
        NDArray
            ``(H // scale, W // scale)`` or with channels, of the dtype of `hr`.

        Raises
        ------
        ImageError, OptionError
            As `mod_crop` and `srkit.imresize`.

        Examples
        --------
        >>> STANDARD.low_resolution(np.zeros((25, 18, 3), np.uint8), 4).shape
        (6, 4, 3)
        """
        hr = self.original(hr, scale)
        if self.luma_alone:
            hr = hr / 255
        lr = imresize(hr, size=(hr.shape[0] // scale, hr.shape[1] // scale))
        # Bicubic overshoots at edges; a float image ends at black and white all the same.
        unit = np.issubdtype(hr.dtype, np.floating) and hr.min() >= 0 and hr.max() <= 1
        return np.clip(lr, 0, 1) if unit else lr


STANDARD = Protocol(
    name="standard",
    channel="y",
    window="gaussian",
    description=(
        f"HR cropped to a multiple of the scale, {_MADE}, "
        "PSNR and SSIM (11x11 Gaussian) on BT.601 luma, rounded where images are 8-bit, "
        "grey images on their raw values, "
        "`scale` pixels cropped on each side, mean of per-image figures"
    ),
)
_MADE_FROM = f"HR cropped to a multiple of the scale, {_MADE}, "
LUMA = Protocol(
    name="luma",
    channel="y",
    window="gaussian",
    rounded=False,
    description=(
        f"{_MADE_FROM}PSNR and SSIM (11x11 Gaussian) on BT.601 luma, not rounded, `scale` pixels "
        "cropped on each side, mean of per-image figures (BasicSR with test_y_channel)"
    ),
)
RGB = Protocol(
    name="rgb",
    channel="rgb",
    window="gaussian",
    description=(
        f"{_MADE_FROM}PSNR and SSIM (11x11 Gaussian) on RGB, `scale` pixels cropped on each side, "
        "mean of per-image figures (BasicSR's model zoo)"
    ),
)
RGB_DIV2K = Protocol(
    name="rgb-div2k",
    channel="rgb",
    window="gaussian",
    beyond=6,
    description=(
        f"{_MADE_FROM}PSNR and SSIM (11x11 Gaussian) on RGB, `scale` + 6 pixels cropped on each "
        "side, mean of per-image figures (EDSR on DIV2K)"
    ),
)
LUMA_ALONE = Protocol(
    name="luma-alone",
    channel="y",
    window="gaussian",
    luma_alone=True,
    description=(
        "HR cropped to a multiple of the scale, its BT.601 luma rounded to 8 bits and all colour "
        "left out, LR of that by MATLAB's antialiased bicubic and not rounded, results rounded to "
        "8 bits, PSNR and SSIM (11x11 Gaussian), `scale` pixels cropped on each side, mean of "
        "per-image figures (the bicubic rows of papers)"
    ),
)
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {one.name: one for one in (STANDARD, LUMA, RGB, RGB_DIV2K, LUMA_ALONE)}
)
