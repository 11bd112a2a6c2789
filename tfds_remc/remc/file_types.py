"""Which files hold reads, depth or peaks, and whether their content is what their name says."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from .errors import InputError

FILE_TYPES: dict[str, str] = {
    "tagalign": "tagAlign",
    "bam": "BAM",
    "bigwig": "bigWig",
    "bw": "bigWig",
    "bedgraph": "bedGraph",
    "bdg": "bedGraph",
    "narrowpeak": "narrowPeak",
    "broadpeak": "broadPeak",
}
"""What a file holds, by the suffix of its name in lower case and without ".gz"."""

READ_TYPES = ("tagAlign", "BAM")

_GZIP_MAGIC = b"\x1f\x8b"
BIGWIG_MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
_OTHER_MAGIC = {b"CRAM": "CRAM", b"\xeb\xf2\x89\x87": "bigBed", b"\x87\x89\xf2\xeb": "bigBed"}
# Every file that bgzip or samtools writes ends with this empty block (SAM specification, 4.1.2).
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class SignalFileError(InputError):
    """A file of reads, depth or peaks that cannot be used."""


def type_by_name(path: Path) -> str:
    """Returns what a file holds, one of the values of `FILE_TYPES`, by its name.

    Raises:
        SignalFileError: If the suffix is not known.
    """
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix not in FILE_TYPES:
        raise SignalFileError(
            f"Expected a name that ends in one of .{', .'.join(FILE_TYPES)}, with .gz or without. "
            f"Received: {path.name!r}. Rename the file, or say its file_type."
        )
    return FILE_TYPES[suffix]


def check_content(path: Path, file_type: str) -> None:
    """Refuses a file whose first bytes are not of its type.

    Raises:
        SignalFileError: If the content is of another type, or binary where text should be.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_GZIP_MAGIC) and file_type != "bigWig":
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(4096)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return  # Truncated: who reads on says so.
    if head.startswith(b"BAM\1"):
        content = "BAM"
    elif head.startswith(BIGWIG_MAGIC):
        content = "bigWig"
    elif head[:4] in _OTHER_MAGIC:
        content = _OTHER_MAGIC[head[:4]]
    elif head.startswith(_GZIP_MAGIC):
        content = "gzip"
    elif b"\0" in head:
        content = "binary"
    else:
        content = "text"
    expected = file_type if file_type in ("BAM", "bigWig") else "text"
    if content != expected:
        raise SignalFileError(
            f"Expected {'' if expected == file_type else f'the {expected} of '}a {file_type} file. "
            f"Received: {path.name}, whose content is {content}. Name it for what it is."
        )


def is_gzip(path: Path) -> bool:
    """Returns whether a file's content is gzip."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP_MAGIC


def require_complete_bgzf(path: Path) -> None:
    """Refuses a file of BGZF, the blocked gzip of BAM, that was cut between two blocks.

    Raises:
        SignalFileError: If the last block of a BGZF file is not the empty one. Plain gzip passes:
            it is complete if it unpacks.
    """
    with path.open("rb") as file:
        head = file.read(14)
        is_bgzf = head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"
        if is_bgzf:
            file.seek(max(0, path.stat().st_size - len(_BGZF_END)))
            if file.read() != _BGZF_END:
                raise SignalFileError(
                    f"Expected a complete BGZF file, with its empty last block. Received: "
                    f"{path.name}, truncated. Fetch or write it again."
                )


def gzip_fault(path: Path) -> str:
    """Returns what is wrong with a gzip file, "" if it unpacks and its checksums are right."""
    if not is_gzip(path):
        return "something other than gzip"
    try:
        require_complete_bgzf(path)
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    except SignalFileError:
        return "truncated BGZF"
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"damaged gzip ({str(error).rstrip('.')})"
    return ""


def bigwig_fault(path: Path) -> str:
    """Returns what is wrong with a bigWig file, "" if its magic number is at both ends."""
    with path.open("rb") as file:
        head = file.read(4)
        if head not in BIGWIG_MAGIC:
            return "something other than bigWig"
        file.seek(max(len(head), path.stat().st_size - len(head)))
        return "" if file.read() == head else "truncated bigWig"
