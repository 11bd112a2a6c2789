"""What TensorFlow Serving takes for JSON and for numbers in REST, and in what words it refuses.

Facts are those of its `json_tensor.cc`: NaN and Infinity are numbers and text after the value is
not looked at, but true, null and "1.5" are no numbers, nor are those that lose precision as the
type of the input.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from serving.stand_in.servable import RequestError, invalid

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

MAX_VALUES = 3_000_000
"""Most values and lists in a request: while Python reads them, it does nothing else."""
# All integers up to here, and none of those beyond, are taken for a float.
_LARGEST = {"float": 2**24 - 1, "double": 2**53 - 1}
_FLOAT_MAX = float(np.finfo(np.float32).max)
_KINDS = {dict: "Object", list: "Array", str: "String", bool: "True", type(None): "Null"}
# Of what Python says that RapidJSON says otherwise.
_WORDS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Illegal trailing comma before end of array": "Invalid value.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
}


class _Literal(float):
    """NaN or an infinity that was written as such, and is no number that is too large."""


def _integer(text: str) -> int | float:
    """A double, where 64 bits do not hold it: infinite, where a double does not either."""
    value = float(text)
    return int(text) if -(2.0**63) <= value < 2.0**64 else value


_DECODER = json.JSONDecoder(parse_constant=_Literal, parse_int=_integer)


def parse(body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object that a body begins with.

    Raises:
        RequestError: If there is none, or it has too many values.
    """
    if body.count(b",") + body.count(b"[") > MAX_VALUES:
        raise RequestError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"Expected at most {MAX_VALUES:,} values. Received: more. Send fewer genes at once",
        )
    try:
        text = body.decode().lstrip("\ufeff \t\r\n")
        if not text:
            raise invalid("JSON Parse error: The document is empty")
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        words = _WORDS.get(error.msg, error.msg)
        raise invalid(f"JSON Parse error: {words} at offset: {error.pos}") from error
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {_text(value)} Is not object")
    return value


def signature_name(request: Mapping[str, Any]) -> str:
    """The signature that a request asks for."""
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_text(request)} not formatted correctly. 'signature_name' key must be a "
            "string value."
        )
    return name or "serving_default"


def read_inputs(
    request: Mapping[str, Any], known: Mapping[str, "TensorInfo"]
) -> tuple[dict[str, np.ndarray], bool]:
    """The tensors of a request, and whether they came by row.

    Args:
        request: From `parse`.
        known: The inputs of the signature.

    Raises:
        RequestError: If they are not what the signature takes.
    """
    if not known:
        raise invalid(f"Failed to get input map for signature: {signature_name(request)}")
    if "instances" in request:
        if "inputs" in request:
            raise invalid(
                f"JSON Value: {_text(request)} Not formatted correctly expecting only one of "
                "'inputs' or 'instances' keys to exist "
            )
        rows = request["instances"]
        if not isinstance(rows, list):
            raise invalid(f"JSON Value: {_text(request)} Excepting 'instances' to be an list/array")
        if not rows:
            raise invalid(f"JSON Value: {_text(request)} No values in 'instances' array")
        return _read_rows(rows, known), True
    if "inputs" not in request:
        raise invalid("Missing 'inputs' or 'instances' key")
    columns = request["inputs"]
    if not isinstance(columns, dict) or _is_base64(columns):
        if len(known) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        columns = {next(iter(known)): columns}
    for name in known:
        if name not in columns:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    # Others are not looked at.
    return {name: _to_array(columns[name], info) for name, info in known.items()}, False


def _read_rows(rows: list[Any], known: Mapping[str, "TensorInfo"]) -> dict[str, np.ndarray]:
    if not isinstance(rows[0], dict) and len(known) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if not _is_object(rows[0]):
        (name,) = known
        return {name: _stack(rows, name, known, "")}
    for number, row in enumerate(rows):
        if not _is_object(row):
            raise invalid(f"Expecting object but got list at item {number} of input list")
        for name in row:
            if name not in known:
                raise invalid(
                    f"Failed to process element: {number} key: {name} of 'instances' list. Error: "
                    f"INVALID_ARGUMENT: JSON object: does not have named input: {name}"
                )
        if row.keys() != known.keys():
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{_text(row)} keys must be equal to: {','.join(sorted(known))}"
            )
    return {n: _stack([row[n] for row in rows], n, known, f" key: {n}") for n in known}


