"""A pickle machine without the dangerous instructions.

Python's own unpickler, even with ``find_class`` overridden, imports, calls, sets
attributes, sizes its memo by a number in the file and hashes whatever nests. This one
reads instructions with ``pickletools.genops``, which only decodes, and knows what
torch and numpy write: literals, containers, memo, persistent ids. The three
instructions that run code in pickle are here:

- GLOBAL asks the format's allow-list, and gets an inert record;
- REDUCE calls what that list made a `Rebuild`, and nothing else;
- NEWOBJ and BUILD make an `Instance` and keep its state as a plain dict, or fill a
  record of the format's own.

Every other instruction is refused. Bytes and instructions are counted, so that memory
and time stay in proportion.
"""

from __future__ import annotations

import codecs
import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from srkit.adapters.readers.pickles.records import (
    DictStandIn,
    Fillable,
    Instance,
    Label,
    Members,
    Opaque,
    Rebuild,
    Record,
    StandIn,
    shown,
)
from srkit.errors import CorruptFileError, SrkitError, UnsafeFileError

# The tutorial's SRGAN checkpoint takes 130 kB and 52,000 instructions.
MAX_BYTES = 64 << 20
MAX_INSTRUCTIONS = 2_000_000
MAX_PROTOCOL = 5
MAX_KEY_INT = 1 << 60  # larger integers can be chosen to share one hash
MAX_KEY_TUPLE = 8

_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_SCALARS = (str, bytes, float, bool, type(None), Record)
_DUNDERS = frozenset(n for n in dir(type) if n.startswith("__")) | {"__setstate__", "__weakref__"}

FindGlobal = Callable[[str, str], object]
PersistentLoad = Callable[[object], object]


class PickleSource:
    """The pickles of one file, read with a limit on their length.

    Parameters
    ----------
    file
        At the start of the first pickle; left behind the end of each pickle run.
    find_global
        The format's allow-list: called with module and name, it gives an inert record or
        raises `UnsafeFileError`.
    most
        Bytes that are read at most; by default what a checkpoint takes.
    """

    def __init__(
        self, file: IO[bytes], find_global: FindGlobal, *, most: int | None = None
    ) -> None:
        self._file = file
        self._find_global = find_global
        self._bytes = MAX_BYTES if most is None else most
        self._instructions = MAX_INSTRUCTIONS

    def read(self, n: int) -> bytes:
        """Read `n` bytes; refuse before any memory is taken when they are too many."""
        if n > self._bytes:
            raise CorruptFileError("its pickle announces more bytes than a checkpoint needs")
        self._bytes -= n
        return self._file.read(n)

    def readline(self) -> bytes:
        """Read a line, newline included."""
        line = self._file.readline(self._bytes + 1)
        if len(line) > self._bytes:
            raise CorruptFileError("its pickle is longer than a checkpoint needs")
        self._bytes -= len(line)
        return line

    def run(self, persistent_load: PersistentLoad | None = None) -> object:
        """Interpret one pickle.

        Parameters
        ----------
        persistent_load
            Called with each persistent id, itself made of inert values; None where a
            format has none.

        Returns
        -------
        object
            Plain Python values and `records`.

        Raises
        ------
        UnsafeFileError
            If the pickle asks for anything that could run code.
        CorruptFileError
            If it is damaged or out of proportion.
        """
        machine = _Machine(self._find_global, persistent_load or no_persistent_ids)
        try:
            for opcode, arg in _instructions(self):
                self._instructions -= 1
                if self._instructions < 0:
                    raise CorruptFileError("its pickle is longer than a checkpoint needs")
                if opcode.name == "STOP":
                    break
                machine.step(opcode.name, arg)
            return machine.result()
        except SrkitError:
            raise
        except (
            ArithmeticError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
            Warning,  # of odd escapes, where warnings are errors
            struct.error,
        ) as error:
            raise CorruptFileError(f"its pickle is damaged ({type(error).__name__})") from error


def _instructions(file: PickleSource) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    """As ``pickletools.genops``, which takes texts of protocol 0 for ASCII.

    Python 2 wrote bytes so; they come as Latin-1, as its other strings do.
    """
    while True:
        opcode = _OPCODES[file.read(1).decode("latin-1")]
        if opcode.name == "STRING":
            yield opcode, _string(file.readline())
        else:
            reader = opcode.arg and opcode.arg.reader
            yield opcode, reader(cast(IO[bytes], file)) if reader else None


def _string(line: bytes) -> str:
    """The text of a line ``'...'`` of protocol 0."""
    quoted = line.strip()
    if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[-1:] != quoted[:1]:
        raise ValueError("a text without quotes")
    text: bytes = codecs.escape_decode(quoted[1:-1])[0]
    return text.decode("latin-1")


def no_persistent_ids(_pid: object) -> object:
    """Refuse persistent ids, for the pickles that have none."""
    raise CorruptFileError("its pickle has a persistent id where there is none")


