"""Files written whole or not at all, in the format that their names say."""

from __future__ import annotations

import errno
import fcntl
import gzip
import importlib.util
import json
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from keras_chrome.atomic import atomic_path
from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure


LOCK = ".lock"
"""The file in a directory that says that a process writes into it."""


@contextmanager
def locked(directory: Path, verb: str, option: str = "--out-dir") -> Iterator[IO[str]]:
    """A directory that one process at a time writes into, made if it is not there.

    The lock is the system's, on a file `.lock` that goes with it. It is let go whatever its process
    dies of, and a file that a killed process has left is in nobody's way. Over NFS Linux asks the
    server for it, so that it holds between hosts too; one that loses its power keeps it until the
    server's lease is over, with NFSv4 some 90 s. Mounted with `local_lock` or `nolock` it holds
    within one host.

    Args:
        directory: The directory.
        verb: What writes into it.
        option: The option that names it.

    Yields:
        The lock. A process that inherits it keeps it when this one is killed; none does by itself.

    Raises:
        InputError: If another has it.
    """
    lock = _take_lock(directory, option)
    try:
        lock.truncate(0)
        print(f"{verb} (process {os.getpid()} on {socket.gethostname()})", file=lock, flush=True)
        yield lock
    finally:
        with lock:
            if _is_at(lock, directory / LOCK):
                (directory / LOCK).unlink()


def _take_lock(directory: Path, option: str) -> IO[str]:
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            lock = (directory / LOCK).open("a+")
        except FileNotFoundError:
            continue  # Who had the directory has just removed it.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                holder = lock.read().strip() or "another"
            raise InputError(
                f"Expected no other command at work in {directory}. Received: a folder that "
                f"{holder}, or a run that it left behind, has locked; wait for it, or take another "
                f"{option}"
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                lock.close()
                raise
            print(
                f"warning: the file system of {directory} knows no locks: let no other command "
                "write into it now",
                file=sys.stderr,
            )
        # Or it has been removed, and another made, between the two.
        if _is_at(lock, directory / LOCK):
            return lock
        lock.close()


def _is_at(file: IO[str], path: Path) -> bool:
    """Whether an open file is the one that lies at a path now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON atomically, paths as text."""
    with atomic_path(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=2, default=os.fspath) + "\n", encoding="utf-8"
        )


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV atomically."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def write_netcdf(path: Path, table: xr.Dataset) -> None:
    """Write arrays over genes as NetCDF atomically, compressed."""
    compressed = {name: {"zlib": True} for name, values in table.items() if values.ndim > 1}
    # By way of memory: HDF5 does not survive a disk that fills up under it.
    content = table.to_netcdf(engine="h5netcdf", encoding=compressed)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _write_npz(path: Path, table: xr.Dataset) -> None:
    """Write arrays over genes, and what their axes are, as NumPy arrays."""
    import numpy as np

    arrays: dict[str, Any] = {str(name): v.values for name, v in table.variables.items()}
    # NumPy adds its ending to a name that has it in capitals, but not to a file's.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _long_table(table: xr.Dataset) -> Iterator[pd.DataFrame]:
    """Arrays over genes with a row a gene, mark and bin.

    In parts, since text that stands beside each of its rows takes memory.
    """
    axes = ["gene", "mark", "bin"]
    columns = [*axes, *(name for name in table.coords if name not in axes), *table]
    for start in range(0, table.sizes["gene"], _GENES_A_PART):
        part = table.isel(gene=slice(start, start + _GENES_A_PART))
        yield part.to_dataframe(dim_order=axes).reset_index()[columns]


def _write_text_table(path: Path, table: xr.Dataset) -> None:
    ending = ending_of(path, ARRAY_ENDINGS)
    separator = "\t" if ".tsv" in ending else ","
    open_: Callable[..., Any] = gzip.open if ending.endswith(".gz") else open
    with (
        atomic_path(path) as temporary,
        open_(temporary, "wt", encoding="utf-8", newline="") as file,
    ):
        for number, rows in enumerate(_long_table(table)):
            rows.to_csv(file, sep=separator, index=False, header=not number, float_format="%.6g")


