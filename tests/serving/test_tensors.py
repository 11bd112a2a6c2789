from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.python.framework import tensor_util

from serving.tensors import TensorError, to_answer, to_array, to_request

ARRAYS = [
    np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
    np.array([np.nan, np.inf, -0.0, 1e-45], np.float32),
    np.ones((3, 1), np.float32),
    np.zeros((0, 8, 5), np.float32),
    np.array(2.5, np.float32),
    np.arange(4, dtype=np.int64),
    np.array([[True, False]]),
    *(np.array([1, 2, 3], kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "u8")),
    *(np.array([0.5, 0, -2], kind) for kind in ("f2", "f8", "c8", "c16")),
    np.array([b"PAX5", b""], object),
]


@pytest.mark.parametrize("write", [to_request, to_answer])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_round_trip(
    write: Callable[[np.ndarray], tensor_pb2.TensorProto], array: np.ndarray
) -> None:
    read = to_array(write(array))
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(read, array)
    theirs = tensor_pb2.TensorProto.FromString(write(array).SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_reads_numbers_in_the_fields_of_their_types(array: np.ndarray) -> None:
    """Where `tensor_content` is not taken; the last number stands for those left out."""
    tensor = tf.make_tensor_proto(array)
    name = {np.dtype("f2"): "half_val", np.dtype("c8"): "scomplex_val"}.get(array.dtype)
    text = tensor_util.GetNumpyAppendFn(array.dtype)
    packed = tensor_pb2.TensorProto(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape)
    if array.size:
        text(packed, array.ravel())
        assert name is None or len(getattr(packed, name))
    np.testing.assert_array_equal(to_array(packed), array)
    packed.tensor_shape.dim.insert(0, tensor_shape_pb2.TensorShapeProto.Dim(size=2))
    np.testing.assert_array_equal(to_array(packed), tf.make_ndarray(packed))


def test_answers_floats_where_clients_of_tensorflow_serving_look_for_them() -> None:
    proto = to_answer(np.array([[0.25, 0.5]], np.float32))
    assert list(proto.float_val) == [0.25, 0.5]
    assert [dim.size for dim in proto.tensor_shape.dim] == [1, 2]
    assert not proto.tensor_content


def claiming(*sizes: int, **fields: object) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto(**{"dtype": types_pb2.DT_FLOAT, **fields})
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


def test_the_last_number_stands_for_those_that_are_left_out() -> None:
    np.testing.assert_array_equal(to_array(claiming(5, float_val=[1.0]), 20), np.ones(5))
    np.testing.assert_array_equal(to_array(claiming(3, float_val=[1.0, 2.0])), [1, 2, 2])


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (claiming(10**12, float_val=[1.0]), "1000000000000,.* more than 4096 bytes"),
        (claiming(2**40, 2**40, float_val=[1.0]), "more than 4096 bytes"),
        (claiming(65, dtype=types_pb2.DT_STRING, string_val=[b"a"]), "more than 4096 bytes"),
        (claiming(-1, float_val=[1.0]), "a shape that is not known"),
        (claiming(1, float_val=[1.0, 2.0]), None),
        (claiming(2, tensor_content=b"\0" * 7), None),
        (claiming(1, dtype=types_pb2.DT_UINT8, int_val=[-1]), None),
        (claiming(1, dtype=types_pb2.DT_HALF, half_val=[2**16]), None),
        (claiming(2, dtype=types_pb2.DT_VARIANT), None),
        (claiming(2, dtype=types_pb2.DT_RESOURCE), None),
        (claiming(2, dtype=types_pb2.DT_INVALID), None),
        (claiming(2, dtype=12345), "a type that is not known: 12345"),
    ],
)
def test_refuses_a_tensor_that_is_not_what_it_claims(
    proto: tensor_pb2.TensorProto, message: str | None
) -> None:
    with pytest.raises(TensorError, match=message):
        to_array(proto, 4096)


def test_refuses_an_unknown_rank() -> None:
    proto = claiming(float_val=[1.0])
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(TensorError, match="a shape that is not known"):
        to_array(proto)
