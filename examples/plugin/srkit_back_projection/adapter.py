"""The adapter, imported when the model is loaded; a network would import its framework here."""

import srkit
from srkit import Upscaler
from srkit_back_projection import ROUNDS


class BackProjection(Upscaler):
    """Adds back, a few times, what the result lacks when it is shrunk by area."""

    def __init__(self, card, scale, weights=None):
        self.card, self.scale = card, scale
        self._enlarge = srkit.load("bicubic", scale=scale).run

    def run(self, tiles):  # (N, H, W, C) in [0, 1]
        made = self._enlarge(tiles)
        for _ in range(ROUNDS):
            made += self._enlarge(tiles - self._shrink(made))
        return made

    def _shrink(self, made):
        """Mean of each LR pixel's area, as a camera's sensor takes it."""
        count, height, width, channels = made.shape
        s = self.scale
        return made.reshape(count, height // s, s, width // s, s, channels).mean(axis=(2, 4))
