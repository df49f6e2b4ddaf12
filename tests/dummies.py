"""Upscalers made for tests: small, exact, and each special in one way."""

import numpy as np

import srkit
from srkit.card import ModelCard
from srkit.upscaling.upscaler import Upscaler
from srkit.upscaling.video import VideoUpscaler

TOPS = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}


def card(name="dummy", **facts):
    defaults = {
        "summary": "A model for tests.",
        "adapter": "dummies:Nearest",
        "framework": "numpy",
        "scales": (2,),
        "default_scale": 2,
        "radius": 0,
    }
    return ModelCard(name=name, **{**defaults, **facts})


class Nearest(Upscaler):
    """Each pixel becomes four."""

    card = card()
    scale = 2

    def run(self, tiles):
        return tiles.repeat(2, axis=1).repeat(2, axis=2)


class Blur(Nearest):
    """Nearest after a box filter of 5x5 pixels that takes zeros beyond its tile."""

    card = card(radius=2)

    def run(self, tiles):
        padded = np.pad(tiles, ((0, 0), (2, 2), (2, 2), (0, 0)))
        height, width = tiles.shape[1:3]
        shifts = [(y, x) for y in range(5) for x in range(5)]
        total = sum(padded[:, y : y + height, x : x + width] for y, x in shifts)
        return super().run((total / np.float32(25)).astype(np.float32))


class Luma(Upscaler):
    """Bicubic interpolation of brightness alone."""

    def __init__(self, scale=2):
        self.card = card(colour="luma", radius=2, border="mirror", scales=(scale,))
        self.scale = scale
        self.bicubic = srkit.load("bicubic", scale=scale)

    def run(self, tiles):
        assert tiles.shape[-1] == 1
        return self.bicubic.run(tiles)


class Fours(Blur):
    """Takes sides that are multiples of four."""

    card = card(multiple=4, radius=2)

    def run(self, tiles):
        assert tiles.shape[1] % 4 == tiles.shape[2] % 4 == 0
        return super().run(tiles)


class Streaming(Nearest):
    """Nearest by strips; rows come out one, two, three ... at a time."""

    card = card(radius=0)

    def run_rows(self, strips):
        ready, step = np.zeros((1, 0, 0, 0), np.float32), 1
        for strip in strips:
            made = self.run(strip)
            ready = np.concatenate([ready, made], axis=1) if ready.size else made
            while ready.shape[1] >= step:
                yield ready[:, :step]
                ready, step = ready[:, step:], step % 5 + 1
        if ready.shape[1]:
            yield ready


class MeanOfThree(VideoUpscaler):
    """The mean of three frames, each pixel becoming four."""

    card = card("mean")
    scale, window = 2, 3

    def run(self, tiles):
        return tiles.mean(axis=1, dtype=np.float32).repeat(2, axis=1).repeat(2, axis=2)


def noise(shape, dtype="float32", seed=0):
    """An image over the whole range of its kind."""
    values = np.random.default_rng(seed).random(shape)
    return np.round(values * TOPS[dtype]).astype(dtype) if "u" in dtype else values.astype(dtype)


def heard(model, image, **options):
    """What a progress function is told."""
    calls = []
    model.upscale(image, progress=lambda *call: calls.append(call), **options)
    return calls
