"""Files of genome tracks: bigWig, BED, bigBed and chromosome sizes.

Formats: https://genome.ucsc.edu/FAQ/FAQformat.html. Kent et al., BigWig and BigBed, Bioinformatics
26:2204, 2010, whose supplement has the layout of the binary files.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pybigtools

from keras_chrome.atomic import atomic_path
from keras_chrome.errors import InputError
from keras_chrome.figures.palette import mark_colour
from keras_chrome.tracks.layout import GenomeLayout

if TYPE_CHECKING:
    import pandas as pd

_BED_FIELDS = 9
_SIZE = re.compile("[0-9]{1,10}")
_AUTOSQL = """\
table topBins
"Bins on which the predictions of genes rest most"
    (
    string  chrom;       "Chromosome"
    uint    chromStart;  "Start of the bin, 0-based"
    uint    chromEnd;    "End of the bin, not included"
    string  name;        "Gene, mark and rank"
    uint    score;       "Top bins of a thousand that have no more importance"
    char[1] strand;      "Strand of the gene"
    uint    thickStart;  "As chromStart"
    uint    thickEnd;    "As chromEnd"
    uint    reserved;    "Colour of the mark"
    string  geneId;      "Ensembl id of the gene"
    string  symbol;      "Symbol of the gene"
    string  mark;        "Histone mark"
    uint    rank;        "Place among the bins of the gene and mark, by size of the importance"
    float   importance;  "Importance"
    )
