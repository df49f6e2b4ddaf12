"""From tensors to a network that spandrel knows, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from srkit.adapters.pytorch.architectures.fitting import check_data
from srkit.adapters.pytorch.runtime.allocations import Allocations
from srkit.adapters.spandrel.without_torchvision import torchvision_or_stand_ins
from srkit.errors import WeightsError

with torchvision_or_stand_ins():
    from spandrel import ImageModelDescriptor, ModelLoader, UnsupportedModelError

# Super-resolution, and taking noise, blur or JPEG's blocks away at the same size.
PURPOSES = ("SR", "Restoration")
# What a network may take beyond its weights while it is built: tables, and initial values. A
# small file must not fill the memory by the sizes that it states.
SPARE, TIMES = 1 << 28, 4


def read_model(path: Path, tensors: Mapping[str, Tensor]) -> ImageModelDescriptor[Any]:
    """The network that a state dict is of, with its weights, in float32 on the CPU.

    Parameters
    ----------
    path
        For messages.
    tensors
        A state dict as `read_checkpoint` gives it: nothing but tensors.

    Raises
    ------
    WeightsError
        If spandrel does not know the network, or the weights do not fit it, or it does not
        make one picture of one picture, of as many channels.
    """
    state = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    size = sum(value.numel() * value.element_size() for value in state.values())
    try:
        check_data(tensors)
        with Allocations(limit=TIMES * size + SPARE):
            model = ModelLoader("cpu").load_from_state_dict(state)
    except UnsupportedModelError as error:
        first = ", ".join(list(tensors)[:5])
        raise WeightsError(
            f"{path} holds weights of a network that neither srkit nor spandrel has; its first "
            f"tensors are {first}"
        ) from error
    except Exception as error:
        # Spandrel counts layers by what it finds, and may fail in any way where some are missing.
        raise WeightsError(
            f"spandrel cannot make a network of {path}: {type(error).__name__}: {error}"
        ) from error
    _check_purpose(path, model)
    return model.eval()


def _check_purpose(path: Path, model: Any) -> None:
    name = model.architecture.name
    if not isinstance(model, ImageModelDescriptor):
        raise WeightsError(f"{path} holds {name}, which fills holes: it needs a mask besides")
    if model.purpose not in PURPOSES:
        raise WeightsError(
            f"{path} holds {name}, which is for {model.purpose}: faces that were cut out and "
            "aligned, and no pictures of any kind"
        )
    channels = model.input_channels, model.output_channels
    if channels not in ((1, 1), (3, 3)):
        raise WeightsError(
            f"{path} holds {name} that makes {channels[1]} channels of {channels[0]}; srkit runs "
            "networks of RGB or of grey, and enlarges alpha beside them"
        )
