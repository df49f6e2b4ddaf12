"""Our own versions of the functions that torch's pickles call: they build records."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from srkit.adapters.pytorch.checkpoints.records import LazyTensor, Storage
from srkit.adapters.readers.pickles.records import Label, Members, Opaque, Rebuild
from srkit.errors import CorruptFileError, WeightsError

MAX_DIMENSIONS = 64
# An expanded tensor (stride 0) may be larger than its storage, but only so far.
MAX_EXPANDED = 1 << 20
MAX_STRIDE = 1 << 40

Args = tuple[object, ...]


def tensor(args: Args) -> LazyTensor:
    """``_rebuild_tensor`` (storage, offset, size, stride), and ``_v2``, which adds four more."""
    match args:
        case (Storage() as storage, offset, size, stride, *rest) if len(rest) <= 3:
            _refuse_metadata(rest[2:])
            return _view(storage, storage.dtype, offset, size, stride)
    raise CorruptFileError("a tensor record is malformed")


def tensor_v3(args: Args) -> LazyTensor:
    """``_rebuild_tensor_v3``: as v2, with the dtype told apart from the storage."""
    match args:
        case (Storage() as storage, offset, size, stride, _, _, torch.dtype() as dtype, *rest):
            _refuse_metadata(rest)
            return _view(storage, dtype, offset, size, stride)
    raise CorruptFileError("a tensor record is malformed")


def parameter(args: Args) -> LazyTensor:
    """``_rebuild_parameter`` (tensor, requires_grad, hooks[, state]): its tensor."""
    match args:
        case (LazyTensor() as data, _, _, *rest) if len(rest) <= 1:
            return data
    raise CorruptFileError("a parameter record is malformed")


def from_type(args: Args) -> LazyTensor:
    """``_rebuild_from_type_v2`` (function, type, args, state): what the function gives."""
    match args:
        case (Rebuild(make=make), Label(), tuple() as inner, _) if make in (tensor, tensor_v3):
            built = make(inner)
            if isinstance(built, LazyTensor):
                return built
    raise CorruptFileError("a tensor record with attributes is malformed")


def ordered_dict(args: Args) -> dict[object, object]:
    """``OrderedDict()``; its items follow in the pickle."""
    if args:
        raise WeightsError(
            "it was written by Python 2; load it with torch.load where you trust it "
            "and save model.state_dict() again"
        )
    return {}


def default_dict(_args: Args) -> dict[object, object]:
    """``defaultdict(factory)``: the factory is dropped."""
    return {}


def queue(_args: Args) -> list[object]:
    """``deque(items[, length])``: its items follow in the pickle."""
    return []


def torch_size(args: Args) -> tuple[object, ...]:
    """``torch.Size(tuple)``."""
    match args:
        case (tuple() as numbers,):
            return numbers
    raise CorruptFileError("a torch.Size is malformed")


def members(args: Args) -> Members:
    """``set(list)``."""
    match args:
        case (list() as items,):
            return Members(items)
    raise CorruptFileError("a set is malformed")


def opaque(name: str) -> Callable[[Args], Opaque]:
    """Return a constructor of values whose content is of no use here."""

    def make(_args: Args) -> Opaque:
        return Opaque(name)

    return make


def _refuse_metadata(rest: Sequence[object]) -> None:
    if any(rest):
        raise WeightsError(
            "it holds conjugated or negated views; save the tensors again after .resolve_conj()"
        )


def _view(
    storage: Storage, dtype: torch.dtype, offset: object, size: object, stride: object
) -> LazyTensor:
    """Check a view against its storage: nothing may lie outside."""
    if storage.nbytes % dtype.itemsize:
        raise CorruptFileError("a storage holds no whole number of elements")
    numel = storage.nbytes // dtype.itemsize
    bound = max(numel, MAX_EXPANDED)
    if type(offset) is not int or not 0 <= offset <= numel:
        raise CorruptFileError("a tensor begins outside its storage")
    shape = _numbers(size, bound)
    steps = _numbers(stride, MAX_STRIDE)
    if len(shape) != len(steps) or math.prod(shape) > bound:
        raise CorruptFileError("a tensor's size and strides do not fit its storage")
    last = offset + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    if 0 not in shape and last >= numel:
        raise CorruptFileError("a tensor ends outside its storage")
    return LazyTensor(storage, dtype, offset, shape, steps)


def _numbers(values: object, most: int) -> tuple[int, ...]:
    """Check that `values` is a tuple of integers in [0, most]."""
    if not isinstance(values, tuple) or len(values) > MAX_DIMENSIONS:
        raise CorruptFileError("a tensor's size or strides are malformed")
    # True is an integer to Python, and none to torch.
    if not all(type(v) is int and 0 <= v <= most for v in values):
        raise CorruptFileError("a tensor's size or strides are out of range")
    return values
