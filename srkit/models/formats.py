"""Which kind of weights file is which, by its first bytes; no framework is imported."""

from __future__ import annotations

import struct
from pathlib import Path

ZIP = b"PK\x03\x04"
SUFFIXES = (".pth", ".pt", ".ckpt", ".tar")
# The long that opens every stream, behind the protocol and perhaps a frame.
_STREAM = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_TAR_MEMBERS = (b"sys_info", b"pickle", b"tensors", b"storages")
# Fields of ONNX's ModelProto with their kinds on the wire: producer's name and version, and
# domain; the model's version; documentation, the graph, and versions of operators.
_ONNX_TEXTS, _ONNX_NUMBER, _ONNX_LONG = (0x12, 0x1A, 0x22), 0x28, (0x32, 0x3A, 0x42)
# What is put behind the name of an ONNX file that its numbers lie beside: by torch, and by others.
_ONNX_DATA = (".data", "_data")
# How ncnn's .param files begin: as text, and in the binary form.
_NCNN_TEXT, _NCNN_BINARY = b"7767517", (7767517).to_bytes(4, "little")
# How its .bin files may begin, and mostly do: halves, floats, or int8.
_NCNN_WEIGHTS = tuple(tag.to_bytes(4, "little") for tag in (0x01306B47, 0x0002C056, 0x000D4B38))
# And with floats as they are.
_NCNN_PLAIN = bytes(4)
# The limit of the safetensors format itself.
MAX_HEADER = 100_000_000


def is_torch_checkpoint(head: bytes, path: Path) -> bool:
    r"""Whether a file is torch's: zip, stream or the oldest, tar.

    Parameters
    ----------
    head
        The first bytes of the file, best 512 of them.
    path
        Asked for its suffix only where the bytes leave it open: in archives not
        in the order in which torch writes.

    Examples
    --------
    >>> is_torch_checkpoint(b"PK\x03\x04", Path("weights.pth"))
    True
    >>> is_torch_checkpoint(b"PK\x03\x04", Path("letter.docx"))
    False
    """
    if head.startswith(ZIP):
        return _first_entry(head).endswith("data.pkl") or path.suffix in SUFFIXES
    if is_tar(head):
        return is_oldest_torch(head) or path.name.endswith(".pth.tar")
    return head[:1] == b"\x80" and _STREAM in head[:40]


def is_safetensors(head: bytes, path: Path) -> bool:
    r"""Whether a file is in safetensors format.

    Parameters
    ----------
    head
        The first bytes of the file, at least nine.
    path
        Not asked: the bytes suffice.

    Examples
    --------
    >>> is_safetensors(b"\x02\x00\x00\x00\x00\x00\x00\x00{}", Path("a.pth"))
    True
    """
    if len(head) < 9 or head[8:9] != b"{":
        return False
    return 2 <= int(struct.unpack("<Q", head[:8])[0]) <= MAX_HEADER


def is_graph(head: bytes, path: Path) -> bool:
    r"""Whether a file is a GraphDef or SavedModel of TensorFlow.

    Protocol buffers have no signature: a message that begins with its first field, in a
    file with their suffix.

    Examples
    --------
    >>> is_graph(b"\n\x10\n\x02in\x12\x0bPlaceholder", Path("a.pb"))
    True
    """
    return path.suffix.lower() == ".pb" and head[:1] in (b"\n", b"\x08") and not is_onnx(head, path)


def is_onnx(head: bytes, path: Path) -> bool:
    r"""Whether a file is in ONNX format.

    Protocol buffers have no signature. A ModelProto begins with its version of the format, in
    one byte, and goes on with fields that it has (onnx/onnx.proto): short texts about its maker,
    and then documentation, a graph or versions of operators.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        Asked only whether it is named as Core ML's models are, which begin alike.

    Examples
    --------
    >>> is_onnx(b"\x08\x08\x12\x05srkit:\x80", Path("a.bin"))
    True
    >>> is_onnx(b"\x08\x01\x12\x80\x80\x01", Path("saved_model.pb"))
    False
    """
    if path.suffix.lower() == ".mlmodel":
        return False
    if len(head) < 4 or head[0] != 0x08 or not 1 <= head[1] <= 99:
        return False
    at = 2
    while at + 1 < len(head):
        tag, length = head[at], head[at + 1]
        if tag in _ONNX_LONG:
            return True
        if tag == _ONNX_NUMBER and length < 0x80:
            at += 2
        elif tag in _ONNX_TEXTS and length < 0x80:
            at += 2 + length
        else:
            return False
    return False


def is_ncnn(head: bytes, path: Path) -> bool:
    r"""Whether a file is one of a pair that ncnn reads: a .param or its .bin.

    Parameters
    ----------
    head
        The first bytes of the file.
    path
        A .bin that begins with no tag is known by the .param that lies beside it.

    Examples
    --------
    >>> is_ncnn(b"7767517\n3 3\n", Path("x4plus.param"))
    True
    >>> is_ncnn(b"\x47\x6b\x30\x01", Path("x4plus.bin"))
    True
    """
    if head.startswith(_NCNN_BINARY) or head[:8].strip() == _NCNN_TEXT:
        return True
    if path.suffix.lower() != ".bin" or head.startswith(ZIP):
        return False
    if head.startswith(_NCNN_WEIGHTS) or ncnn_pair(path)[0].is_file():
        return True
    # So may others, but beside a .param of any name it is half of a pair that was renamed.
    return head.startswith(_NCNN_PLAIN) and any(path.parent.glob("*.param"))


def ncnn_pair(path: Path) -> tuple[Path, Path]:
    """The .param and the .bin file of an ncnn model, by the path of one of them.

    Examples
    --------
    >>> [file.name for file in ncnn_pair(Path("models/x4plus.bin"))]
    ['x4plus.param', 'x4plus.bin']
    """
    return path.with_suffix(".param"), path.with_suffix(".bin")


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that a model consists of, by the path of one of them."""
    pair = ncnn_pair(path)
    if path in pair and all(file.is_file() for file in pair):
        return pair
    beside = (path.with_name(path.name + ending) for ending in _ONNX_DATA)
    return (path, *(file for file in beside if file.is_file()))


def is_bzip2(head: bytes, path: Path) -> bool:
    """Whether a file is compressed by bzip2, as neural-enhance's weights are.

    Examples
    --------
    >>> is_bzip2(b"BZh91AY&SY", Path("ne2x-photo-default-0.3.pkl.bz2"))
    True
    """
    return head.startswith(b"BZh")


def is_tar(head: bytes) -> bool:
    """Whether a file is a tar archive."""
    return head[257:262] == b"ustar"


def is_oldest_torch(head: bytes) -> bool:
    """Whether a tar archive is what torch wrote before 0.1.10."""
    return head[:100].split(b"\0")[0] in _TAR_MEMBERS


def _first_entry(head: bytes) -> str:
    """Name of the first entry of a zip archive."""
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode("latin-1")
