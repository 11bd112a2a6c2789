"""Records that are the same bytes whenever the same dataset is built."""

# TFDS has no types.
# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorflow_datasets.core.writer import ExampleWriter
from tensorflow_datasets.proto import tf_example_pb2


class ReproducibleExampleWriter(ExampleWriter):
    """Writes the features of each example in the order of their names.

    TFDS leaves the order to protobuf, which draws it anew in every process.
    """

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> Any:
        """Writes serialized examples to a shard; see `ExampleWriter`."""
        return super().write(path, ((key, _in_order(example)) for key, example in examples))


def _in_order(serialized: bytes) -> bytes:
    example = tf_example_pb2.Example.FromString(serialized)
    in_order: bytes = example.SerializeToString(deterministic=True)
    return in_order
