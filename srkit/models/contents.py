"""What a weights file holds, as its format's adapter tells it.

>>> from srkit.models.weights import PACKAGED
>>> contents = safetensors_contents(PACKAGED / "espcn_x3.safetensors")
>>> contents.header["architecture"], contents.numbers
('ESPCN', 22729)
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from srkit.errors import CorruptFileError, UnsafeFileError, WeightsError

# The largest networks' headers take half a megabyte.
MOST_HEADER = 8 << 20


@dataclass(frozen=True)
class TensorFacts:
    """A tensor without its numbers.

    Attributes
    ----------
    shape
        Its sides; empty for a single number.
    dtype
        As numpy names it: ``"float32"``; torch's name where numpy has none: ``"bfloat16"``.

    Examples
    --------
    >>> TensorFacts((64, 3, 5, 5), "float32").shape
    (64, 3, 5, 5)
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def numbers(self) -> int:
        """How many numbers it holds.

        Examples
        --------
        >>> TensorFacts((64, 3, 5, 5), "float32").numbers
        4800
        >>> TensorFacts((), "float32").numbers
        1
        """
        return math.prod(self.shape)


@dataclass(frozen=True)
class Contents:
    """What a weights file holds.

    Attributes
    ----------
    tensors
        Tensors by name, in the file's order.
    header
        What the file says of itself: metadata of a header, or a config.

    Examples
    --------
    >>> contents = Contents({"bias": TensorFacts((64,), "float32")}, {"scale": "4"})
    >>> list(contents.tensors), contents.header["scale"]
    (['bias'], '4')
    """

    tensors: Mapping[str, TensorFacts]
    header: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """How many numbers all tensors hold.

        Examples
        --------
        >>> kernel, bias = TensorFacts((64, 3, 5, 5), "float32"), TensorFacts((64,), "float32")
        >>> Contents({"kernel": kernel, "bias": bias}).numbers
        4864
        """
        return sum(tensor.numbers for tensor in self.tensors.values())


# Of the safetensors format, by the names that numpy or torch have.
_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16",
    "U32": "uint32", "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16",
    "BF16": "bfloat16", "F32": "float32", "F64": "float64",
}  # fmt: skip
# What JSON of any other form leads to.
_ODD = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip


def safetensors_contents(path: Path) -> Contents:
    """What a safetensors file holds, by its header, which is JSON; takes no package.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    CorruptFileError
        If the header is damaged, or the file is shorter or longer than it says.
    UnsafeFileError
        If the header is out of proportion; see `check_header`.
    WeightsError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> header = b'{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    >>> path = Path(tempfile.mkdtemp()) / "two.safetensors"
    >>> _ = path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    >>> safetensors_contents(path).tensors
    {'bias': TensorFacts(shape=(2,), dtype='float32')}
    """
    try:
        length = check_header(path)
        with path.open("rb") as file:
            file.seek(8)
            header = json.loads(file.read(length))
        stated = {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}
        tensors = {
            name: TensorFacts(tuple(map(int, facts["shape"])), _dtype(facts["dtype"]))
            for name, facts in header.items()
        }
        end = max((int(facts["data_offsets"][1]) for facts in header.values()), default=0)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except _ODD as error:
        raise CorruptFileError(f"{path}: the header of the safetensors file is damaged") from error
    if 8 + length + end != path.stat().st_size:
        raise CorruptFileError(
            f"{path}: the safetensors file is damaged: it is not as long as it says"
        )
    return Contents(tensors, stated)


def check_header(path: Path) -> int:
    """The length of a safetensors header, which is JSON and takes many times that as it is read.

    Parameters
    ----------
    path
        A safetensors file.

    Returns
    -------
    int
        Bytes, without the eight that state it.

    Raises
    ------
    UnsafeFileError
        If it is longer than any network's.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "none.safetensors"
    >>> _ = path.write_bytes((2).to_bytes(8, "little") + b"{}")
    >>> check_header(path)
    2
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise UnsafeFileError(
            f"{path}: its header takes {length} bytes; over {MOST_HEADER} are refused"
        )
    return length


def _dtype(name: str) -> str:
    return _DTYPES.get(name, str(name))
