"""torch's tensors as arrays, and back; torch itself is not imported before the caller did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srkit.errors import ImageError

# Those that numpy has not, or in which images are not computed; float32 holds all their values.
_HALVES = ("float16", "bfloat16")
_DTYPES = ("uint8", "uint16", *_HALVES, "float32", "float64")


def is_tensor(image: object) -> bool:
    """Whether an object is a tensor of torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(image, torch.Tensor)


def as_array(tensor: Any) -> tuple[NDArray[Any], Callable[[NDArray[Any]], Any]]:
    """An image as numpy has it, and what makes a tensor like the given one of a result.

    Parameters
    ----------
    tensor
        ``(H, W)``, ``(C, H, W)`` or ``(N, C, H, W)`` on any device, C = 1, 3 or 4.

    Returns
    -------
    array
        ``(H, W)``, ``(H, W, C)`` or ``(N, H, W, C)``; on the CPU often a view of `tensor`.
    callable
        From such an array to a contiguous tensor of the given one's dtype on its device.

    Raises
    ------
    ImageError
        If shape or dtype are none of an image.
    """
    import torch

    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in _DTYPES:
        raise ImageError(f"a tensor must be one of {', '.join(_DTYPES)}, not {dtype}")
    _check_shape(tuple(tensor.shape))
    if tensor.layout is not torch.strided or tensor.is_meta:
        raise ImageError("a tensor must be dense and hold data: call tensor.to_dense() first")
    held = tensor.detach().to("cpu", torch.float32 if dtype in _HALVES else tensor.dtype)
    array = held.numpy()

    def like(result: NDArray[Any]) -> Any:
        if result.ndim > 2:
            result = np.moveaxis(result, -1, -3)
        made = torch.from_numpy(np.ascontiguousarray(result))
        return made.to(tensor.device, tensor.dtype)

    return (np.moveaxis(array, -3, -1) if array.ndim > 2 else array), like


def refuse(image: object) -> None:
    """Refuse tensors where arrays alone are taken: their axes would be mixed up.

    Raises
    ------
    ImageError
    """
    if is_tensor(image):
        raise ImageError("a tensor is not taken here; pass tensor.permute(1, 2, 0).cpu().numpy()")


def _check_shape(shape: tuple[int, ...]) -> None:
    if 0 in shape:
        raise ImageError(f"the image is empty: its shape is {shape}")
    if len(shape) == 2 or (len(shape) in (3, 4) and shape[-3] in (1, 3, 4)):
        return
    hint = ""
    if len(shape) in (3, 4) and shape[-1] in (1, 3, 4):
        axes = (2, 0, 1) if len(shape) == 3 else (0, 3, 1, 2)
        hint = f"; if channels come last, pass tensor.permute{axes}"
    raise ImageError(
        f"a tensor of shape {shape} is not an image: expected (H, W), (C, H, W) or "
        f"(N, C, H, W), with C = 1, 3 or 4{hint}"
    )
