"""VGG-19's convolutions as Lasagne layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from lasagne.layers import Conv2DLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify

from srkit.adapters.readers.enhance.vgg import LAYERS, MEANS, VggWeights


def vgg(image: Any, weights: VggWeights) -> dict[str, Any]:
    """The layers ``conv1_1`` to ``conv5_4``, each rectified, with pooling between blocks.

    Parameters
    ----------
    image
        Theano's variable of ``(N, 3, H, W)`` in [-0.5, 0.5], RGB.
    weights
        As `read_vgg` gives them. Lasagne flips kernels.
    """
    means = np.array(MEANS, np.float32).reshape(1, 3, 1, 1)
    levels = (image + np.float32(0.5)) * np.float32(255) - means
    layers: dict[str, Any] = {}
    last: Any = InputLayer((None, 3, None, None), levels)
    for name in LAYERS:
        kernel, bias = weights[name]
        if name.endswith("_1") and name != LAYERS[0]:
            last = MaxPool2DLayer(last, 2)
        last = layers[name] = Conv2DLayer(
            last, len(bias), 3, pad=1, W=kernel, b=bias, nonlinearity=rectify
        )
    return layers