def _stack(rows: list[Any], name: str, known: Mapping[str, "TensorInfo"], key: str) -> np.ndarray:
    arrays: list[np.ndarray] = []
    for number, row in enumerate(rows):
        if _is_object(row) and not key:
            raise invalid(f"Expecting value/list but got object at item {number} of input list")
        try:
            array = _to_array(row, known[name])
            if arrays and array.size != arrays[0].size:
                raise invalid(f"Expecting tensor size: {arrays[0].size} but got: {array.size}")
            if arrays and array.shape != arrays[0].shape:
                raise invalid(f"Expecting shape {_shape(arrays[0])} but got: {_shape(array)}")
        except RequestError as error:
            raise invalid(
                f"Failed to process element: {number}{key} of 'instances' list. Error: "
                f"{error.code.name}: {error}"
            ) from error
        arrays.append(array)
    return np.stack(arrays)


def _to_array(value: Any, info: "TensorInfo") -> np.ndarray:
    """A value as a tensor of an input's type."""
    import tensorflow as tf

    dtype = tf.as_dtype(info.dtype)
    if (array := _plain(value, dtype.name)) is not None:
        return array.astype(dtype.as_numpy_dtype)
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    leaves: list[Any] = []
    _fill(
        value,
        shape,
        0,
        {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name),
        leaves,
    )
    return np.array(leaves, dtype.as_numpy_dtype).reshape(shape)


def _plain(value: Any, dtype: str) -> np.ndarray | None:
    """Lists of ordinary numbers, which nothing need be said of, without a look at each."""
    if dtype not in ("float32", "float64"):
        return None
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        return None
    if array.dtype.kind not in "if" or _has_truth(value):
        return None
    # What is large may have been an integer, and infinite may have been large.
    return array if (np.abs(array) < 2**24 - 1).all() else None


def _has_truth(value: Any) -> bool:
    if not isinstance(value, list):
        return isinstance(value, bool)
    if value and isinstance(value[0], list):
        return any(map(_has_truth, value))
    return bool in map(type, value)


def _fill(value: Any, shape: Sequence[int], level: int, dtype: str, leaves: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_text(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        leaves.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for each in value:
        _fill(each, shape, level + 1, dtype, leaves)


def _leaf(value: Any, dtype: str) -> Any:
    if dtype == "string":
        if isinstance(value, dict):
            return _from_base64(value)
        if not isinstance(value, str):
            raise _wrong_type(value, dtype)
        return value.encode()
    if dtype == "bool":
        if not isinstance(value, bool):
            raise _wrong_type(value, dtype)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(value, dtype)
    if dtype not in _LARGEST:
        limits = np.iinfo(dtype)
        if not isinstance(value, int) or not limits.min <= value <= limits.max:
            raise _wrong_type(value, dtype)
        return value
    if isinstance(value, float) and not isinstance(value, _Literal) and math.isinf(value):
        raise invalid("JSON Parse error: Number too big to be stored in double.")
    if isinstance(value, int):
        is_lossless = abs(value) <= _LARGEST[dtype]
    else:
        is_lossless = dtype == "double" or not math.isfinite(value) or abs(value) <= _FLOAT_MAX
    if not is_lossless:
        raise invalid(
            f"Cannot convert JSON value: {_text(value)} to {dtype} without loss of precision."
        )
    return value


def _wrong_type(value: Any, dtype: str) -> RequestError:
    return invalid(
        f"JSON Value: {_text(value)} Type: {_kind(value)} is not of expected type: {dtype}"
    )


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _from_base64(value: dict[str, Any]) -> bytes:
    if not _is_base64(value):
        raise invalid(f"JSON Value: {_text(value)} not formatted correctly for base64 data")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except binascii.Error as error:
        raise invalid("Unable to base64 decode") from error


def _kind(value: Any) -> str:
    if value is False:
        return "False"
    return _KINDS.get(type(value), "Number")


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _text(value: Any) -> str:
    return json.dumps(value, indent=4)


def answer(outputs: Mapping[str, np.ndarray], by_row: bool) -> dict[str, Any]:
    """The answer to a request, by column or by row; a single output goes without its name."""
    key = "predictions" if by_row else "outputs"
    if len(outputs) == 1:
        return {key: next(iter(outputs.values()))}
    if not by_row:
        return {key: outputs}
    rows = zip(*outputs.values(), strict=True)
    return {key: [dict(zip(outputs, row, strict=True)) for row in rows]}


def to_json(value: Any) -> str:
    """A value as JSON, arrays in it as lists; a float32 in as few digits as tell it apart."""
    return json.dumps(value, default=_to_plain)


def _to_plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(type(value).__name__)
    if value.dtype == np.float32:
        # Doubles whose shortest text is that of the float.
        return np.asarray(value).astype(str).astype(np.float64).tolist()
    if value.dtype == object:
        texts = [text.decode() for text in np.ravel(value)]
        return np.array(texts, object).reshape(value.shape).tolist()
    return value.tolist()
