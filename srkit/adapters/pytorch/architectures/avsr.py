"""MD-AVSR, which sees several frames of a video."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from srkit.adapters.pytorch.architectures.base import Architecture, NetworkUpscaler
from srkit.adapters.pytorch.architectures.fitting import fitted
from srkit.adapters.pytorch.architectures.training import Training, last_apart, later
from srkit.adapters.pytorch.nets.avsr import AVSR, Size
from srkit.card import ModelCard
from srkit.errors import WeightsError
from srkit.imaging.observation import Observation
from srkit.upscaling.video import VideoUpscaler

NAME = "AVSR"
# LR pixels beyond which the pseudo-inverse of bicubic shrinking has less than 1e-5 of a value.
INVERSE_REACH = 20


class Packed(nn.Module):
    """The network with one input: the frames, and the pseudo-inverse with its phases as channels.

    Both then have the size of LR, as an image has that is cut into tiles.
    """

    def __init__(self, net: AVSR) -> None:
        super().__init__()
        self.net = net
        self.shuffle = nn.PixelShuffle(net.scale)
        self.frames = net.window * net.channels

    def forward(self, packed: Tensor) -> Tensor:
        """``(N, T + scale², H, W)`` to ``(N, 1, scale*H, scale*W)``."""
        inverse = self.shuffle(packed[:, self.frames :])
        return cast(Tensor, self.net(packed[:, : self.frames], inverse))


class AVSRUpscaler(VideoUpscaler, NetworkUpscaler):
    """MD-AVSR on luma: a network on several frames, and a projection on what is known.

    Parameters
    ----------
    card, scale, architecture, net, device, precision, runtime
        See `NetworkUpscaler`.
    """

    def __init__(
        self,
        card: ModelCard,
        scale: int,
        architecture: Architecture,
        net: AVSR,
        *,
        device: str = "auto",
        precision: str = "auto",
        runtime: str = "auto",
    ) -> None:
        self.window = net.window
        super().__init__(
            card, scale, architecture, net, device=device, precision=precision, runtime=runtime
        )

    @property
    def radius(self) -> int:
        """That of the network, and how far the pseudo-inverse reaches."""
        return self._radius + INVERSE_REACH

    @property
    def _channels(self) -> int:
        return self.window + self.scale**2

    def run(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `VideoUpscaler.run`: f of the paper, which `refine` projects."""
        return super().run(self._packed(tiles))

    def inputs(self, strips: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """See `TorchUpscaler.inputs`: as far behind as the pseudo-inverse reaches."""
        near: NDArray[np.float32] = np.empty(0, np.float32)
        done = 0
        for strip in strips:
            near = np.concatenate([near, strip], axis=2) if near.size else strip
            known = near.shape[2] - INVERSE_REACH
            if known > done:
                yield self._packed(near)[:, done:known]
                first = max(0, known - INVERSE_REACH)
                near, done = near[:, :, first:].copy(), known - first
        yield self._packed(near)[:, done:]

    def _packed(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Tiles ``(N, T, H, W, 1)`` as `Packed` takes them, ``(N, H, W, T + scale²)``."""
        count, frames, height, width, _ = tiles.shape
        s = self.scale
        observation = Observation(height * s, width * s, s)
        packed = np.empty((count, height, width, frames + s**2), np.float32)
        packed[..., :frames] = np.moveaxis(tiles[..., 0], 1, -1)
        for tile, into in zip(tiles, packed, strict=True):
            phases = observation.invert(tile[frames // 2]).reshape(height, s, width, s)
            into[..., frames:] = phases.swapaxes(1, 2).reshape(height, width, s**2)
        return packed

    def strip_bytes(self, rows: int, width: int) -> float:
        """See `Upscaler.strip_bytes`: with the pseudo-inverse of rows around a strip."""
        # Two HR planes in double precision, and what they are packed into.
        packing = 2 * 8 * self.scale**2 + 4 * self._channels
        around = width * (rows + 2 * INVERSE_REACH)
        return super().strip_bytes(rows, width) + packing * around

    def refine(self, made: NDArray[np.float32], given: NDArray[Any], top: float) -> None:
        """Make luma agree with the frame that was given: (I - A⁺A) f + A⁺y, on whole planes."""
        for picture, source in zip(made, given, strict=True):
            observation = Observation(picture.shape[0], picture.shape[1], self.scale)
            wanted = self._luma(source.astype(np.float32) / np.float32(top))
            apart = wanted - observation.apply(self._luma(picture))
            picture += observation.invert(apart).astype(np.float32)

    def _luma(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        # The channels of CMYK are grey pictures of their own.
        return self.luma_rule.luma(picture, 1.0) if picture.shape[-1] == 3 else picture


def looks_like_avsr(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is of the form that `build_avsr` takes."""
    return {"frames.weight", "merge.weight", "expand.weight"} <= tensors.keys()


def avsr_scale(tensors: Mapping[str, Tensor]) -> int:
    """The factor that a state dict is for."""
    return _form(tensors)[0]


def build_avsr(tensors: Mapping[str, Tensor]) -> AVSR:
    """The network of the size that a state dict tells, with its weights.

    Raises
    ------
    WeightsError
        If tensors are missing, left over or of the wrong shape.
    """
    scale, window, channels, size = _form(tensors)
    return fitted(NAME, lambda: AVSR(scale, window, channels, size), tensors)


def _form(tensors: Mapping[str, Tensor]) -> tuple[int, int, int, Size]:
    try:
        frames, merge, expand = (tensors[f"{n}.weight"] for n in ("frames", "merge", "expand"))
        width = expand.shape[1]
        scale = round((expand.shape[0] / width) ** 0.5)
        channels, window = frames.shape[1], merge.shape[1] // width
        encoder = tensors["encode.0.weight"].shape[0]
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise WeightsError(f"these are no weights of {NAME}: {error}") from error
    low, high = (_blocks(tensors, part) for part in ("low", "high"))
    return scale, window, channels, Size(width, encoder, low, high)


def _blocks(tensors: Mapping[str, Tensor], part: str) -> int:
    found = (re.match(rf"{part}\.(\d+)\.", name) for name in tensors)
    return len({match[1] for match in found if match})


def _training(size: Size) -> Training:
    grow_avsr = later("srkit.training.starts.growing:grow_avsr")
    return Training(
        scales=(2, 3, 4),
        build=lambda scale: AVSR(scale, size=size),
        start=later("srkit.training.data.motion:start_avsr"),
        groups=last_apart(lambda net: net.out),
        planes=later("srkit.training.data.motion:Projected"),
        window=5,
        grow=lambda net, stated: grow_avsr(net, size),
    )


ARCHITECTURE = Architecture(
    name=NAME,
    fits=looks_like_avsr,
    scale=avsr_scale,
    build=lambda tensors, scale: build_avsr(tensors),
    planes=Packed,
    colour="luma",
    upscaler=AVSRUpscaler,
    training={
        "vsr": _training(Size()),
        "vsr-small": _training(Size(width=24, encoder=16, low=8, high=1)),
    },
)
