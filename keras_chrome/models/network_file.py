"""Reads a `.keras` file that may come from elsewhere: a network of known layers, and its weights.

Keras's own loader trusts its file more than a stranger's file deserves: it imports what the file
names, takes the memory that it claims, and follows HDF5's links to other files. Here the file is
looked through before Keras sees it, and Keras is asked for no memory before the network that the
file describes has turned out to be as large as the weights that it holds.
"""

from __future__ import annotations

import io
import json
import math
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError, printable
from keras_chrome.models.backend import require_keras

if TYPE_CHECKING:
    import h5py
    import keras

    from keras_chrome.models.task import Task

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_CONFIG_BYTES = 64 * 2**20
_MAX_LAYERS = 5_000
_MAX_OBJECTS = 200_000
_MAX_ELEMENTS = 2**22
"""Of what a layer makes of one gene."""

_FUNCTIONAL = ("keras.src.models.functional", "Functional")
# Those that compute and do nothing else: no Lambda, none that opens a file or another model.
_KERAS_LAYERS = frozenset(
    {
        *("Activation", "Add", "Average", "AveragePooling1D", "BatchNormalization", "Concatenate"),
        *("Conv1D", "Conv2D", "Dense", "DepthwiseConv1D", "Dropout", "Flatten", "Maximum"),
        *("GlobalAveragePooling1D", "GlobalMaxPooling1D", "InputLayer", "LayerNormalization"),
        *("MaxPooling1D", "MultiHeadAttention", "Multiply", "Permute", "RepeatVector", "Reshape"),
        *("SeparableConv1D", "Softmax", "SpatialDropout1D", "Subtract", "UpSampling1D"),
        "ZeroPadding1D",
    }
)
_KERAS_OPERATIONS = ("keras.src.ops.nn", "keras.src.ops.numpy")
_KERAS_PARTS = ("keras.initializers", "keras.regularizers", "keras.constraints")
# How Keras spells tensors, slices and `...` among the arguments of an operation.
_SPELLINGS = {"__keras_tensor__", "__slice__", "__ellipsis__"}
_OURS = "keras_chrome"


def load_network(path: Path, signal_shape: tuple[int, int], task: Task) -> keras.Model:
    """Load a network, and nothing but a network.

    Args:
        path: A `.keras` file.
        signal_shape: Of a gene, `(bins, marks)`.
        task: What the network tells of a gene.

    Returns:
        The network, not compiled.

    Raises:
        InputError: If the file is damaged, holds or asks for more than a network of our layers and
            of Keras's, or the network reads another signal
            or answers something else; if Keras has been told to run on a backend that it cannot
            import.
    """
    require_keras()

    import keras
    import tensorflow as tf

    import keras_chrome.layers  # noqa: F401  (registers what the file names)

    try:
        config, weights = _members(path)
        _check_network(config, signal_shape)
        num_weights = _num_weights(weights)
        # In this scope variables have shapes and no memory, until it ends.
        with keras.StatelessScope() as scope:
            try:
                network = keras.saving.deserialize_keras_object(config, safe_mode=True)
                _check_size(network, num_weights)
                _check_answers(network, signal_shape, task)
            except BaseException:
                scope.initialize_variables = False
                raise
        network.load_weights(path)
    # Keras, HDF5 and TensorFlow tell of a damaged file by any exception that there is.
    except (Exception, tf.errors.OpError) as error:
        keras.utils.clear_session(free_memory=False)  # or the variables would come into being yet
        reason = str(error) if isinstance(error, _NetworkError) else _last_words(error)
        raise InputError(
            f"Expected a network as `fit` writes it. Received: {path} ({reason}); fetch the file "
            "again, or train the run again"
        ) from None
    return network


class _NetworkError(Exception):
    """What is wrong with a file, in words of ours."""


def _last_words(error: BaseException) -> str:
    """What was wrong, which stands at the end of what Keras says."""
    *_, words = str(error).split("Exception encountered: ")
    return f"{type(error).__name__}: {printable(words)}"


