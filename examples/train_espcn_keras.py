"""Train ESPCN in TensorFlow, and write it as a frozen graph that OpenCV and srkit load.

For those who stay with TensorFlow: Keras 3 and tf.data do the training, srkit shrinks the
photos and writes the graph. The network is that of TF-ESPCN, with tanh at the end. LR is
shrunk with antialiasing, as photos are: the graphs that TF-ESPCN published were trained
without it, and lose to bicubic interpolation on ordinary LR.

    pip install "srkit[tensorflow]"
    python examples/train_espcn_keras.py photos/ ESPCN_x2.pb --scale 2 --epochs 30
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

import srkit
from srkit.adapters.readers.graphdef.writing import espcn_graph
from srkit.atomic import replacing
from srkit.imaging.color import rgb_to_ycbcr

SIDE = 17  # of an LR tile: Shi et al., CVPR 2016, Section 3.2


def tiles(folder: Path, scale: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Luma of LR and HR in [0, 1], ``(17, 17, 1)`` and ``(17*scale, 17*scale, 1)``."""
    side = SIDE * scale
    for path in sorted(folder.iterdir()):
        with Image.open(path) as photo:
            luma = rgb_to_ycbcr(np.asarray(photo.convert("RGB")) / 255)[..., 0]
        rows, columns = luma.shape[0] // side, luma.shape[1] // side
        hr = np.round(255 * luma[: rows * side, : columns * side]).astype(np.uint8)
        lr = srkit.imresize(hr, 1 / scale)
        for y in range(rows):
            for x in range(columns):
                yield _tile(lr, y, x, SIDE), _tile(hr, y, x, side)


def _tile(plane: np.ndarray, y: int, x: int, side: int) -> np.ndarray:
    tile = plane[y * side : (y + 1) * side, x * side : (x + 1) * side]
    return (tile / np.float32(255))[..., None].astype(np.float32)


def batches(folder: Path, scale: int, size: int) -> tf.data.Dataset:
    """Shuffled batches of tiles, cut once and kept."""
    lr, hr = (np.stack(part) for part in zip(*tiles(folder, scale), strict=True))
    data = tf.data.Dataset.from_tensor_slices((lr, hr))
    return data.cache().shuffle(len(lr), seed=0).batch(size).prefetch(tf.data.AUTOTUNE)


class PixelShuffle(keras.layers.Layer):
    """Channels to pixels."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(x, self.scale)


def espcn(scale: int) -> keras.Model:
    """TF-ESPCN: ReLU within, tanh at the end, biases that start at 0.1."""
    start = {"padding": "same", "bias_initializer": keras.initializers.Constant(0.1)}
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(64, 5, activation="relu", **start),
            keras.layers.Conv2D(32, 3, activation="relu", **start),
            keras.layers.Conv2D(scale**2, 3, **start),
            PixelShuffle(scale),
            keras.layers.Activation("tanh"),
        ]
    )


def export(model: keras.Model, path: Path) -> None:
    """Write a trained model in the operators and names of TF-ESPCN's own graphs."""
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    weights = {}
    for n, layer in enumerate(convolutions, 1):
        kernel, bias = layer.get_weights()
        # srkit's names, and torch's order of axes.
        weights[f"conv{n}.weight"] = kernel.transpose(3, 2, 0, 1)
        weights[f"conv{n}.bias"] = bias
    with replacing(path) as file:
        file.write(espcn_graph(weights, tanh=True))


def train(folder: Path, out: Path, scale: int, epochs: int, rate: float = 1e-3) -> keras.Model:
    """Train on a folder of photos and write the frozen graph to `out`."""
    keras.utils.set_random_seed(0)
    model = espcn(scale)
    model.compile(keras.optimizers.Adam(rate), loss="mse")
    model.fit(batches(folder, scale, 32), epochs=epochs, shuffle=False, verbose=2)
    export(model, out)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of photos, and of nothing else")
    parser.add_argument("out", type=Path, help="frozen graph to write (.pb)")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 3, 4))
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    train(args.photos, args.out, args.scale, args.epochs)