class _Machine:
    """Stack, memo and the instructions, named as in ``pickletools``."""

    def __init__(self, find_global: FindGlobal, persistent_load: PersistentLoad) -> None:
        self._find_global = find_global
        self._persistent_load = persistent_load
        self._stack: list[object] = []
        self._marks: list[list[object]] = []
        # A dict: an index from the file must not decide how much memory is taken.
        self._memo: dict[int, object] = {}

    def step(self, name: str, arg: object) -> None:
        if name in _LITERALS:
            self._stack.append(arg)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, arg)
        else:
            raise UnsafeFileError(f"its pickle uses {name}, which no weights file needs")

    def result(self) -> object:
        if self._marks or len(self._stack) != 1:
            raise CorruptFileError("its pickle ends in mid-object")
        return self._stack[0]

    def _pop_mark(self) -> list[object]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def op_proto(self, arg: int) -> None:
        if arg > MAX_PROTOCOL:
            raise CorruptFileError(f"its pickle has protocol {arg}; {MAX_PROTOCOL} is the newest")

    def op_frame(self, _arg: int) -> None:
        """Frames are a hint for buffering."""

    def op_mark(self, _arg: None) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def op_pop(self, _arg: None) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._pop_mark()

    def op_pop_mark(self, _arg: None) -> None:
        self._pop_mark()

    def op_dup(self, _arg: None) -> None:
        self._stack.append(self._stack[-1])

    def op_put(self, arg: int) -> None:
        self._memo[arg] = self._stack[-1]

    def op_memoize(self, _arg: None) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def op_get(self, arg: int) -> None:
        self._stack.append(self._memo[arg])

    def op_tuple1(self, _arg: None) -> None:
        self._tuple(1)

    def op_tuple2(self, _arg: None) -> None:
        self._tuple(2)

    def op_tuple3(self, _arg: None) -> None:
        self._tuple(3)

    def _tuple(self, n: int) -> None:
        if len(self._stack) < n:
            raise CorruptFileError("its pickle ends in mid-object")
        self._stack[-n:] = [tuple(self._stack[-n:])]

    def op_tuple(self, _arg: None) -> None:
        items = self._pop_mark()
        self._stack.append(tuple(items))

    def op_list(self, _arg: None) -> None:
        items = self._pop_mark()
        self._stack.append(items)

    def op_frozenset(self, _arg: None) -> None:
        items = self._pop_mark()
        self._stack.append(Members(items))

    def op_dict(self, _arg: None) -> None:
        items = self._pop_mark()
        self._stack.append({})
        self._set(items)

    def op_setitem(self, _arg: None) -> None:
        value = self._stack.pop()
        self._set([self._stack.pop(), value])

    def op_setitems(self, _arg: None) -> None:
        self._set(self._pop_mark())

    def _set(self, items: list[object]) -> None:
        target = self._stack[-1]
        if type(target) is not dict:
            raise UnsafeFileError("its pickle sets items of something that is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_checked_key(key)] = value

    def op_append(self, _arg: None) -> None:
        self._extend([self._stack.pop()])

    def op_appends(self, _arg: None) -> None:
        self._extend(self._pop_mark())

    def _extend(self, items: list[object]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise UnsafeFileError("its pickle appends to something that is no list")
        target.extend(items)

    def op_additems(self, _arg: None) -> None:
        items = self._pop_mark()
        target = self._stack[-1]
        if not isinstance(target, Members):
            raise UnsafeFileError("its pickle adds to something that is no set")
        target.items.extend(items)

    def op_persid(self, arg: object) -> None:
        self._stack.append(self._persistent_load(arg))

    def op_binpersid(self, _arg: None) -> None:
        self._stack.append(self._persistent_load(self._stack.pop()))

    def op_global(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self._stack.append(self._find_global(module, name))

    def op_stack_global(self, _arg: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise CorruptFileError("its pickle names a global that is no text")
        self._stack.append(self._find_global(module, name))

    def op_inst(self, arg: str) -> None:
        module, _, name = arg.partition(" ")
        self._find_global(module, name)
        raise UnsafeFileError(f"its pickle calls {shown(module)}.{shown(name)} by INST")

    def op_reduce(self, _arg: None) -> None:
        args, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Rebuild):
            raise UnsafeFileError(f"its pickle calls {_described(function)}")
        if not isinstance(args, tuple) or len(args) > function.most:
            raise CorruptFileError("its pickle calls a function with malformed arguments")
        self._stack.append(function.make(args))

    def op_newobj(self, _arg: None) -> None:
        _args, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, StandIn):
            raise UnsafeFileError(f"its pickle makes an object of {_described(kind)}")
        self._stack.append({} if isinstance(kind, DictStandIn) else Instance(kind))

    def op_build(self, _arg: None) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Opaque):
            return
        if isinstance(target, Fillable):
            target.fill(state)
            return
        if type(target) is not dict and not isinstance(target, Instance):
            raise UnsafeFileError(f"its pickle sets attributes of {_described(target)}")
        # A tuple would be state for __slots__, which nothing here has.
        if type(state) is not dict:
            raise UnsafeFileError(f"its pickle gives {_described(target)} a state that is no dict")
        if special := state.keys() & _DUNDERS:
            raise UnsafeFileError(f"its pickle sets {min(special)} of {_described(target)}")
        if isinstance(target, Instance):
            target.state = state


def _checked_key(key: object) -> object:
    """Let through what hashes in bounded time; nested tuples overflow the C stack."""
    items = key if type(key) is tuple and len(key) <= MAX_KEY_TUPLE else (key,)
    for item in items:
        if type(item) is int:
            if abs(item) >= MAX_KEY_INT:
                raise CorruptFileError("its pickle has an absurd number as a key")
        elif not isinstance(item, _SCALARS):
            raise CorruptFileError(f"its pickle has {_described(item)} as a key")
    return key


def _described(value: object) -> str:
    """Name a value in a message without printing what it holds."""
    if isinstance(value, Rebuild | StandIn | Label):
        return value.name
    if isinstance(value, Instance):
        return value.kind.name
    return f"a {type(value).__name__}"


_LITERALS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    )
)
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Members([]),
}
_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    name.removeprefix("op_").upper(): function
    for name, function in vars(_Machine).items()
    if name.startswith("op_")
} | {
    "BINPUT": _Machine.op_put,
    "LONG_BINPUT": _Machine.op_put,
    "BINGET": _Machine.op_get,
    "LONG_BINGET": _Machine.op_get,
}
