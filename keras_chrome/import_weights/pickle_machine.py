"""Follows the pickle inside a PyTorch checkpoint as data: nothing in it is imported or called.

A pickle is a program, and Python's unpickler imports and calls whatever it names. Here
`pickletools` only decodes the opcodes, and a small stack machine follows those that `torch.save`
writes for a state dict (pickle protocols 2 to 5). It makes dictionaries, lists, tuples, numbers
and text, and notes on where each tensor lies. It has no opcode that reaches into Python.
"""

import dataclasses
import io
import pickletools
import reprlib
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_chrome.errors import InputError

_ORDERED_DICT = "collections.OrderedDict"
_REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2"
_REBUILD_PARAMETER = "torch._utils._rebuild_parameter"
BFLOAT16_STORAGE = "torch.BFloat16Storage"
_STORAGE_DTYPES: dict[str, np.dtype[Any]] = {
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.HalfStorage": np.dtype("<f2"),
    # NumPy has no bfloat16: these are the upper halves of float32.
    BFLOAT16_STORAGE: np.dtype("<u2"),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
_KNOWN_GLOBALS = {_ORDERED_DICT, _REBUILD_TENSOR, _REBUILD_PARAMETER, *_STORAGE_DTYPES}

_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLE_LENGTHS = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80


class CheckpointError(InputError):
    """A checkpoint that cannot be read, or does not hold what was expected of it."""


@dataclasses.dataclass(frozen=True)
class Global:
    """The name of a class or function; never the thing itself."""

    name: str


@dataclasses.dataclass(frozen=True)
class Storage:
    """A run of elements that the file holds under a key."""

    key: str
    type_name: str
    num_elements: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its elements as they lie in the file."""
        return _STORAGE_DTYPES[self.type_name]

    @property
    def num_bytes(self) -> int:
        """The bytes that its elements take."""
        return self.num_elements * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in its storage, as the file claims: nothing of it is checked.

    Offset and strides are in elements.
    """

    storage: Storage
    offset: Any
    shape: tuple[Any, ...]
    strides: tuple[Any, ...]


def read_pickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """Follows one pickle, and leaves the stream at its end.

    Args:
        stream: At the pickle's first byte.

    Returns:
        The object, and the storages that it refers to, by key.

    Raises:
        CheckpointError: If the pickle is damaged, or says more than a state dict needs.
    """
    machine = _PickleMachine()
    try:
        with warnings.catch_warnings():
            # pickletools warns of odd escapes in a damaged name; the name is refused below.
            warnings.simplefilter("ignore", DeprecationWarning)
            for opcode, argument, _ in pickletools.genops(stream):
                machine.follow(opcode.name, argument)
        return machine.stack[-1], machine.storages
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError) as error:
        raise CheckpointError(
            f"Expected an intact pickle. Received: {shown(str(error))}. "
            "The file is truncated or damaged: fetch it again."
        ) from error


def shown(value: Any) -> str:
    """What a file says, on one short line whatever it is."""
    return _repr.repr(value)


def kind(value: Any) -> str:
    """The sort of thing that a file holds, for a message."""
    return type(value).__name__.lower()


