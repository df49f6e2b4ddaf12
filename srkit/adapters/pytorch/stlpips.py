"""ST-LPIPS: a reader of its published weights, its distance, and its features.

A. Ghildyal, F. Liu, "Shift-tolerant Perceptual Similarity Metric", ECCV 2022. The
weights come with the package `stlpips_pytorch` (BSD-2-Clause), of which only the
files are used: its code is never imported, since it needs torchvision.
"""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from srkit.adapters.pytorch.distances import as_tensors, weighted_difference
from srkit.adapters.pytorch.nets.blurpool import VGG16, AlexNet
from srkit.errors import OptionError, WeightsError
from srkit.extras import extra_line, missing_extra
from srkit.metrics import Backbone

_NETS: dict[str, type[AlexNet] | type[VGG16]] = {"alex": AlexNet, "vgg": VGG16}


class StLpips:
    """Shift-tolerant perceptual distance, and the features it compares.

    Parameters
    ----------
    backbone
        ``"alex"`` or ``"vgg"``: blur-pooled AlexNet or VGG-16.
    device
        Where to compute.

    Raises
    ------
    MissingDependencyError
        If the package with the weights is not installed.
    OptionError
        If `backbone` is unknown.
    WeightsError
        If the package lacks the file or the file does not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> metric = StLpips("alex")
    >>> photo = np.random.default_rng(0).random((48, 48, 3))
    >>> metric.distance(photo, photo), metric.distance(photo, photo / 2) > 0.01
    (0.0, True)
    """

    def __init__(self, backbone: Backbone = "alex", device: str | torch.device = "cpu") -> None:
        if backbone not in _NETS:
            raise OptionError(f"backbone is 'alex' or 'vgg', not {backbone!r}")
        path = _weights_path(backbone)
        state = _read_state(path)
        # Made without storage, since every number comes from the file.
        with torch.device("meta"):
            self.net = _NETS[backbone]()
        try:
            net_state = {
                name.removeprefix("net."): value
                for name, value in state.items()
                if name.startswith("net.")
            }
            self.net.load_state_dict(net_state, assign=True)
            shift, scale = state["scaling_layer.shift"], state["scaling_layer.scale"]
            heads = [state[f"lin{k}.model.1.weight"] for k in range(5)]
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"{path.name} does not fit {backbone}: {error}") from error
        self.net.requires_grad_(False).eval().to(device)
        self._shift, self._scale = shift.to(device), scale.to(device)
        self._heads = [head.to(device) for head in heads]
        self.device = torch.device(device)

    def features(self, x: Tensor, last: int = 5) -> list[Tensor]:
        """Features of the first `last` blocks, for a loss: gradients reach `x`.

        Parameters
        ----------
        x
            RGB in [0, 1], ``(N, 3, H, W)``, on this object's device.
        last
            Number of the last block to compute, 1 to 5; later ones cost nothing.

        Returns
        -------
        list of Tensor
            One ``(N, C, h, w)`` a block, after its last ReLU, not normalised.
        """
        features: list[Tensor] = self.net((2 * x - 1 - self._shift) / self._scale, last)
        return features

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        """Mean distance of two batches, as a loss: gradients reach both.

        Parameters
        ----------
        a, b
            RGB in [0, 1], ``(N, 3, H, W)``, on this object's device.

        Returns
        -------
        Tensor
            A scalar.
        """
        levels = zip(self.features(a), self.features(b), self._heads, strict=True)
        return torch.stack([weighted_difference(*level) for level in levels]).sum()

    def distance(self, reference: ArrayLike, test: ArrayLike, *, crop: int = 0) -> float:
        """Perceptual distance of two images.

        Parameters
        ----------
        reference, test
            Images ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` (RGB) of one shape and
            depth: uint8, uint16 or float in [0, 1]. Grey is repeated to RGB.
        crop
            Pixels left out on each side.

        Returns
        -------
        float
            0 for equal images; lower looks more alike.

        Raises
        ------
        ImageError
            If the images do not match, or are smaller than 21 (alex) or 18 (vgg)
            pixels a side after the crop.
        OptionError
            If `crop` leaves nothing.
        """
        pair = as_tensors(reference, test, crop=crop, smallest=self.net.min_side, name="ST-LPIPS")
        with torch.inference_mode():
            a, b = (image.to(self.device) for image in pair)
            return float(self.between(a, b))


def _weights_path(backbone: Backbone) -> Path:
    spec = find_spec("stlpips_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra(
            "ST-LPIPS needs the weights of stlpips-pytorch, which is not installed", "perceptual"
        )
    folder = Path(spec.submodule_search_locations[0])
    return folder / "weights" / "vST0.0" / f"{backbone}_shift_tolerant.pth"


def _read_state(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(
            f"the installed stlpips-pytorch has no {path.name}; install version 0.0.2: "
            f"{extra_line('perceptual')}"
        ) from error
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise WeightsError(
            f"{path.name} of stlpips-pytorch is damaged; reinstall it: {error}"
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path.name} holds a {type(state).__name__}, not a state dict")
    return state