def _write_parquet(path: Path, table: xr.Dataset) -> None:
    import pyarrow
    from pyarrow import parquet

    parts = (pyarrow.Table.from_pandas(rows, preserve_index=False) for rows in _long_table(table))
    with atomic_path(path) as temporary:
        first = next(parts)
        with parquet.ParquetWriter(temporary, first.schema) as writer:
            writer.write_table(first)
            for part in parts:
                writer.write_table(part)


def _write_anndata(path: Path, table: xr.Dataset) -> None:
    import io

    import anndata
    import h5py
    import pandas as pd

    def plain(text: pd.DataFrame) -> pd.DataFrame:
        # AnnData does not write the strings of pandas 3 unless told to.
        texts = [name for name in text if pd.api.types.is_string_dtype(text[name])]
        text.index = text.index.astype(object)
        return text.astype(dict.fromkeys(texts, object))

    genes = [f"{gene}" for gene in table["gene"].values]
    marks = [f"{mark}" for mark in table["mark"].values]
    sites = [(mark, bin_) for mark in marks for bin_ in table["bin"].values]
    of_genes = {
        str(name): values.values
        for name, values in table.variables.items()
        if values.dims == ("gene",) and name != "gene"
    }
    arrays = {
        str(name): values.values.reshape(len(genes), len(sites))
        for name, values in table.items()
        if values.dims == ("gene", "mark", "bin")
    }
    of_marks = {
        str(name): plain(pd.DataFrame(values.values, index=genes, columns=marks))
        for name, values in table.items()
        if values.dims == ("gene", "mark")
    }
    data = anndata.AnnData(
        X=arrays.pop("signal", None),
        obs=plain(pd.DataFrame(of_genes, index=genes)),
        var=plain(
            pd.DataFrame(sites, columns=["mark", "bin"], index=[f"{m}:{b}" for m, b in sites])
        ),
        layers=arrays,
        obsm=of_marks,
        uns={**table.attrs, "variables": {n: dict(v.attrs) for n, v in table.variables.items()}},
    )
    content = io.BytesIO()  # As NetCDF.
    with h5py.File(content, "w") as file:
        anndata.io.write_elem(file, "/", data, dataset_kwargs={"compression": "gzip"})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getbuffer())


_GENES_A_PART = 256
_ARRAY_WRITERS: dict[str, Callable[[Path, xr.Dataset], None]] = {
    ".nc": write_netcdf,
    ".npz": _write_npz,
    ".h5ad": _write_anndata,
    ".parquet": _write_parquet,
    **dict.fromkeys((".csv", ".tsv", ".csv.gz", ".tsv.gz"), _write_text_table),
}
_WRITTEN_WITH = {
    ".h5ad": ("anndata", "'keras-chrome[anndata]'"),
    ".parquet": ("pyarrow", "pyarrow"),
}
ARRAY_ENDINGS = tuple(_ARRAY_WRITERS)
"""What a file of arrays over genes may end in."""
FIGURE_ENDINGS = (".png", ".svg", ".pdf")
"""What a figure's may."""
_OTHER_ENDINGS = (".gz", ".h5", ".hdf5", ".html", ".jpg", ".jpeg", ".json", ".npy", ".txt", ".xlsx")


def ending_of(path: str | Path, endings: Collection[str]) -> str:
    """The ending of a file that a user names, which decides its format.

    Raises:
        InputError: If it is none of these.
    """
    for ending in endings:
        if str(path).lower().endswith(ending):
            return ending
    raise InputError(
        f"Expected a file that ends in {' or '.join(endings)}. Received: {str(path)!r}; name it so"
    )


def array_ending(path: str | Path) -> str:
    """The ending of a file of arrays over genes that a user names.

    Raises:
        InputError: If it is none, or what writes such a file is not installed.
    """
    ending = ending_of(path, ARRAY_ENDINGS)
    package, to_install = _WRITTEN_WITH.get(ending, (None, None))
    if package is not None and importlib.util.find_spec(package) is None:
        raise InputError(
            f"Expected {package}, which writes files that end in {ending}. Received: "
            f"{str(path)!r}, and no module {package}; install it: pip install {to_install}"
        )
    return ending


