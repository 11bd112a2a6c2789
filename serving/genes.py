"""Genes to predict, from a CSV file in the published layout, a built dataset or a NumPy file.

All are read in chunks, so that no file has to fit in memory.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile, is_zipfile

import numpy as np

from serving.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Order of the columns of the published CSV files.
CSV_MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
# 2 MB of 100 bins and 5 marks.
CHUNK_GENES = 1024


class Genes(NamedTuple):
    """Gene regions and their signal.

    Attributes:
        gene_id: Text array `(genes,)`, as the input names them.
        signal: Floating-point array `(genes, bins, marks)`, as measured.
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
    """All genes that `iter_csv` reads."""
    return _join(iter_csv(path, num_bins, marks))


def _join(chunks: Iterable[Genes]) -> Genes:
    gene_id, signal, marks = zip(*chunks, strict=True)
    return Genes(np.concatenate(gene_id), np.concatenate(signal), marks[0])


def iter_csv(
    path: str | Path,
    num_bins: int,
    marks: Sequence[str] = CSV_MARKS,
    chunk_genes: int = CHUNK_GENES,
) -> Iterator[Genes]:
    """Read genes from a CSV file in the published layout.

    No header; a row a bin, the bins of a gene together and in order. Columns: gene id, bin (from
    1), a read count or depth for each mark, and, in the published files, the label, which is not
    read.

    Args:
        path: The file; may be compressed, as its ending says.
        num_bins: Number of bins that a gene must have.
        marks: Names of the marks, in the order of the columns.
        chunk_genes: Most genes at a time.

    Raises:
        InputError: At the first fault, with the line and the gene; if the file cannot be read.
    """
    import pandas as pd

    first_row = 0
    try:
        # Text stays text, so that a gene id keeps its zeros and a fault can be shown as it is.
        with pd.read_csv(
            path,
            header=None,
            dtype=str,
            skip_blank_lines=False,
            na_filter=False,
            chunksize=chunk_genes * num_bins,
        ) as tables:
            for table in tables:
                yield _read_rows(path, table, first_row, num_bins, marks)
                first_row += len(table)
    except (
        OSError,
        EOFError,
        zlib.error,
        pd.errors.EmptyDataError,
        pd.errors.ParserError,
        UnicodeDecodeError,
    ) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"Expected a CSV file in the published layout. Received: {path} ({reason})"
        ) from error


def _read_rows(
    path: str | Path, table: "pd.DataFrame", first_row: int, num_bins: int, marks: Sequence[str]
) -> Genes:
    if table.shape[1] - len(marks) not in (2, 3):
        raise InputError(
            f"Expected {2 + len(marks)} columns (gene id, bin, {', '.join(marks)}), or one more "
            f"with the label. Received: {path}: {table.shape[1]} columns"
        )
    gene_id = table[0].to_numpy(dtype=str)
    _check_bins(path, first_row, gene_id, table[1].to_numpy(dtype=str), num_bins)
    values = [
        _numbers(path, first_row, gene_id, table[2 + i], mark) for i, mark in enumerate(marks)
    ]
    signal = np.stack(values, axis=-1).reshape(-1, num_bins, len(marks))
    return Genes(gene_id[::num_bins], signal, tuple(marks))


def _check_bins(
    path: str | Path, first_row: int, gene_id: np.ndarray, bins: np.ndarray, num_bins: int
) -> None:
    rows = np.arange(len(gene_id))
    gene_row = rows - rows % num_bins
    expected = (rows % num_bins + 1).astype(str)
    faults = np.flatnonzero((bins != expected) | (gene_id != gene_id[gene_row]) | (gene_id == ""))
    if len(faults):
        row = faults[0]
        raise InputError(
            f"Expected bin {expected[row]} of gene {gene_id[gene_row[row]]}, {num_bins} bins a "
            f"gene. Received: {path}, line {first_row + row + 1}: gene {gene_id[row]}, "
            f"bin={bins[row]}"
        )
    if len(gene_id) % num_bins:
        raise InputError(
            f"Expected {num_bins} bins a gene. Received: {path}, line {first_row + len(gene_id)}: "
            f"the file ends at bin {bins[-1]} of gene {gene_id[-1]}"
        )


def _numbers(
    path: str | Path, first_row: int, gene_id: np.ndarray, column: "pd.Series", mark: str
) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float32)
    faults = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0)))
    if len(faults):
        row = faults[0]
        raise InputError(
            f"Expected a read count or depth, a number that is not negative. Received: {path}, "
            f"line {first_row + row + 1}, gene {gene_id[row]}: {mark}={column.iloc[row]!r}"
        )
    return numbers


