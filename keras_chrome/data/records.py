"""The records of a built dataset, or a line on what is wrong with its files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_chrome.errors import InputError, printable

# How TFDS takes turns with the files of a split.
_FILES_AT_ONCE = 16
_FROM_EACH_FILE = 16


def open_builder(folder: Path) -> Any:
    """TFDS's builder of a dataset's version.

    Raises:
        InputError: If one of the files beside the records is missing or damaged.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(folder)
        _ = builder.info.splits, builder.info.features, builder.info.metadata
    except Exception as error:  # TFDS, protobuf and the features' own parsers.
        raise InputError(
            f"Expected a dataset that TFDS can open. Received: {folder}, of which "
            f"dataset_info.json, features.json or metadata.json is missing or damaged "
            f"({printable(error)}). {build_again(folder)}"
        ) from None
    return builder


def read_records(
    builder: Any, split: str, folder: Path, *, stream: bool = False
) -> dict[str, np.ndarray]:
    """Every feature of the genes of a split, an array a feature, whose first axis is the gene.

    Args:
        builder: From `open_builder`.
        split: One that the builder has.
        folder: Of the dataset's version.
        stream: Leave out the signal; `tfds_id` says which record a gene is of.

    Raises:
        InputError: If a file of records is missing, too many, damaged or cut off.
    """
    # Where it cannot be imported, the records are not at fault.
    import tensorflow as tf  # noqa: F401
    import tensorflow_datasets as tfds

    info = builder.info.splits[split]
    _check_shards(info, folder, builder.info.file_format.value)
    num_genes = int(info.num_examples)
    if stream and builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        raise InputError(
            f"Expected a dataset of TFRecords with --stream. Received: {folder}, of "
            f"{builder.info.file_format.value}"
        )
    try:
        if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
            examples = list(builder.as_data_source(split))
            # ArrayRecord reads an empty record where the checksum is wrong.
            if any(value is None for example in examples for value in example.values()):
                raise ValueError("empty records")
            columns = {name: np.stack([e[name] for e in examples]) for name in examples[0]}
        else:
            columns = (
                _without_signal(builder, split) if stream else _parsed(info, builder.info.features)
            )
    except Exception as error:  # Of TensorFlow or of ArrayRecord.
        raise _damaged(info, folder, printable(error)) from None
    if {len(column) for column in columns.values()} != {num_genes}:
        found = max(map(len, columns.values()))
        raise _damaged(info, folder, f"{found:,} genes in place of {num_genes:,}")
    return columns


def _parsed(info: Any, features: Any) -> dict[str, np.ndarray]:
    """What TFDS reads of a split, in its order: all examples at once, in a tenth of its time."""
    import tensorflow as tf

    described = features.get_serialized_info()
    records = tf.data.Dataset.from_tensor_slices(list(map(str, info.filepaths))).interleave(
        tf.data.TFRecordDataset, cycle_length=_FILES_AT_ONCE, block_length=_FROM_EACH_FILE
    )
    # One more than there should be would be seen.
    serialized = next(iter(records.batch(info.num_examples + 1)))
    columns = tf.io.parse_example(
        serialized,
        {n: tf.io.FixedLenFeature(d.shape, _kind_on_disk(d)) for n, d in described.items()},
    )
    return {n: column.numpy().astype(described[n].np_dtype) for n, column in columns.items()}


def _kind_on_disk(described: Any) -> str:
    """What a record holds of a feature, in TensorFlow's words."""
    kind = np.dtype(described.np_dtype).kind
    return {"O": "string", "f": "float32"}.get(kind, "int64")


def _without_signal(builder: Any, split: str) -> dict[str, np.ndarray]:
    import tensorflow_datasets as tfds

    batches = builder.as_dataset(
        split,
        batch_size=int(builder.info.splits[split].num_examples) + 1,  # one more would be seen
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(
            {name: True for name in builder.info.features if name != "signal"}
        ),
        read_config=tfds.ReadConfig(add_tfds_id=True),
    )
    return dict(next(iter(tfds.as_numpy(batches))))


def build_again(folder: Path) -> str:
    """How to mend a damaged dataset, given the folder of its version."""
    config, root = folder.parent.name, folder.parent.parent.parent
    return (
        f"Remove {folder} and build it again: python -m tfds_remc --data-dir {root}, with "
        f"--config {config} or the options of your own data"
    )


def _check_shards(info: Any, folder: Path, file_format: str) -> None:
    expected = {Path(name).name for name in info.filenames}
    start = f"{info.filename_template.dataset_name}-{info.name}.{file_format}"
    found = {path.name for path in folder.iterdir() if path.name.startswith(start)}
    for what, names in (("without", expected - found), ("also with", found - expected)):
        if names:
            raise InputError(
                f"Expected the records of split {info.name} in {_some(expected)}. Received: "
                f"{folder}, {what} {_some(names)}. {build_again(folder)}"
            )


def _damaged(info: Any, folder: Path, reason: str) -> InputError:
    shards = list(zip(map(str, info.filenames), info.shard_lengths, strict=True))
    at_fault = [name for name, length in shards if not _is_sound(folder / name, length)]
    names = at_fault or [name for name, _ in shards]
    return InputError(
        f"Expected records as they were built in {folder}. Received: {_some(names)}, damaged or "
        f"cut off ({reason}). {build_again(folder)}"
    )


def _is_sound(path: Path, num_records: int) -> bool:
    """Whether a file has so many records, whose checksums are right."""
    import tensorflow as tf

    if ".tfrecord" not in path.name:
        return False
    try:
        return sum(1 for _ in tf.data.TFRecordDataset(str(path))) == num_records
    except tf.errors.OpError:
        return False


def _some(names: Sequence[str] | set[str], at_most: int = 3) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - at_most} more" if len(listed) > at_most else ""
    return ", ".join(listed[:at_most]) + more
