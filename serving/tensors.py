"""NumPy arrays to and from TensorFlow's `TensorProto`, as TensorFlow Serving reads and writes them.

TensorFlow Serving answers floats in the field `float_val`, where clients in other languages look
for them; `tf.make_tensor_proto` writes `tensor_content` instead, and `tf.make_ndarray` reads the
former a hundred times as slowly as the latter.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from serving.messages import PackedFloats

if TYPE_CHECKING:
    from tensorflow.core.framework import tensor_pb2

# Numbers have at most 16 bytes, and a text takes room of its own even if it is empty.
_BYTES_A_TEXT = 64


class TensorError(ValueError):
    """A `TensorProto` that does not hold the array that it claims to hold."""


def to_request(array: np.ndarray) -> "tensor_pb2.TensorProto":
    """An array as a request carries it."""
    import tensorflow as tf

    return tf.make_tensor_proto(array)


def to_answer(array: np.ndarray) -> "tensor_pb2.TensorProto":
    """An array as TensorFlow Serving answers it: floats in `float_val`."""
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2, types_pb2

    if array.dtype != np.float32:
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    floats = PackedFloats(float_val=np.ascontiguousarray(array).tobytes())
    proto.MergeFromString(floats.SerializeToString())
    return proto


def to_array(proto: "tensor_pb2.TensorProto", max_bytes: int | None = None) -> np.ndarray:
    """The array of a `TensorProto`.

    Args:
        proto: A tensor from somebody else.
        max_bytes: Most bytes that the array may have. A tensor of one number may claim any shape
            and stands for that number everywhere: a small message can ask for all memory.

    Raises:
        TensorError: If the tensor does not hold an array, or one that is too large.
    """
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise TensorError(f"a shape that is not known: {shape}")
    try:
        dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    except (TypeError, KeyError) as error:
        raise TensorError(f"a type that is not known: {proto.dtype}") from error
    size = math.prod(shape)
    item_bytes = _BYTES_A_TEXT if dtype.hasobject else dtype.itemsize
    if max_bytes is not None and size * item_bytes > max_bytes:
        raise TensorError(f"{shape} of {dtype.name}, more than {max_bytes} bytes")
    if proto.dtype == types_pb2.DT_FLOAT and size == len(proto.float_val):
        content = PackedFloats.FromString(proto.SerializeToString()).float_val
        return np.frombuffer(content, np.float32).reshape(shape)
    try:
        array: np.ndarray = tf.make_ndarray(proto)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise TensorError(str(error)) from error
    return array