"""


def rgb(colour: str) -> str:
    """A colour `#0072B2` as browsers of genomes want it: `0,114,178`."""
    return ",".join(map(str, bytes.fromhex(colour.removeprefix("#"))))


def read_chrom_sizes(path: str | Path) -> dict[str, int]:
    """Read chromosome sizes in bp: a name and a size a line, as UCSC's `hg19.chrom.sizes`.

    Raises:
        InputError: If a line is something else, a name stands twice, or there is none.
    """
    path = Path(path).expanduser()
    sizes: dict[str, int] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split()
            if len(fields) < 2 or not _SIZE.fullmatch(fields[1]) or fields[0] in sizes:
                raise InputError(
                    "Expected a chromosome and its size in bp, each chromosome once. Received: "
                    f"{path}, line {number}: {line.strip()[:200]!r}"
                )
            sizes[fields[0]] = int(fields[1])
    if not sizes:
        raise InputError(f"Expected chromosomes and their sizes. Received: {path}, which has none")
    return sizes


def write_chrom_sizes(path: Path, sizes: Mapping[str, int]) -> None:
    """Write chromosome sizes atomically, as `read_chrom_sizes` reads them."""
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{name}\t{size}\n" for name, size in sizes.items()))


def write_bigwig(
    path: Path, layout: GenomeLayout, values: np.ndarray, chrom_sizes: Mapping[str, int]
) -> None:
    """Write one value a piece as bigWig, atomically.

    Args:
        path: The file.
        layout: The pieces.
        values: float32 `(pieces,)`.
        chrom_sizes: Sizes of the layout's chromosomes in bp.

    Raises:
        OSError: If the file cannot be written whole.
    """
    columns = (layout.chrom, layout.start, layout.end, values)
    records = zip(*(column.tolist() for column in columns), strict=True)
    with atomic_path(path) as temporary:
        _write(temporary, chrom_sizes, records)
        with _opened(temporary) as bigwig:
            covered = bigwig.info()["summary"]["basesCovered"]
        if covered != (expected := int((layout.end - layout.start).sum())):
            raise _not_whole(temporary, f"{expected} bases", f"{covered}")


def write_bed(path: Path, bins: pd.DataFrame) -> None:
    """Write top bins as BED9+5, atomically.

    The nine fields of BED, in the colour of the mark and with the name `gene:mark:rank`, then gene
    id, symbol, mark, rank and importance; '.' stands for what is unknown.

    Args:
        path: The file.
        bins: From `top_bins`.
    """
    with atomic_path(path) as temporary, temporary.open("w") as file:
        file.writelines("\t".join(map(str, record)) + "\n" for record in _bed_records(bins))


def write_bigbed(path: Path, bins: pd.DataFrame, chrom_sizes: Mapping[str, int]) -> None:
    """Write what `write_bed` writes as bigBed, which a track hub needs, atomically.

    Args:
        path: The file.
        bins: From `top_bins`, at least one.
        chrom_sizes: Sizes of their chromosomes in bp.

    Raises:
        OSError: If the file cannot be written whole.
    """
    records = (
        (chrom, start, end, "\t".join(map(str, rest)))
        for chrom, start, end, *rest in _bed_records(bins)
    )
    with atomic_path(path) as temporary:
        _write(temporary, chrom_sizes, records)
        _declare_fields(temporary)
        with _opened(temporary) as bigbed:
            found = sum(len(list(bigbed.records(chrom))) for chrom in bins["chrom"].unique())
        if found != len(bins):
            raise _not_whole(temporary, f"{len(bins)} bins", f"{found}")


def _bed_records(bins: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    columns = (*("chrom", "start", "end", "score", "strand"), *("gene_id", "symbol", "mark"))
    rows = (bins[name].tolist() for name in (*columns, "rank", "importance"))
    for chrom, start, end, score, strand, gene_id, symbol, mark, rank, importance in zip(
        *rows, strict=True
    ):
        name, colour = f"{symbol or gene_id}:{mark}:{rank}", rgb(mark_colour(mark))
        bed = (chrom, start, end, name, score, strand or ".", start, end, colour)
        yield (*bed, gene_id, symbol or ".", mark, rank, f"{importance:.9g}")


def _write(path: Path, chrom_sizes: Mapping[str, int], records: Iterable[tuple[Any, ...]]) -> None:
    try:
        with _alone(path.parent):
            pybigtools.open(str(path), "w").write(dict(chrom_sizes), records)
    except BaseException as error:
        # What pybigtools makes of a full disk: no class that could be named, and no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise _not_whole(path, "room, and open files (ulimit -n 1024)", str(error)) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let native code write what it needs meanwhile into a folder, and nothing to standard error.

    It has many lines for a panic, of which the exception says what matters.
    """
    given, standard_error = os.environ.get("TMPDIR"), os.dup(2)
    os.environ["TMPDIR"] = str(folder)
    try:
        with Path(os.devnull).open("w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        del os.environ["TMPDIR"]
        if given is not None:
            os.environ["TMPDIR"] = given


def _opened(path: Path) -> Any:
    """What has been written, open: pybigtools prints what goes wrong, but does not raise it."""
    with path.open("rb") as file:
        if not file.read(4).strip(b"\0"):
            raise _not_whole(path, "to have written a whole file", "one without a header")
    try:
        return pybigtools.open(str(path))
    except pybigtools.BBIReadError as error:
        raise _not_whole(path, "to have written a whole file", str(error)) from None


def _not_whole(path: Path, expected: str, received: str) -> OSError:
    """The error, to which `atomic_path` adds the file; it needs a number to print the rest.

    Raises:
        OSError: If the system itself says what it refuses, such as a full disk.
    """
    with path.open("ab") as file:
        file.write(bytes(1 << 16))
    return OSError(errno.EIO, f"Expected {expected}. Received: {received}")


def _declare_fields(path: Path) -> None:
    """Say in a bigBed file's header what its fields are.

    pybigtools 0.3 declares three, whatever it writes, and UCSC's browser believes it.
    """
    with path.open("r+b") as file:
        magic = file.read(4)
        autosql_at = file.seek(0, 2)
        file.write(_AUTOSQL.encode() + b"\0" + magic)
        # fieldCount, definedFieldCount and autoSqlOffset.
        file.seek(32)
        file.write(struct.pack("<HHQ", _AUTOSQL.count(";"), _BED_FIELDS, autosql_at))
