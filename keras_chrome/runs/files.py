"""Files written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

FIGURE_FORMATS = ("png", "svg", "pdf")
"""What a figure can be written as, by the ending of its file's name."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` which takes its place once the block is done.

    The suffix stays, since Keras and Matplotlib choose the format by it. If the block fails,
    nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        # A full disk does not say by itself which one it is.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON atomically, paths as text."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, default=os.fspath) + "\n")


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
            temporary.write_text(text)
    return paths
