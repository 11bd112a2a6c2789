"""Runs SavedModels through TensorFlow's C API, as a server in C++ does: a script.

    python c_api_session.py SIGNAL.npy ANSWERS.npz MODEL_DIR [MODEL_DIR ...]

It writes what `serving_default`, `predict` and `saliency` of each model answer, as
`position.signature.output`, and prints, for each model, the operations of its graph that are not
registered and those without a kernel for the CPU, as JSON.

It is a process of its own, and one without TensorFlow's Python: beside that, the library would be
loaded already, with whatever Python had added to it. Only the messages' classes come from the
package, past its `__init__`, which would load the rest.
"""

import ctypes
import importlib.util
import json
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

(FOLDER,) = importlib.util.find_spec("tensorflow").submodule_search_locations
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
sys.modules["tensorflow"].__path__ = [FOLDER]

from tensorflow.core.framework import kernel_def_pb2, op_def_pb2  # noqa: E402
from tensorflow.core.protobuf import meta_graph_pb2  # noqa: E402

POINTER = ctypes.c_void_p
TF_FLOAT = 1


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", POINTER), ("length", ctypes.c_size_t), ("deallocator", POINTER))


class Output(ctypes.Structure):
    """TF_Output: one output of an operation."""

    _fields_ = (("operation", POINTER), ("index", ctypes.c_int))


# What each function returns and takes, from tensorflow/c/c_api.h.
FUNCTIONS = {
    "TF_NewStatus": (POINTER, []),
    "TF_DeleteStatus": (None, [POINTER]),
    "TF_GetCode": (ctypes.c_int, [POINTER]),
    "TF_Message": (ctypes.c_char_p, [POINTER]),
    "TF_NewBuffer": (ctypes.POINTER(Buffer), []),
    "TF_DeleteBuffer": (None, [ctypes.POINTER(Buffer)]),
    "TF_GetAllOpList": (ctypes.POINTER(Buffer), []),
    "TF_GetRegisteredKernelsForOp": (ctypes.POINTER(Buffer), [ctypes.c_char_p, POINTER]),
    "TF_NewGraph": (POINTER, []),
    "TF_GraphOperationByName": (POINTER, [POINTER, ctypes.c_char_p]),
    "TF_NewSessionOptions": (POINTER, []),
    "TF_LoadSessionFromSavedModel": (
        POINTER,
        [
            *(POINTER, POINTER, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int),
            *(POINTER, ctypes.POINTER(Buffer), POINTER),
        ],
    ),
    "TF_SessionRun": (
        None,
        [
            *(POINTER, POINTER),
            *(ctypes.POINTER(Output), ctypes.POINTER(POINTER), ctypes.c_int),
            *(ctypes.POINTER(Output), ctypes.POINTER(POINTER), ctypes.c_int),
            *(POINTER, ctypes.c_int, POINTER, POINTER),
        ],
    ),
    "TF_AllocateTensor": (
        POINTER,
        [ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, ctypes.c_size_t],
    ),
    "TF_DeleteTensor": (None, [POINTER]),
    "TF_TensorType": (ctypes.c_int, [POINTER]),
    "TF_TensorData": (POINTER, [POINTER]),
    "TF_TensorByteSize": (ctypes.c_size_t, [POINTER]),
    "TF_NumDims": (ctypes.c_int, [POINTER]),
    "TF_Dim": (ctypes.c_int64, [POINTER, ctypes.c_int]),
}
TF = ctypes.CDLL(str(Path(FOLDER, "libtensorflow_cc.so.2")))
for name, (result, arguments) in FUNCTIONS.items():
    getattr(TF, name).restype, getattr(TF, name).argtypes = result, arguments


@contextmanager
def checked() -> Iterator[int]:
    """A TF_Status that must be OK afterwards."""
    status = TF.TF_NewStatus()
    yield status
    if TF.TF_GetCode(status):
        raise RuntimeError(TF.TF_Message(status).decode())
    TF.TF_DeleteStatus(status)


def content(buffer: "ctypes._Pointer[Buffer]") -> bytes:
    """The bytes of a TF_Buffer, which is freed."""
    text = ctypes.string_at(buffer.contents.data, buffer.contents.length)
    TF.TF_DeleteBuffer(buffer)
    return text


