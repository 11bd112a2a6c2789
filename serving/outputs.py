"""Writing predictions into a file, as they come, in the format that its name says.

All of a file is written, or nothing: it is made in a hidden folder and takes its place at the end.
"""

import gzip
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from serving.atomic import atomic_path
from serving.description import ModelDescription
from serving.errors import InputError
from serving.predictions import Prediction, Saliency, join, to_table, to_xarray

# What takes the predictions of a file, and a saliency of the same genes where it was asked for.
Write = Callable[[Prediction, Saliency | None], None]
# Opened for one model; the file appears when it is closed without an error.
Output = Callable[[ModelDescription], AbstractContextManager[Write]]

_SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
_NETCDF = ".nc"
_PARQUET = ".parquet"


def output_to(path: str | Path | None, *, saliency: bool = False) -> Output:
    """What writes predictions into a file: CSV, TSV (both also with `.gz`), Parquet or NetCDF.

    CSV and Parquet have a row a gene (`to_table`) and are written as predictions come; NetCDF has
    attention and saliency too (`to_xarray`) and is held in memory until all are there.

    Args:
        path: The file, whose ending names the format; by default standard output, as CSV.
        saliency: Whether there will be saliencies to write.

    Raises:
        InputError: If the format is not known, cannot hold saliency or needs a package that is
            missing, or the folder is not there.
    """
    if path is not None:
        path = Path(path)
        if not path.absolute().parent.is_dir():
            raise InputError(f"Expected a file in a folder that exists. Received: {path}")
        if path.name.endswith(_NETCDF):
            return partial(_netcdf, path)
    if saliency:
        raise InputError(
            f"Expected a file {_NETCDF} (NetCDF) for the saliency. Received: {path}, which has one "
            "row a gene. Name another with --out"
        )
    if path is None:
        return partial(_text, None, ",")
    for suffix, separator in _SEPARATORS.items():
        if path.name.endswith(suffix):
            return partial(_text, path, separator)
    if path.name.endswith(_PARQUET):
        if importlib.util.find_spec("pyarrow") is None:
            raise InputError(
                f"Expected pyarrow, which writes Parquet. Received: {path}, and no module pyarrow. "
                "Install it: pip install pyarrow"
            )
        return partial(_parquet, path)
    raise InputError(
        f"Expected a file that ends in one of {', '.join(_SEPARATORS)}, {_PARQUET}, {_NETCDF}. "
        f"Received: {path}"
    )


@contextmanager
def _text(path: Path | None, separator: str, description: ModelDescription) -> Iterator[Write]:
    with _open_text(path) as file:
        is_first = True

        def write(prediction: Prediction, _: Saliency | None) -> None:
            nonlocal is_first
            table = to_table(prediction, description.marks)
            table.to_csv(file, sep=separator, header=is_first, index=False, float_format="%.6g")
            is_first = False

        yield write


@contextmanager
def _open_text(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    open_: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with (
        atomic_path(path) as temporary,
        open_(temporary, "wt", encoding="utf-8", newline="") as file,
    ):
        yield file


@contextmanager
def _parquet(path: Path, description: ModelDescription) -> Iterator[Write]:
    import pyarrow
    from pyarrow import parquet

    with atomic_path(path) as temporary:
        writer = None
        try:

            def write(prediction: Prediction, _: Saliency | None) -> None:
                nonlocal writer
                frame = to_table(prediction, description.marks)
                table = pyarrow.Table.from_pandas(frame, preserve_index=False)
                writer = writer or parquet.ParquetWriter(temporary, table.schema)
                writer.write_table(table)

            yield write
        finally:
            if writer is not None:
                writer.close()


@contextmanager
def _netcdf(path: Path, description: ModelDescription) -> Iterator[Write]:
    predictions: list[Prediction] = []
    saliencies: list[Saliency] = []

    def write(prediction: Prediction, saliency: Saliency | None) -> None:
        predictions.append(prediction)
        if saliency is not None:
            saliencies.append(saliency)

    yield write
    saliency = join(saliencies) if saliencies else None
    dataset = to_xarray(description, join(predictions), saliency)
    packed = {name: {"zlib": True} for name, values in dataset.items() if values.ndim > 1}
    # By way of memory: HDF5 does not survive a disk that fills up under it.
    content = dataset.to_netcdf(engine="h5netcdf", encoding=packed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
