"""Safe reading of PyTorch checkpoints: tensors come out, nothing is run."""

from srkit.adapters.pytorch.checkpoints.reader import Checkpoint, contents, read_checkpoint

__all__ = ["Checkpoint", "contents", "read_checkpoint"]
