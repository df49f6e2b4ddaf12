"""What a file or folder is that holds no weights srkit reads, and the way on from there.

Only the first bytes, a zip archive's list of names and a folder's are looked at.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from srkit.models.formats import SUFFIXES, ZIP, is_tar

# How Keras, TensorFlow and TF Lite models become ONNX files, which srkit reads.
_TO_ONNX = (
    "tf2onnx (pip install tf2onnx) makes an ONNX file of it, which srkit reads: python -m "
    "tf2onnx.convert {source} --output net.onnx --inputs-as-nchw INPUT --outputs-as-nchw OUTPUT"
)
_KERAS = "export it from Keras as a SavedModel (model.export('folder')); of that, " + (
    _TO_ONNX.format(source="--saved-model folder")
)
_AGAIN = "download it again"
_ORIGIN = "look for the weights that it was made from: a .pth, .safetensors or .onnx file"
_UNPACK = "unpack it, and give the file of weights in it"
_PICTURE = "a model is what enlarges pictures: give its name or its weights"
_VIDEO = "a model is what enlarges videos: give its name or its weights"
_SAVE = "save the tensors in the program that wrote it: torch.save(model.state_dict(), 'net.pth')"

# By first bytes, and where they lie.
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes models (.h5)", _KERAS),
    (4, b"TFL3", "a TF Lite model", _TO_ONNX.format(source="--tflite FILE")),
    (4, b"ET1", "a program of ExecuTorch", _ORIGIN),
    (0, b"ftrt", "an engine of TensorRT, for one kind of GPU", _ORIGIN),
    (0, b"GGUF", "a GGUF file, which language models come in", _ORIGIN),
    (0, b"\x93NUMPY", "an array of numpy", _ORIGIN),
    (0, b"\x89PNG\r\n", "a picture (PNG)", _PICTURE),
    (0, b"\xff\xd8\xff", "a picture (JPEG)", _PICTURE),
    (0, b"GIF8", "a picture (GIF)", _PICTURE),
    (8, b"WEBP", "a picture (WebP)", _PICTURE),
    (0, b"II*\0", "a picture (TIFF)", _PICTURE),
    (0, b"MM\0*", "a picture (TIFF)", _PICTURE),
    (4, b"ftypavif", "a picture (AVIF)", _PICTURE),
    (4, b"ftyphei", "a picture (HEIC)", _PICTURE),
    (4, b"ftyp", "a video", _VIDEO),
    (0, b"\x1aE\xdf\xa3", "a video", _VIDEO),
    (0, b"%PDF", "a PDF", _ORIGIN),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7z)", _UNPACK),
    (0, b"Rar!", "an archive (rar)", _UNPACK),
    (0, b"\x1f\x8b", "compressed by gzip", _UNPACK),
    (0, b"\xfd7zXZ", "compressed by xz", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", _UNPACK),
    (0, b"BM", "a picture (BMP)", _PICTURE),
    (0, b"PK\x05\x06", "an empty zip archive", _AGAIN),
)
# By what a zip archive holds: Keras 3's models, programs of torch, arrays, office documents.
_IN_ZIPS: tuple[tuple[str, str, str], ...] = (
    (r"model\.weights\.h5", "a Keras model (.keras)", _KERAS),
    (r"(.*/)?(archive_format|models/.*\.json)", "a program that torch.export wrote (.pt2)", _SAVE),
    (r".*\.npy", "an archive of numpy's arrays (.npz)", _ORIGIN),
    (r"\[Content_Types\]\.xml", "an office document", _ORIGIN),
    (r"(.*\.mlpackage/)?Manifest\.json", "a Core ML model (.mlpackage), zipped", _ORIGIN),
)
_TF_CHECKPOINT = re.compile(r".*\.(index|meta|data-\d{5}-of-\d{5})")
_UNFINISHED = (".part", ".crdownload", ".download", ".partial")
# Where a zip archive says at its end how long its list of names is, and the longest that is read.
_ZIP_END, _MOST_NAMES = 22 + (1 << 16), 1 << 20
# Names within a folder or an archive that a message repeats.
_NAMED = 3


def what_it_is(path: Path, head: bytes) -> str:
    """What a file is that is of no format known, and what to do; empty if nobody knows.

    Parameters
    ----------
    path
        The file.
    head
        Its first bytes, best 4096 of them.

    Examples
    --------
    >>> what_it_is(Path("net.pth"), b"")
    'it is empty; download it again'
    """
    for look in _LOOKS:
        if told := look(path, head):
            return f"it is {told[0]}; {told[1]}"
    return ""


def what_archive(names: Iterable[str]) -> str:
    """What a zip archive is by the names in it that torch did not write, and what to do.

    Examples
    --------
    >>> what_archive(["read me.txt", "nets/4x.pth"])
    'it is an archive that holds nets/4x.pth; unpack it, and give the file of weights in it'
    """
    names = list(names)
    for pattern, what, way in _IN_ZIPS:
        if any(re.fullmatch(pattern, name) for name in names):
            return f"it is {what}; {way}"
    inside = _shown(name for name in names if _is_weights(name))
    return f"it is an archive{f' that holds {inside}' if inside else ''}; {_UNPACK}"


def what_folder(path: Path) -> str:
    """What a folder is in which a model may lie, and what to do.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "net.safetensors").touch()
    >>> what_folder(folder)
    'it is a folder; give one of the files in it: net.safetensors'
    """
    names = sorted(entry.name for entry in path.iterdir())
    if "saved_model.pb" in names:
        way = _TO_ONNX.format(source="--saved-model FOLDER")
        return f"it is a SavedModel of TensorFlow, and no frozen graph; {way}"
    if path.suffix in (".mlpackage", ".mlmodelc"):
        return f"it is a Core ML model; {_ORIGIN}"
    if "model.json" in names:
        return f"it is a TensorFlow.js model; {_TO_ONNX.format(source='--tfjs FOLDER/model.json')}"
    inside = _shown(name for name in names if _is_weights(name))
    return f"it is a folder; give {f'one of the files in it: {inside}' if inside else 'a file'}"


def _is_weights(name: str) -> bool:
    return name.endswith((*SUFFIXES, ".safetensors", ".onnx", ".pb", ".param", ".pkl.bz2", ".bin"))


def _shown(names: Iterable[str]) -> str:
    found = list(names)
    shown = ", ".join(repr(name[:80])[1:-1] for name in found[:_NAMED])
    return shown + (", …" if len(found) > _NAMED else "")


Told = tuple[str, str] | None


def _broken_download(path: Path, head: bytes) -> Told:
    if not head:
        return "empty", _AGAIN
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        size = re.search(rb"\nsize (\d{1,18})\s", head)
        of = f" (of {int(size[1]):,} bytes)" if size else ""
        return f"a pointer of Git LFS, not the file itself{of}", (
            "run git lfs pull where it was cloned, or download the file by itself"
        )
    begin = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begin.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in begin:
        return "a web page, not the file itself", (
            "open the address in a browser: it may ask to sign in, or show a button for the file"
        )
    if begin.startswith((b"<?xml", b"<error")) and b"<error" in begin:
        return "an error that a server sent, not the file itself", _AGAIN
    if path.name.endswith(_UNFINISHED):
        return "a download that has not ended", _AGAIN
    return None


def _signed(path: Path, head: bytes) -> Told:
    for at, signature, what, way in _SIGNATURES:
        if head[at : at + len(signature)] == signature:
            # Two letters are too few to be sure of.
            if signature == b"BM" and path.suffix.lower() != ".bmp":
                continue
            return what, way
    return None


def _zipped(path: Path, head: bytes) -> Told:
    if not head.startswith(ZIP):
        return None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _ZIP_END))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")
    size = int.from_bytes(end[at + 12 : at + 16], "little")
    if at >= 76 and end[at - 20 : at - 16] == b"PK\x06\x07":
        # The longer form, which torch writes: its record lies before these.
        size = int.from_bytes(end[at - 36 : at - 28], "little")
    if at >= 0 and size > _MOST_NAMES:
        return "an archive", _UNPACK
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, IndexError, struct.error):
        return "a zip archive that is cut off or damaged", _AGAIN
    what, _, way = what_archive(names).removeprefix("it is ").partition("; ")
    return what, way


def _tarred(path: Path, head: bytes) -> Told:
    return ("an archive (tar)", _UNPACK) if is_tar(head) else None


def _described(path: Path, head: bytes) -> Told:
    """By JSON or XML that describes a model."""
    begin = head.lstrip()
    if begin.startswith(b"{"):
        if b'"weight_map"' in head or path.name.endswith(".index.json"):
            return "the list of the files that weights lie in", "give one of these files"
        kind = re.search(rb'"format"\s*:\s*"(layers|graph)-model"', head)
        if kind or b'"modelTopology"' in head or b'"weightsManifest"' in head:
            return "a TensorFlow.js model", _TO_ONNX.format(source="--tfjs FILE")
    if re.match(rb"<\?xml[^>]*>\s*<net\s", begin) or re.match(rb"<net\s[^>]*version=", begin):
        return "a network of OpenVINO", _ORIGIN
    return None


def _named(path: Path, head: bytes) -> Told:
    """By the name, where bytes tell nothing."""
    if path.suffix.lower() == ".mlmodel":
        return "a Core ML model", _ORIGIN
    if _TF_CHECKPOINT.fullmatch(path.name):
        return "a part of a checkpoint of TensorFlow, in which no network is told", (
            "in the program that wrote it, save a SavedModel or freeze the graph"
        )
    if path.suffix.lower() == ".bin":
        xml = path.with_suffix(".xml")
        if xml.is_file():
            return "half of a network of OpenVINO", _ORIGIN
        return "perhaps half of an ncnn model, whose other half does not lie beside it", (
            f"put {path.with_suffix('.param').name} there"
        )
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a pickle of Python that torch did not write", _SAVE
    return None


_LOOKS: tuple[Callable[[Path, bytes], Told], ...] = (
    _broken_download, _signed, _zipped, _tarred, _described, _named,
)  # fmt: skip


def exists(name: str) -> bool:
    """Whether a name is that of a file or folder; none can have one that is too long.

    Examples
    --------
    >>> exists("."), exists("a" * 10_000)
    (True, False)
    """
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False
