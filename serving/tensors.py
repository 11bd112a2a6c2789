"""NumPy arrays to and from TensorFlow's `TensorProto`, as TensorFlow Serving reads and writes them.

TensorFlow Serving answers floats in the field `float_val`, where clients in other languages look
for them; `tf.make_tensor_proto` writes `tensor_content` instead, and `tf.make_ndarray` reads the
former a hundred times as slowly as the latter. Nothing here needs TensorFlow, which takes seconds
to import: a message of its own class or of `serving.messages` is read alike.

Reference: tensorflow/core/framework/tensor.proto; `tf.make_ndarray` for numbers that are left out.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.messages import PackedFloats, TensorProto

if TYPE_CHECKING:
    from tensorflow.core.framework import tensor_pb2

# TensorFlow's number of a type: NumPy's type, the field of its values, the type that they have in
# that field where it is another.
_TYPES: dict[int, tuple[str, str, str]] = {
    1: ("float32", "float_val", ""),
    2: ("float64", "double_val", ""),
    3: ("int32", "int_val", ""),
    4: ("uint8", "int_val", ""),
    5: ("int16", "int_val", ""),
    6: ("int8", "int_val", ""),
    7: ("object", "string_val", ""),
    8: ("complex64", "scomplex_val", "float32"),
    9: ("int64", "int64_val", ""),
    10: ("bool", "bool_val", ""),
    17: ("uint16", "int_val", ""),
    18: ("complex128", "dcomplex_val", "float64"),
    19: ("float16", "half_val", "uint16"),
    22: ("uint32", "uint32_val", ""),
    23: ("uint64", "uint64_val", ""),
}
_NUMBERS = {np.dtype(name): number for number, (name, _, _) in _TYPES.items()}
_FLOAT = 1
# Numbers have at most 16 bytes, and a text takes room of its own even if it is empty.
_BYTES_A_TEXT = 64


class TensorError(ValueError):
    """A `TensorProto` that does not hold the array that it claims to hold."""


def to_request(array: np.ndarray) -> Any:
    """An array as a request carries it, a `serving.messages.TensorProto`."""
    proto: Any = TensorProto(dtype=_NUMBERS[array.dtype])
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype.hasobject:
        proto.string_val.extend(array.ravel().tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


def to_answer(array: np.ndarray) -> "tensor_pb2.TensorProto":
    """An array as TensorFlow Serving answers it: floats in `float_val`."""
    from tensorflow.core.framework import tensor_pb2

    proto = to_request(array)
    answer = tensor_pb2.TensorProto()
    if array.dtype == np.float32:
        floats = PackedFloats(float_val=proto.tensor_content)
        proto.ClearField("tensor_content")
        answer.MergeFromString(floats.SerializeToString())
    answer.MergeFromString(proto.SerializeToString())
    return answer


def to_array(proto: Any, max_bytes: int | None = None) -> np.ndarray:
    """The array of a `TensorProto`.

    Args:
        proto: A tensor from somebody else, of TensorFlow's class or of `serving.messages`.
        max_bytes: Most bytes that the array may have. A tensor of one number may claim any shape
            and stands for that number everywhere: a small message can ask for all memory.

    Raises:
        TensorError: If the tensor does not hold an array, or one that is too large.
    """
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise TensorError(f"a shape that is not known: {shape}")
    if proto.dtype not in _TYPES:
        raise TensorError(f"a type that is not known: {proto.dtype}")
    name, field, kept_as = _TYPES[proto.dtype]
    dtype, size = np.dtype(name), math.prod(shape)
    item_bytes = _BYTES_A_TEXT if dtype.hasobject else dtype.itemsize
    if max_bytes is not None and size * item_bytes > max_bytes:
        raise TensorError(f"{shape} of {name}, more than {max_bytes} bytes")
    try:
        if proto.tensor_content and not dtype.hasobject:
            array = np.frombuffer(proto.tensor_content, dtype)
        elif proto.dtype == _FLOAT and size == len(proto.float_val):
            content: Any = PackedFloats.FromString(proto.SerializeToString())
            array = np.frombuffer(content.float_val, dtype)
        else:
            values = np.array(list(getattr(proto, field)), kept_as or dtype).view(dtype)
            array = _completed(values, size)
        return array.reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise TensorError(str(error)) from error


def _completed(values: np.ndarray, size: int) -> np.ndarray:
    """The last of the values stands for those that are left out; without any, all are zero."""
    missing = size - len(values)
    if missing <= 0:
        return values
    nothing = np.array([b""], object) if values.dtype.hasobject else np.zeros(1, values.dtype)
    last = values[-1:] if len(values) else nothing
    return np.concatenate((values, np.repeat(last, missing)))
