"""Which files hold reads, depth or peaks, and whether their content is what their name says."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

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
_OTHER_MAGIC = {
    b"CRAM": "CRAM",
    b"\xeb\xf2\x89\x87": "bigBed",
    b"\x87\x89\xf2\xeb": "bigBed",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\3\4": "zip",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_TO_BAM = "Write it as BAM: samtools view -b -o NAME.bam {name}."
_REMEDY = {
    "CRAM": _TO_BAM,
    "SAM": _TO_BAM,
    "bigBed": "Unpack it: bigBedToBed {name} NAME.narrowPeak, or .broadPeak.",
    "wiggle": "Convert it: wigToBigWig {name} CHROM.SIZES NAME.bigWig.",
    "gzip": "Unpack it: gunzip.",
    "bzip2": "Unpack it: bunzip2.",
    "xz": "Unpack it: unxz.",
    "zip": "Unpack it: unzip.",
    "UTF-16": "Save it as UTF-8.",
}
_OTHER_SUFFIXES = {
    "cram": "CRAM",
    "sam": "SAM",
    "bigbed": "bigBed",
    "bb": "bigBed",
    "wig": "wiggle",
    "bz2": "bzip2",
    "xz": "xz",
    "zip": "zip",
}
# Every file that bgzip or samtools writes ends with this empty block (SAM specification, 4.1.2).
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


NOT_NEGATIVE = (
    "Signal is never negative: give the fold change or -log10 of p, no log ratio and no difference."
)
"""The remedy for signal below 0."""


class SignalFileError(InputError):
    """A file of reads, depth or peaks that cannot be used."""


class SignalFile(NamedTuple):
    """A file, and what it is said to hold.

    Attributes:
        path: The file.
        file_type: One of the values of `FILE_TYPES`; None to tell it by the file's name.
    """

    path: Path
    file_type: str | None = None

    @property
    def is_told(self) -> bool:
        """Whether it is known what the file holds."""
        return self.file_type is not None or _suffix(self.path) in FILE_TYPES

    def type(self) -> str:
        """Returns what the file holds.

        Raises:
            SignalFileError: If neither says it.
        """
        return self.file_type or type_by_name(self.path)


def _suffix(path: Path) -> str:
    """The last part of a file's name in lower case, ".gz" aside."""
    return path.name.lower().removesuffix(".gz").rpartition(".")[2]


def type_by_name(path: Path) -> str:
    """Returns what a file holds, one of the values of `FILE_TYPES`, by its name.

    Raises:
        SignalFileError: If the suffix is not known.
    """
    suffix = _suffix(path)
    if suffix in FILE_TYPES:
        return FILE_TYPES[suffix]
    remedy = "Rename it, or say what it holds in the column file_type of the sample sheet."
    if other := _OTHER_SUFFIXES.get(suffix):
        remedy = _REMEDY[other].format(name=path.name)
    raise SignalFileError(
        f"Expected a name that ends in one of .{', .'.join(FILE_TYPES)}, with .gz or without. "
        f"Received: {path.name!r}. {remedy}"
    )


def check_content(path: Path, file_type: str) -> None:
    """Refuses a file whose first bytes are not of its type.

    Raises:
        SignalFileError: If the file is empty, or its content of another type, or binary where text
            should be. Also if it is a pipe or a device, which cannot be read twice.
    """
    if path.exists() and not path.is_file():
        raise SignalFileError(
            f"Expected a file of the {file_type} format. Received: {path.name}, which is a folder, "
            "pipe or device. Write it to a file."
        )
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_GZIP_MAGIC) and file_type != "bigWig":
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(4096)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return  # Truncated: who reads on says so.
    if not head:
        raise SignalFileError(
            f"Expected a {file_type} file. Received: {path.name}, which is empty. Fetch or write "
            "it again."
        )
    content = _content(head)
    expected = file_type if file_type in ("BAM", "bigWig") else "text"
    if content != expected:
        remedy = _REMEDY.get(content, "Name it for what it is.").format(name=path.name)
        raise SignalFileError(
            f"Expected {'' if expected == file_type else f'the {expected} of '}a {file_type} file. "
            f"Received: {path.name}, whose content is {content}. {remedy}"
        )


def _content(head: bytes) -> str:
    """What a file holds, by its first bytes."""
    if head.startswith(b"BAM\1"):
        return "BAM"
    if head.startswith(BIGWIG_MAGIC):
        return "bigWig"
    for magic, content in _OTHER_MAGIC.items():
        if head.startswith(magic):
            return content
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    return "binary" if b"\0" in head else "text"


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
