"""Reads JSON that may come from elsewhere, and sees that it is of the types that are said."""

from __future__ import annotations

import functools
import json
import math
import re
import reprlib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from keras_chrome.errors import InputError, printable

_MAX_BYTES = 64 * 2**20
# What breaks a line or cannot be written: no name, path or sentence has it.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120


def read_json(path: Path, kind: Any, *, what: str, remedy: str) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        kind: What it holds, as `checked` takes it.
        what: The same in words, for the error.
        remedy: What the error ends in.

    Raises:
        InputError: If it cannot be read, is no JSON, or holds something else.
    """
    try:
        if (num_bytes := path.stat().st_size) > _MAX_BYTES:
            raise ValueError(f"{num_bytes:,} bytes, of {_MAX_BYTES:,} at most")
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_no_number)
        if not _is_plain(content):
            raise ValueError("text that no line can hold, or a number beyond all measure")
        return checked("content", content, kind)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _refused(path, error, what, remedy) from None


def _refused(path: Path, error: Exception, what: str, remedy: str) -> InputError:
    named = f"{type(error).__name__}: {printable(error)}"
    reason = error.strerror if isinstance(error, OSError) else named
    return InputError(f"Expected {what}. Received: {path} ({reason}); {remedy}")


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"a finite number expected, {constant} received")


def shown(value: Any) -> str:
    """A value for a message: short, whatever it is."""
    return _short.repr(value)[:300]


def checked(name: str, value: Any, kind: Any) -> Any:
    """A value of JSON, if it is of a kind.

    Args:
        name: Of the value, for the message.
        value: The value.
        kind: A type as annotations have it: `int`, `float` (an integer will do), `str`, `bool`,
            None, `list[...]`, `dict[str, ...]`, a `Literal`, a union of these, `Any`; or a
            `TypedDict`, whose own keys are checked, and others let be.

    Raises:
        TypeError: If it is of another.
        KeyError: If a `TypedDict` lacks a key.
    """
    if typing.is_typeddict(kind) and isinstance(value, dict):
        for key, of_key in _hints(kind).items():
            if key in value:
                checked(key, value[key], of_key)
            elif key in kind.__required_keys__:
                raise KeyError(key)
    elif typing.get_origin(kind) is list and isinstance(value, list):
        for item in value:
            checked(name, item, typing.get_args(kind)[0])
    elif typing.get_origin(kind) is dict and isinstance(value, dict):
        for key, item in value.items():
            checked(f"{name} {key}", item, typing.get_args(kind)[1])
    elif not _is(value, kind):
        raise TypeError(f"{name}={shown(value)}, not {_spelled(kind)}")
    return value


def _is_plain(value: Any) -> bool:
    """Whether all text in a value of JSON can be printed, and no number is huge."""
    if isinstance(value, str):
        return not UNPRINTABLE.search(value)
    if isinstance(value, int | float):
        return abs(value) < 2**63 if isinstance(value, int) else math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if isinstance(value, list) else True


def _is(value: Any, kind: Any) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(_is(value, one) for one in arguments)
    if origin is Literal:
        # JSON's true is no 1.
        return any(type(value) is type(one) and value == one for one in arguments)
    if origin in (list, Sequence):
        return isinstance(value, list) and all(_is(item, arguments[0]) for item in value)
    if origin in (dict, Mapping):
        return isinstance(value, dict) and all(_is(v, arguments[1]) for v in value.values())
    if typing.is_typeddict(kind):
        return isinstance(value, dict)
    if kind is float:
        return type(value) in (int, float)
    if kind in (None, types.NoneType):
        return value is None
    return type(value) is kind


def _spelled(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def made(of_class: type[Any], values: Mapping[str, Any]) -> Any:
    """A dataclass from those values that are its fields.

    Raises:
        TypeError: If a value is of another type than the field, or one without default is missing.
    """
    assert is_dataclass(of_class)
    hints = _hints(of_class)
    # What is missing and has no default is a TypeError of the class itself.
    return of_class(**{n: checked(n, values[n], hints[n]) for n in hints if n in values})
