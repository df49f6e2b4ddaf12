from pathlib import Path


def is_torch_checkpoint(head: bytes, path: Path) -> bool:
    return head[:2] == b"PK" or head[:1] == b"\x80"


def is_safetensors(head: bytes, path: Path) -> bool:
    return head[8:9] == b"{"
