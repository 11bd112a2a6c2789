"""A SavedModel that could read a file is refused; ours, and others that only compute, are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.errors import InputError
from serving.local import LocalServer
from serving.stand_in.operations import unsafe_operations
from serving.stand_in.servable import LoadError, Servable

TEXT = tf.TensorSpec((), tf.string, name="path")


def unsafe_of(path: Path) -> list[str]:
    text = (path / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(text).meta_graphs
    return unsafe_operations(graph)


def save(path: Path, function: Any, *specs: tf.TensorSpec) -> Path:
    module = tf.Module()
    module.function = tf.function(function)
    tf.saved_model.save(module, str(path), module.function.get_concrete_function(*specs))
    return path


def read_in_a_branch(path: tf.Tensor) -> tf.Tensor:
    return tf.cond(tf.strings.length(path) > 0, lambda: tf.io.read_file(path), lambda: "")


@pytest.mark.parametrize(
    ("function", "operations"),
    [
        (tf.io.read_file, ["ReadFile"]),
        (read_in_a_branch, ["ReadFile"]),
        (lambda path: tf.io.matching_files(path), ["MatchingFiles"]),
        (lambda path: [tf.io.write_file(path, "x"), tf.identity(path)][1], ["WriteFile"]),
        (lambda path: tf.numpy_function(lambda p: p, [path], tf.string), ["PyFunc"]),
        (lambda path: tf.raw_ops.RestoreV2(
            prefix=path, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0], ["RestoreV2"]),
        (lambda path: [tf.raw_ops.SaveV2(
            prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[path]
        ), tf.identity(path)][1], ["SaveV2"]),
        (lambda path: tf.data.TextLineDataset(path).reduce("", lambda a, b: a + b),
         ["ReduceDataset", "TensorSliceDataset", "TextLineDataset"]),
    ],
)  # fmt: skip
def test_finds_what_reaches_outside(tmp_path: Path, function: Any, operations: list[str]) -> None:
    assert unsafe_of(save(tmp_path / "1", function, TEXT)) == operations
    with pytest.raises(LoadError, match=f"{operations[0]}.*--allow-unsafe-ops"):
        Servable("unsafe", 1, tmp_path / "1")


def test_finds_it_in_what_loading_runs(tmp_path: Path) -> None:
    """An initializer is run by the loader, whatever the signatures do."""

    class Reading(tf.Module):
        def __init__(self) -> None:
            text = tf.lookup.TextFileInitializer(
                str(tmp_path / "words.txt"), tf.string, 0, tf.int64, 1, delimiter=","
            )
            (tmp_path / "words.txt").write_text("a,1\n")
            self.table = tf.lookup.StaticHashTable(text, -1)

        @tf.function(input_signature=[TEXT])
        def find(self, path: tf.Tensor) -> tf.Tensor:
            return self.table.lookup(path)

    module = Reading()
    tf.saved_model.save(module, str(tmp_path / "1"), module.find)
    assert unsafe_of(tmp_path / "1") == ["InitializeTableFromTextFileV2"]


def test_lets_through_what_only_computes(models_dir: Path, tmp_path: Path) -> None:
    assert unsafe_of(models_dir / "tiny/12") == []

    class Computing(tf.Module):
        """Variables, a table, random numbers, a loop and a branch."""

        def __init__(self) -> None:
            self.weight = tf.Variable(2.0)
            keys = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
            self.table = tf.lookup.StaticHashTable(keys, 0.0)

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
        def compute(self, x: tf.Tensor) -> tf.Tensor:
            for _ in tf.range(3):
                x = self.weight * x + self.table.lookup(tf.constant("a"))
            return tf.where(x > 0, x + 0 * tf.random.uniform(tf.shape(x)), tf.zeros_like(x))

    module = Computing()
    tf.saved_model.save(module, str(tmp_path / "1"), module.compute)
    assert unsafe_of(tmp_path / "1") == []
    (answer,) = (
        Servable("computing", 1, tmp_path / "1")
        .predict("serving_default", {"x": np.array([1, -1], np.float32)})
        .values()
    )
    assert answer.tolist() == [15, 0]


def test_refuses_an_operation_that_nobody_knows(models_dir: Path) -> None:
    text = (models_dir / "tiny/12/saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(text).meta_graphs
    graph.graph_def.library.function[0].node_def[0].op = "FetchFromTheMoon"
    assert unsafe_operations(graph) == ["FetchFromTheMoon"]


def test_serves_it_only_if_told_to(tmp_path: Path) -> None:
    save(tmp_path / "models/reader/1", tf.io.read_file, TEXT)
    with pytest.raises(InputError, match=r"reader/1, which cannot be loaded \(.*ReadFile"):
        LocalServer(tmp_path / "models")
    with LocalServer(tmp_path / "models", allow_unsafe_ops=True) as server:
        assert server.models == {"reader": [1]}