class Session:
    """The session of a SavedModel, with its MetaGraphDef."""

    def __init__(self, model_dir: str) -> None:
        self._graph, meta_graph = TF.TF_NewGraph(), TF.TF_NewBuffer()
        tags = (ctypes.c_char_p * 1)(b"serve")
        with checked() as status:
            self._session = TF.TF_LoadSessionFromSavedModel(
                *(TF.TF_NewSessionOptions(), None, model_dir.encode(), tags, 1),
                *(self._graph, meta_graph, status),
            )
        self.meta_graph = meta_graph_pb2.MetaGraphDef.FromString(content(meta_graph))

    def run(self, signature_name: str, signal: np.ndarray) -> dict[str, np.ndarray]:
        """Ask a signature."""
        signature = self.meta_graph.signature_def[signature_name]
        keys = list(signature.outputs)
        values = (POINTER * len(keys))()
        fed = (POINTER * 1)(to_tensor(signal))
        with checked() as status:
            TF.TF_SessionRun(
                *(self._session, None),
                *(self._places([signature.inputs["signal"].name]), fed, 1),
                *(self._places([signature.outputs[k].name for k in keys]), values, len(keys)),
                *(None, 0, None, status),
            )
        TF.TF_DeleteTensor(fed[0])
        return dict(zip(keys, map(to_array, values), strict=True))

    def _places(self, tensor_names: Sequence[str]) -> "ctypes.Array[Output]":
        places = []
        for name in tensor_names:
            operation_name, _, index = name.partition(":")
            operation = TF.TF_GraphOperationByName(self._graph, operation_name.encode())
            assert operation, name
            places.append(Output(operation, int(index)))
        return (Output * len(places))(*places)


def to_tensor(array: np.ndarray) -> int:
    """A TF_Tensor with a copy of the values."""
    assert array.dtype == np.float32
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    tensor = TF.TF_AllocateTensor(TF_FLOAT, shape, array.ndim, array.nbytes)
    ctypes.memmove(TF.TF_TensorData(tensor), array.tobytes(), array.nbytes)
    return tensor


def to_array(tensor: int) -> np.ndarray:
    """The values of a TF_Tensor, which is freed."""
    assert TF.TF_TensorType(tensor) == TF_FLOAT
    shape = [TF.TF_Dim(tensor, axis) for axis in range(TF.TF_NumDims(tensor))]
    text = ctypes.string_at(TF.TF_TensorData(tensor), TF.TF_TensorByteSize(tensor))
    TF.TF_DeleteTensor(tensor)
    return np.frombuffer(text, np.float32).reshape(shape)


def operations(meta_graph: meta_graph_pb2.MetaGraphDef) -> set[str]:
    """The kinds of operations in a graph and its functions."""
    graph = meta_graph.graph_def
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    return {node.op for body in bodies for node in body}


def has_cpu_kernel(operation: str) -> bool:
    """Whether the library can run an operation on a CPU."""
    with checked() as status:
        text = content(TF.TF_GetRegisteredKernelsForOp(operation.encode(), status))
    kernels = kernel_def_pb2.KernelList.FromString(text).kernel
    return any(kernel.device_type in ("CPU", "DEFAULT") for kernel in kernels)


def main(signal_file: str, answers_file: str, *model_dirs: str) -> None:
    """Run the script."""
    signal = np.load(signal_file)
    registered = {op.name for op in op_def_pb2.OpList.FromString(content(TF.TF_GetAllOpList())).op}
    answers, faults = {}, []
    for position, model_dir in enumerate(model_dirs):
        session = Session(model_dir)
        used = operations(session.meta_graph)
        faults.append(
            {
                "operations": len(used),
                "unregistered": sorted(used - registered),
                "without a kernel": sorted(op for op in used if not has_cpu_kernel(op)),
            }
        )
        for signature in ("serving_default", "predict", "saliency"):
            for key, value in session.run(signature, signal).items():
                answers[f"{position}.{signature}.{key}"] = value
    np.savez(answers_file, **answers)
    assert "tensorflow.python" not in sys.modules
    print(json.dumps(faults))


if __name__ == "__main__":
    main(*sys.argv[1:])