def checked_directory(path: Path) -> Path:
    """A directory to write into, which a user names.

    Raises:
        InputError: If it is a file, or is named like one.
    """
    endings = (*ARRAY_ENDINGS, *FIGURE_ENDINGS, *_OTHER_ENDINGS)
    if path.is_file() or (not path.exists() and str(path).lower().endswith(endings)):
        raise InputError(
            f"Expected a directory, for several files. Received: {str(path)!r}, the name of a "
            "file; leave out its ending"
        )
    return path


def checked_stem(path: Path) -> Path:
    """The stem of a figure's and a table's names, which a user names; or one of them alone.

    Raises:
        InputError: If it ends as another kind of file does, or is a folder.
    """
    if path.is_dir():
        raise InputError(
            f"Expected the beginning of file names. Received: {str(path)!r}, a folder; name files "
            f"in it, such as {path / 'figure'}"
        )
    own = (*FIGURE_ENDINGS, ".csv")
    if str(path).lower().endswith(tuple({*ARRAY_ENDINGS, *_OTHER_ENDINGS} - set(own))):
        ending_of(path, own)
    return path


def gene_file_name(gene: str) -> str:
    """A gene's name as part of a file's, different for different genes."""
    return quote(gene, safe="@ +")


def write_arrays(path: Path, table: xr.Dataset) -> None:
    """Write arrays over genes atomically, in the format that the ending of `path` says.

    Args:
        path: `.nc` is NetCDF; `.npz` NumPy's arrays by name; `.h5ad` an AnnData of genes x
            (mark and bin); `.parquet`, `.csv` and `.tsv`, these two also with `.gz`, a table with
            a row a gene, mark and bin.
        table: From `Study.to_xarray`.

    Raises:
        InputError: If the ending is another, or what writes such a file is not installed.
    """
    _ARRAY_WRITERS[array_ending(path)](path, table)


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure atomically, in the format that the path ends in.

    In SVG and PDF text stays text, which can be searched and edited.
    """
    import matplotlib as mpl

    with (
        atomic_path(path) as temporary,
        mpl.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}),
    ):
        figure.savefig(temporary)


def write_figure_and_table(
    stem: Path, figure: Figure, table: pd.DataFrame, **others: pd.DataFrame
) -> list[Path]:
    """Write a figure, the numbers in it, and other tables.

    Args:
        stem: Of the names `stem`.png, `stem`.svg, `stem`.csv, and `stem`-NAME.csv of the others;
            or a name that ends so, `.pdf` among them: then it is the one file that is written.
        figure: The figure.
        table: The numbers in it.
        **others: Other tables by NAME.

    Returns:
        The files.
    """
    ending = stem.suffix.lower()
    if ending in FIGURE_ENDINGS:
        write_figure(stem, figure)
        return [stem]
    if ending == ".csv":
        write_csv(stem, table)
        return [stem]
    tables = {stem.name: table, **{f"{stem.name}-{name}": t for name, t in others.items()}}
    return write_outputs(stem.parent, figures={stem.name: figure}, tables=tables)


def write_outputs(
    directory: str | Path,
    *,
    figures: Mapping[str, Figure] | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    texts: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write what was found into a directory, each file atomically.

    Figures come first: if one cannot be drawn, nothing is written.

    Args:
        directory: Where; made if it is not there.
        figures: By the stem of their names, each written as `.png` and `.svg`.
        tables: By the stem of their names, each written as `.csv`.
        texts: By their whole names.

    Returns:
        The files.
    """
    directory = Path(directory).expanduser()
    paths = []
    for stem, figure in (figures or {}).items():
        for suffix in (".png", ".svg"):
            paths.append(directory / f"{stem}{suffix}")
            write_figure(paths[-1], figure)
    for stem, table in (tables or {}).items():
        paths.append(directory / f"{stem}.csv")
        write_csv(paths[-1], table)
    for name, text in (texts or {}).items():
        paths.append(directory / name)
        with atomic_path(paths[-1]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths
