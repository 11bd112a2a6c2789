"""Signal that stays in the files of its records, for data that are larger than the memory."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

_CHUNK = 4096
_HEADER, _FOOTER = 12, 4  # bytes around a record: its length and that one's checksum, its own


@dataclass(frozen=True)
class RecordedSignal:
    """Signal of genes `(genes, bins, marks)`, float32, of which none is in memory.

    An index answers another of these, of the genes at it, and reads nothing; `np.asarray` reads.
    What reads a training's batches is `gather`.

    Attributes:
        files: Of the records, opened.
        places: int64 `(genes, 4)`: the file, where in it the record begins, its bytes, and which of
            `columns` it has.
        columns: int32 `(datasets, bins, marks)`, which number of a record's signal, counted from 1,
            is that of a bin and mark; 0 where the dataset lacks the mark.
    """

    files: tuple[_File, ...]
    places: np.ndarray
    columns: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """As an array's."""
        return (len(self.places), *self.columns.shape[1:])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any) -> RecordedSignal | np.ndarray:
        if np.ndim(self.places[rows]) == 1:
            one: np.ndarray = np.asarray(self[[rows]])[0]
            return one
        return replace(self, places=self.places[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        signal: np.ndarray = self.gather(np.arange(len(self))).numpy()
        return signal if dtype is None else signal.astype(dtype)

    def of_marks(self, order: Sequence[int], num_missing: int) -> RecordedSignal:
        """The marks at positions, after the last of which stand some that are zero everywhere."""
        columns = np.pad(self.columns, ((0, 0), (0, 0), (0, num_missing)))
        return replace(self, columns=np.ascontiguousarray(columns[..., order]))

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        """The signal of genes at positions `(batch,)`, as part of a TensorFlow graph too."""
        import tensorflow as tf

        records = tf.numpy_function(self._records, [rows], tf.string, stateful=False)
        feature = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
        values = tf.io.parse_example(records, {"signal": feature})["signal"]
        _, bins, marks = self.columns.shape
        columns = tf.gather(
            self.columns.reshape(-1, bins * marks), tf.gather(self.places[:, 3], rows)
        )
        signal = tf.gather(tf.pad(values, [[0, 0], [1, 0]]), columns, batch_dims=1)
        return tf.reshape(signal, (rows.shape[0], bins, marks))

    def _records(self, rows: np.ndarray) -> np.ndarray:
        places = self.places[rows].tolist()
        records = [self.files[f].read(start, size) for f, start, size, _ in places]
        return np.array(records, dtype=object)


class _File:
    """A file that several threads may read, as long as nobody writes to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._state = self._state_now()

    def _state_now(self) -> tuple[int, int]:
        state = os.fstat(self._descriptor)
        return state.st_size, state.st_mtime_ns

    def read(self, start: int, size: int) -> bytes:
        record = os.pread(self._descriptor, size, start)
        self.check()
        return record

    def check(self) -> None:
        if self._state_now() != self._state:
            raise InputError(
                f"Expected {self._path} as it was when it was opened. Received: a file that was "
                "written to since; build the dataset again, and train anew"
            )


@contextmanager
def as_opened(*signals: Any) -> Iterator[None]:
    """Say in one line that a file was written to, where TensorFlow fails of that in a block.

    Args:
        signals: What is read in the block, of which some may be in files.

    Raises:
        InputError: If one was.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError:
        for signal in signals:
            for file in signal.files if isinstance(signal, RecordedSignal) else ():
                file.check()
        raise


def recorded_signal(
    folder: Path, names: Sequence[str], num_bins: int, num_marks: int
) -> RecordedSignal:
    """The signal of the records of a dataset.

    Args:
        folder: Of the dataset's version.
        names: Of each gene, as TFDS names its record: the file, two underscores, its number there.
        num_bins: Of the dataset.
        num_marks: Likewise.
    """
    parts = [name.rsplit("__", 1) for name in names]
    files = sorted({file for file, _ in parts})
    of_file = {file: _places(folder / file) for file in files}
    number = {file: i for i, file in enumerate(files)}
    places = [(number[file], *of_file[file][int(position)], 0) for file, position in parts]
    columns = np.arange(1, num_bins * num_marks + 1, dtype=np.int32)
    return RecordedSignal(
        tuple(_File(folder / file) for file in files),
        np.array(places, np.int64),
        columns.reshape(1, num_bins, num_marks),
    )


def _places(path: Path) -> list[tuple[int, int]]:
    """Where each record of a TFRecord file begins, and how many bytes it has.

    Reference: the file's format in tensorflow/core/lib/io/record_writer.h.
    """
    places, position, end = [], 0, path.stat().st_size
    with path.open("rb") as file:
        while position < end:
            file.seek(position)
            size = int.from_bytes(file.read(8), "little")
            places.append((position + _HEADER, size))
            position += _HEADER + size + _FOOTER
    return places


def joined(signals: Sequence[Any]) -> Any:
    """Signal of genes one after the other: an array, or in its files if all of them are."""
    if not all(isinstance(signal, RecordedSignal) for signal in signals):
        return np.concatenate(signals)
    places = [signal.places.copy() for signal in signals]
    num_files = num_columns = 0
    for own, signal in zip(places, signals, strict=True):
        own[:, 0] += num_files
        own[:, 3] += num_columns
        num_files += len(signal.files)
        num_columns += len(signal.columns)
    return RecordedSignal(
        tuple(file for signal in signals for file in signal.files),
        np.concatenate(places),
        np.concatenate([signal.columns for signal in signals]),
    )


def chunks(signal: Any) -> Iterator[np.ndarray]:
    """An array as it is; signal in files in pieces, in order."""
    if isinstance(signal, np.ndarray):
        yield signal
        return
    for start in range(0, len(signal), _CHUNK):
        yield np.asarray(signal[start : start + _CHUNK])


def log_moments(signal: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of log(1 + signal) of each mark, float64 `(marks,)`.

    In pieces they are the same as at once, bit for bit, but for a single mark: NumPy adds up an
    axis that is not the last one row by row.
    """
    number = signal.shape[0] * signal.shape[1]
    mean = _total(_logarithms(chunk) for chunk in chunks(signal)) / number
    squares = (np.square(_logarithms(chunk) - mean) for chunk in chunks(signal))
    return mean, _total(squares) / number


def _logarithms(signal: np.ndarray) -> np.ndarray:
    return np.log1p(signal.astype(np.float64))


def _total(arrays: Iterator[np.ndarray]) -> np.ndarray:
    total: np.ndarray = next(arrays).sum(axis=(0, 1))
    for values in arrays:
        rows = values.reshape(-1, values.shape[-1])
        total = np.concatenate([total[np.newaxis], rows]).sum(axis=0)
    return total