class _PickleMachine:
    """The stack machine.

    In a damaged pickle it pops from an empty stack (IndexError) or asks for an unknown memo entry
    (KeyError).
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.storages: dict[str, Storage] = {}
        self._stacks_below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def follow(self, opcode: str, argument: Any) -> None:
        """Does what one decoded opcode says, or refuses it."""
        stack = self.stack
        match opcode:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case literal if literal in _LITERALS:
                stack.append(argument)
            case constant if constant in _CONSTANTS:
                stack.append(_CONSTANTS[constant])
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "MARK":
                self._stacks_below.append(stack)
                self.stack = []
            case short_tuple if short_tuple in _TUPLE_LENGTHS:
                items = [stack.pop() for _ in range(_TUPLE_LENGTHS[short_tuple])]
                stack.append(tuple(reversed(items)))
            case "TUPLE":
                items = self._pop_to_mark()
                self.stack.append(tuple(items))
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "APPEND":
                self._extend([stack.pop()])
            case "APPENDS":
                self._extend(self._pop_to_mark())
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                self._update([(key, value)])
            case "SETITEMS":
                items = self._pop_to_mark()
                self._update(zip(items[::2], items[1::2], strict=True))
            case "GLOBAL":
                stack.append(_known_global(argument.replace(" ", ".", 1)))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(_known_global(f"{shown(module)[1:-1]}.{shown(name)[1:-1]}"))
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "REDUCE":
                arguments, callee = stack.pop(), stack.pop()
                stack.append(_rebuild(callee, arguments))
            case "BUILD":
                self._drop_attributes(stack.pop())
            case _:
                raise CheckpointError(
                    f"Expected the opcodes of a state dict. Received: {opcode}. Nothing was "
                    "executed. With PyTorch, save model.state_dict() alone."
                )

    def _pop_to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self._stacks_below.pop()
        return items

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError(f"an item for type {kind(self.stack[-1])}")
        self.stack[-1].extend(items)

    def _update(self, pairs: Iterable[Any]) -> None:
        if not isinstance(self.stack[-1], dict):
            raise ValueError(f"a key for type {kind(self.stack[-1])}")
        self.stack[-1].update(_dictionary(pairs))

    def _drop_attributes(self, attributes: Any) -> None:
        """Leaves out a state dict's `_metadata`: layer versions, which no tensor depends on."""
        match self.stack[-1], attributes:
            case dict(), {"_metadata": _, **others} if not others:
                return
        raise CheckpointError(
            "Expected no attributes but a state dict's _metadata. "
            f"Received: attributes of type {kind(self.stack[-1])}. Nothing was executed."
        )

    def _storage(self, reference: Any) -> Storage:
        """The storage that a persistent id stands for."""
        match reference:
            case ("storage", Global(type_name), str(key), str(), int(num_elements), *view) if (
                type_name in _STORAGE_DTYPES and num_elements >= 0 and view in ([], [None])
            ):
                storage = Storage(key, type_name, num_elements)
            case _:
                raise CheckpointError(
                    "Expected a reference to a storage: its type, key, place and length. "
                    f"Received: {shown(reference)}."
                )
        if self.storages.setdefault(key, storage) != storage:
            raise CheckpointError(
                f"Expected one type and one length of storage {shown(key)}. Received: two."
            )
        return storage


def _known_global(name: str) -> Global:
    if name not in _KNOWN_GLOBALS:
        raise CheckpointError(
            f"Expected tensors in dictionaries only. Received: a reference to {shown(name)}. "
            "Nothing was executed. If this is a whole model that you trust, load it with PyTorch "
            "and save model.state_dict() alone."
        )
    return Global(name)


def _rebuild(callee: Any, arguments: Any) -> Any:
    """What a call in a state dict would return; only the three that occur there are known."""
    match callee, arguments:
        case Global(name), () if name == _ORDERED_DICT:
            return {}
        case Global(name), (list(pairs),) if name == _ORDERED_DICT:
            return _dictionary(pairs)
        case Global(name), (Storage() as storage, offset, tuple(shape), tuple(strides), *_) if (
            name == _REBUILD_TENSOR
        ):
            return Tensor(storage, offset, shape, strides)
        case Global(name), (Tensor() as tensor, *_) if name == _REBUILD_PARAMETER:
            return tensor
    raise CheckpointError(
        f"Expected calls that rebuild a tensor or a dictionary. Received: {shown(callee)} called "
        "with other arguments. Nothing was executed."
    )


def _dictionary(pairs: Iterable[Any]) -> dict[str | int, Any]:
    """A dictionary with keys of text or whole numbers: hashing others can be made to crash."""
    dictionary = {}
    for pair in pairs:
        match pair:
            case (str() | int() as key, value):
                dictionary[key] = value
            case _:
                raise ValueError("a dictionary key that is neither text nor a whole number")
    return dictionary