def open_dataset(dataset: str | Path, data_dir: str | Path | None = None) -> Any:
    """The builder, of tensorflow-datasets, of a built dataset.

    Args:
        dataset: Its name, such as `remc/E012`, of which the highest version is taken; or the
            folder of its version, which holds `dataset_info.json`.
        data_dir: Where datasets were built; the default of tensorflow-datasets if None.

    Raises:
        InputError: If there is no such dataset, or its metadata do not name its marks.
    """
    import tensorflow_datasets as tfds

    folder = Path(dataset)
    if not (folder / "dataset_info.json").is_file():
        root = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
        versions = sorted(
            (path.parent for path in (root / dataset).glob("*/dataset_info.json")),
            key=lambda path: [int(part) for part in path.name.split(".") if part.isdecimal()],
        )
        if not versions:
            raise InputError(
                "Expected a built dataset: its name, or the folder of its version, which holds "
                f"dataset_info.json. Received: dataset={dataset}, data_dir={root}. Build it: tfds "
                f"build remc --config {folder.name} --data_dir {root}"
            )
        folder = versions[-1]
    builder = tfds.builder_from_directory(folder)
    if "marks" not in (builder.info.metadata or {}):
        raise InputError(f"Expected a dataset whose metadata name its marks. Received: {folder}")
    return builder


def examples_of(builder: Any, split: str) -> Iterator[Mapping[str, Any]]:
    """The examples of a split as NumPy arrays, whatever the format of its files."""
    import tensorflow_datasets as tfds

    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        return iter(builder.as_data_source(split))
    return iter(tfds.as_numpy(builder.as_dataset(split=split)))


def iter_dataset(
    dataset: str | Path,
    split: str,
    agreeing_with: Mapping[str, Any] | None = None,
    chunk_genes: int = CHUNK_GENES,
    data_dir: str | Path | None = None,
) -> Iterator[Genes]:
    """Read genes from a built dataset.

    Args:
        dataset: As in `open_dataset`.
        split: Name of a split.
        agreeing_with: Metadata that the dataset must have, such as `bin_bp`.
        chunk_genes: Most genes at a time.
        data_dir: As in `open_dataset`.

    Raises:
        InputError: If there is no such dataset or split, or its metadata differ.
    """
    builder = open_dataset(dataset, data_dir)
    metadata = builder.info.metadata
    if split not in builder.info.splits:
        raise InputError(
            f"Expected one of the splits {', '.join(builder.info.splits)}. Received: split={split}"
        )
    for key, expected in (agreeing_with or {}).items():
        if metadata.get(key) != expected:
            raise InputError(
                f"Expected {key}={expected}, on which the model was trained. Received: "
                f"{key}={metadata.get(key)} in {dataset}"
            )
    if not builder.info.splits[split].num_examples:
        raise InputError(f"Expected genes. Received: an empty split={split} of {dataset}")
    examples = examples_of(builder, split)
    while chunk := list(islice(examples, chunk_genes)):
        yield Genes(
            np.array([example["gene_id"] for example in chunk]).astype(str),
            np.stack([example["signal"] for example in chunk]),
            tuple(metadata["marks"]),
        )


def iter_numpy(
    path: str | Path, marks: Sequence[str] | None = None, chunk_genes: int = CHUNK_GENES
) -> Iterator[Genes]:
    """Read genes from a file of NumPy arrays.

    Args:
        path: An NPY file with the signal, floating-point `(genes, bins, marks)`; or an NPZ file
            with the arrays `signal`, `marks` and, if the genes have names, `gene_id`. Genes
            without names are called by their number, from 0.
        marks: Names of the marks, in the order of the last axis: of an NPY file, which has none.
        chunk_genes: Most genes at a time.

    Raises:
        InputError: If the file cannot be read or is not laid out so, or marks are missing or given
            twice.
    """
    try:
        if is_zipfile(path):
            with np.load(path, allow_pickle=False) as file:
                arrays = dict(file)
        else:
            # What is not read takes no memory.
            arrays = {"signal": np.lib.format.open_memmap(path, mode="r")}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"Expected arrays in an NPY or NPZ file. Received: {path} ({reason})"
        ) from error
    if marks is not None:
        if "marks" in arrays:
            raise InputError(f"Expected the marks once. Received: --marks, and marks in {path}")
        arrays["marks"] = np.array(marks)
    missing = [name for name in ("signal", "marks") if name not in arrays]
    if missing:
        raise InputError(
            "Expected the arrays signal and marks. Received: "
            f"{path}, without {', '.join(missing)}. Name the marks of an NPY file with --marks"
        )
    signal, names = np.atleast_1d(arrays["signal"]), tuple(map(str, np.ravel(arrays["marks"])))
    gene_id = arrays["gene_id"] if "gene_id" in arrays else np.arange(len(signal))
    if signal.ndim != 3 or signal.shape[2] != len(names) or gene_id.shape != signal.shape[:1]:
        raise InputError(
            "Expected signal (genes, bins, marks), a mark's name for each of its last axis and a "
            f"gene_id for each of its first. Received: {path}: signal {signal.shape}, "
            f"{len(names)} marks, gene_id {gene_id.shape}"
        )
    if not len(signal):
        raise InputError(f"Expected genes. Received: {path}, whose signal is {signal.shape}")
    for start in range(0, len(signal), chunk_genes):
        part = slice(start, start + chunk_genes)
        yield Genes(gene_id[part].astype(str), signal[part], names)