def _members(path: Path) -> tuple[dict[str, Any], bytes]:
    """The configuration and the file of weights."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if set(members) != _MEMBERS or len(members) < len(archive.infolist()):
            names = ", ".join(sorted(members))[:200]
            raise _NetworkError(f"members {names!a} in place of {', '.join(sorted(_MEMBERS))}")
        if any(m.compress_type != zipfile.ZIP_STORED for m in members.values()):
            raise _NetworkError("compressed members, which Keras does not write")
        if sum(m.file_size for m in members.values()) > path.stat().st_size:
            raise _NetworkError("members that are larger together than the file")
        if members["config.json"].file_size > _MAX_CONFIG_BYTES:
            raise _NetworkError(f"a configuration of over {_MAX_CONFIG_BYTES:,} bytes")
        config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise _NetworkError("a configuration that is no object")
        return config, archive.read("model.weights.h5")


def _check_network(config: dict[str, Any], signal_shape: tuple[int, int]) -> None:
    """See that a configuration names what is known, and reads one signal of a shape."""
    config.pop("compile_config", None)  # Optimizers and losses are nobody's concern here.
    if (config.get("module"), config.get("class_name")) != _FUNCTIONAL:
        raise _NetworkError(f"a {str(config.get('class_name'))[:80]!a} in place of a network")
    inner = config.get("config")
    if not isinstance(inner, dict) or not isinstance(inner.get("layers"), list):
        raise _NetworkError("no list of layers")
    if len(inner["layers"]) > _MAX_LAYERS:
        raise _NetworkError(f"{len(inner['layers']):,} layers, of {_MAX_LAYERS:,} at most")
    inputs = []
    for part in _objects(inner):
        _check_known(part)
        if part["class_name"] == "InputLayer":
            inputs.append(part.get("config", {}).get("batch_shape"))
    if inputs != [[None, *signal_shape]]:
        raise _NetworkError(
            f"a signal {str(inputs)[1:-1][:80]} to read, where the run has {[None, *signal_shape]}"
        )


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All parts of a configuration that stand for an object."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _check_known(part: dict[str, Any]) -> None:
    """See that a part is one of those that only compute."""
    import keras

    module, name, registered = (
        part.get(key) for key in ("module", "class_name", "registered_name")
    )
    if module is None and name in _SPELLINGS:
        return
    ours = keras.saving.get_custom_objects()
    if isinstance(module, str) and isinstance(name, str):
        if module.startswith(f"{_OURS}.layers.") and registered == f"{_OURS}>{name}" in ours:
            return
        # Whatever else this process has registered is no part of our files.
        if registered in (None, name) and name not in ours and _is_of_keras(module, name):
            return
    raise _NetworkError(f"{f'{module}.{name}'[:80]!a}, which is no layer of ours or of Keras")


def _is_of_keras(module: str, name: str) -> bool:
    import keras

    if module == "keras.layers":
        return name in _KERAS_LAYERS
    if (module, name) == ("keras", "DTypePolicy"):
        return True
    found = getattr(sys.modules.get(module), name, None)
    if module in _KERAS_PARTS:
        return isinstance(found, type)
    return (
        module in _KERAS_OPERATIONS
        and isinstance(found, type)
        and issubclass(found, keras.Operation)
        and found.__module__ == module
    )


def _num_weights(content: bytes) -> int:
    """How many numbers a file of weights holds, all of them in itself."""
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        sizes = [_plain_size(dataset) for dataset in _datasets(file)]
        num_bytes = sum(size * width for size, width in sizes)
    if num_bytes > len(content):
        raise _NetworkError(f"weights of {num_bytes:,} bytes in a file of {len(content):,}")
    return sum(size for size, _ in sizes)


def _datasets(file: h5py.File) -> Iterator[h5py.Dataset]:
    """All datasets, each once; groups may lie in each other's circles, but not in other files."""
    import h5py

    seen, groups = set(), [file["/"]]
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise _NetworkError(f"a link to elsewhere, {name[:80]!a}, among the weights")
            found = group[name]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                raise _NetworkError(f"{name[:80]!a} twice among the weights")
            seen.add(address)
            if len(seen) > _MAX_OBJECTS:
                raise _NetworkError(f"over {_MAX_OBJECTS:,} weights")
            if isinstance(found, h5py.Group):
                groups.append(found)
            elif isinstance(found, h5py.Dataset):
                yield found
            else:
                raise _NetworkError(f"{name[:80]!a}, no array, among the weights")


def _plain_size(dataset: h5py.Dataset) -> tuple[int, int]:
    """The number of elements of a dataset, and the bytes of each."""
    plan = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external or dataset.chunks or plan.get_nfilters():
        raise _NetworkError(f"{dataset.name[:80]!a}, stored elsewhere or packed")
    if dataset.dtype.kind not in "fiub":
        raise _NetworkError(f"{dataset.name[:80]!a} of {str(dataset.dtype)[:40]}, no numbers")
    return math.prod(dataset.shape), dataset.dtype.itemsize


def _check_size(network: keras.Model, num_weights: int) -> None:
    """See that a network is no larger than its weights, and makes nothing huge of a gene."""
    import keras

    needed = sum(math.prod(variable.shape) for variable in network.weights)
    if needed > num_weights:
        raise _NetworkError(f"{num_weights:,} weights, where its layers have {needed:,}")
    outputs = (
        tensor for layer in network.operations for tensor in keras.tree.flatten(layer.output)
    )
    largest = max(math.prod(size or 1 for size in tensor.shape) for tensor in outputs)
    if largest > _MAX_ELEMENTS:
        raise _NetworkError(
            f"{largest:,} numbers a gene in one layer, of {_MAX_ELEMENTS:,} at most"
        )


def _check_answers(network: keras.Model, signal_shape: tuple[int, int], task: Task) -> None:
    """See that a network answers what `Prediction` has."""
    num_bins, num_marks = signal_shape
    shapes = {
        **dict.fromkeys(("alpha", "alpha_sd", "contribution"), (None, num_marks, num_bins)),
        **dict.fromkeys(("beta", "beta_sd"), (None, num_marks)),
        **dict.fromkeys((task.output, f"{task.output}_sd"), (None,)),
    }
    answers = network.output if isinstance(network.output, dict) else {}
    found = {name: tensor.shape for name, tensor in answers.items()}
    if task.output not in found or any(shapes.get(n) != shape for n, shape in found.items()):
        raise _NetworkError(f"{str(found)[:120]!a} to answer, where the run tells {task.output}")
