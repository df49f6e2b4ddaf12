"""Safe reading of PyTorch checkpoints: tensors come out, nothing is run."""

from srkit.adapters.pytorch.checkpoints.reader import (
    Checkpoint,
    is_safetensors,
    is_torch_checkpoint,
    read_checkpoint,
)

__all__ = ["Checkpoint", "is_safetensors", "is_torch_checkpoint", "read_checkpoint"]
