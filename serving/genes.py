"""Genes to predict, from a CSV file in the published layout or from a built dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from serving.errors import InputError

# Order of the columns of the published CSV files.
CSV_MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


class Genes(NamedTuple):
    """Gene regions and their signal.

    Attributes:
        gene_id: Text array `(genes,)`, as the input names them.
        signal: Float32 array `(genes, bins, marks)`, as measured.
        marks: Names of the marks, in the order of the last axis.
    """

    gene_id: np.ndarray
    signal: np.ndarray
    marks: tuple[str, ...]

    def with_marks(self, marks: Sequence[str]) -> "Genes":
        """The marks of that name, in that order.

        Raises:
            InputError: If a mark is missing.
        """
        missing = [mark for mark in marks if mark not in self.marks]
        if missing:
            raise InputError(
                f"Expected the marks {', '.join(marks)}. Received: {', '.join(self.marks)}, "
                f"without {', '.join(missing)}. Ask a model that was trained on these marks"
            )
        axes = [self.marks.index(mark) for mark in marks]
        return Genes(self.gene_id, self.signal[:, :, axes], tuple(marks))


def read_csv(path: str | Path, num_bins: int, marks: Sequence[str] = CSV_MARKS) -> Genes:
    """Read genes from a CSV file in the published layout.

    No header; a row a bin, the bins of a gene together and in order. Columns: gene id, bin (from
    1), a read count or depth for each mark, and, in the published files, the label, which is not
    read.

    Args:
        path: The file; may be compressed, as its ending says.
        num_bins: Number of bins that a gene must have.
        marks: Names of the marks, in the order of the columns.

    Raises:
        InputError: At the first fault, with the line and the gene; if the file cannot be read.
    """
    try:
        # Text stays text, so that a gene id keeps its zeros and a fault can be shown as it is.
        table = pd.read_csv(path, header=None, dtype=str, skip_blank_lines=False, na_filter=False)
    except (OSError, pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"Expected a CSV file in the published layout. Received: {path} ({reason})"
        ) from error
    if table.shape[1] - len(marks) not in (2, 3):
        raise InputError(
            f"Expected {2 + len(marks)} columns (gene id, bin, {', '.join(marks)}), or one more "
            f"with the label. Received: {path}: {table.shape[1]} columns"
        )
    gene_id = table[0].to_numpy(dtype=str)
    _check_bins(path, gene_id, table[1].to_numpy(dtype=str), num_bins)
    values = [_numbers(path, gene_id, table[2 + i], mark) for i, mark in enumerate(marks)]
    signal = np.stack(values, axis=-1).reshape(-1, num_bins, len(marks))
    return Genes(gene_id[::num_bins], signal, tuple(marks))


def _check_bins(path: str | Path, gene_id: np.ndarray, bins: np.ndarray, num_bins: int) -> None:
    rows = np.arange(len(gene_id))
    first_row = rows - rows % num_bins
    expected = (rows % num_bins + 1).astype(str)
    faults = np.flatnonzero((bins != expected) | (gene_id != gene_id[first_row]) | (gene_id == ""))
    if len(faults):
        row = faults[0]
        raise InputError(
            f"Expected bin {expected[row]} of gene {gene_id[first_row[row]]}, {num_bins} bins a "
            f"gene. Received: {path}, line {row + 1}: gene {gene_id[row]}, bin={bins[row]}"
        )
    if len(gene_id) % num_bins:
        raise InputError(
            f"Expected {num_bins} bins a gene. Received: {path}, line {len(gene_id)}: the file "
            f"ends at bin {bins[-1]} of gene {gene_id[-1]}"
        )


def _numbers(path: str | Path, gene_id: np.ndarray, column: pd.Series, mark: str) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float32)
    faults = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if len(faults):
        row = faults[0]
        raise InputError(
            f"Expected a read count or depth, a number that is not negative. Received: {path}, "
            f"line {row + 1}, gene {gene_id[row]}: {mark}={column.iloc[row]!r}"
        )
    return numbers


def read_dataset(
    dataset_dir: str | Path, split: str, agreeing_with: Mapping[str, Any] | None = None
) -> Genes:
    """Read genes from a built dataset.

    Args:
        dataset_dir: Its version folder, which holds `dataset_info.json`.
        split: Name of a split.
        agreeing_with: Metadata that the dataset must have, such as `bin_bp`.

    Raises:
        InputError: If there is no such dataset or split, or its metadata differ.
    """
    dataset_dir = Path(dataset_dir)
    if not (dataset_dir / "dataset_info.json").is_file():
        raise InputError(
            "Expected the version folder of a built dataset, which holds dataset_info.json. "
            f"Received: dataset_dir={dataset_dir}. Build one: tfds build remc"
        )
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(dataset_dir)
    metadata = builder.info.metadata
    if not metadata or "marks" not in metadata:
        raise InputError(
            f"Expected a dataset whose metadata name its marks. Received: dataset_dir={dataset_dir}"
        )
    if split not in builder.info.splits:
        raise InputError(
            f"Expected one of the splits {', '.join(builder.info.splits)}. Received: split={split}"
        )
    for key, expected in (agreeing_with or {}).items():
        if metadata.get(key) != expected:
            raise InputError(
                f"Expected {key}={expected}, on which the model was trained. Received: "
                f"{key}={metadata.get(key)} in {dataset_dir}"
            )
    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        examples = list(builder.as_data_source(split))
    else:
        examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
    if not examples:
        raise InputError(f"Expected genes. Received: an empty split={split} of {dataset_dir}")
    return Genes(
        np.array([example["gene_id"] for example in examples]).astype(str),
        np.stack([example["signal"] for example in examples]),
        tuple(metadata["marks"]),
    )
