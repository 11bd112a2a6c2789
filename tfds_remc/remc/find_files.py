"""Finds the files that a dataset is built from: on disk first, then on the network."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import resource

from .downloads import (
    DownloadError,
    RemoteFile,
    ask,
    download,
    num_missing_bytes,
    require_space,
)
from .errors import InputError, require_known
from .file_types import bigwig_fault, gzip_fault

ARCHIVE = "data.tar.gz"
RPKM_TABLE = "57epigenomes.RPKM.pc.gz"
GENE_INFO = "Ensembl_v65.Gencode_v10.ENSG.gene_info"
GENES_TSV = "genes.tsv"

_ROADMAP = "https://egg2.wustl.edu/roadmap/data"
_ROADMAP_EXPRESSION = f"{_ROADMAP}/byDataType/rna/expression"
URLS = {
    ARCHIVE: "https://zenodo.org/records/2652278/files/data.tar.gz",
    RPKM_TABLE: f"{_ROADMAP_EXPRESSION}/{RPKM_TABLE}",
    GENE_INFO: f"{_ROADMAP_EXPRESSION}/{GENE_INFO}",
}
_STAND_INS = {name: name for name in URLS} | {GENE_INFO: f"{GENES_TSV} (or {GENE_INFO})"}


class MissingFileError(InputError):
    """A file that is neither in manual_dir nor to be had from the network."""


class AmbiguousFileError(InputError):
    """A file that is in manual_dir more than once."""


@dataclasses.dataclass(frozen=True)
class SignalFiles:
    """Files of one kind, one for each epigenome and mark.

    Attributes:
        folder_url: Where they are.
        suffix: Of their names, which are EPIGENOME-MARK.SUFFIX.
        find_fault: Returns what is wrong with a downloaded file, "" if nothing is.
    """

    folder_url: str
    suffix: str
    find_fault: Callable[[Path], str]


_ROADMAP_TRACKS = f"{_ROADMAP}/byFileType/signal/consolidated/macs2signal"
SIGNAL_FILES = {
    "alignments": SignalFiles(
        f"{_ROADMAP}/byFileType/alignments/consolidated", "tagAlign.gz", gzip_fault
    ),
    "fold_change": SignalFiles(f"{_ROADMAP_TRACKS}/foldChange", "fc.signal.bigwig", bigwig_fault),
    "p_value": SignalFiles(f"{_ROADMAP_TRACKS}/pval", "pval.signal.bigwig", bigwig_fault),
}
"""Roadmap's consolidated reads, and its two tracks of them against control, by kind.

No checksums of them are known.
"""


@dataclasses.dataclass(frozen=True)
class PublishedFiles:
    """Where the files are.

    Attributes:
        rpkm_table: Expression.
        gene_table: genes.tsv or Roadmap's gene_info.
        archive: The published archive, or the unpacked folder of the epigenome; None if not asked
            for.
    """

    rpkm_table: Path
    gene_table: Path
    archive: Path | None = None


def find_published_files(
    download_manager: tfds.download.DownloadManager,
    manual_dir: Path | None,
    folder: str | None = None,
) -> PublishedFiles:
    """Finds the files in `manual_dir`, and downloads those that are not there.

    Args:
        download_manager: Of the build.
        manual_dir: Folder of files that were fetched by hand.
        folder: Name of the epigenome's folder in the archive, "E003"; None if the archive is not
            needed.

    Raises:
        MissingFileError: If a file is not in `manual_dir` and its host does not answer. This
            takes seconds: TFDS itself would retry for minutes.
    """
    needed = [name for name in URLS if name != ARCHIVE or folder]
    found = {} if manual_dir is None else _find_in(manual_dir, folder)
    missing = {name: URLS[name] for name in needed if name not in found}
    for name, url in missing.items():
        if not _is_cached(download_manager, url):
            try:
                ask(url)
            except DownloadError as error:
                stand_ins = {name: _STAND_INS[name] for name in missing}
                raise _not_found(name, url, error, stand_ins) from error
    if missing:
        downloaded = download_manager.download(missing)
        found |= {name: Path(path) for name, path in downloaded.items()}
    return PublishedFiles(found[RPKM_TABLE], found[GENE_INFO], found[ARCHIVE] if folder else None)


def find_signal_files(
    kind: str,
    epigenome: str,
    marks: Sequence[str],
    *,
    manual_dir: Path | None,
    download_dir: Path,
) -> dict[str, Path]:
    """Finds Roadmap's signal files in `manual_dir`, and downloads those that are not there.

    A file is looked for in `manual_dir` and in the folders directly inside it, under the name that
    Roadmap gives it or, unpacked, under that name without ".gz". Those found there are not checked:
    who reads them does that.

    Args:
        kind: One of `SIGNAL_FILES`.
        epigenome: Roadmap id, "E003".
        marks: Names of the marks; "Input" is the control.
        manual_dir: Folder of files that were fetched by hand.
        download_dir: Folder of the downloads. A download that was cut off is continued there.

    Returns:
        The file of each mark.

    Raises:
        InputError: If the kind is unknown.
        AmbiguousFileError: If a file is in two folders of `manual_dir`.
        MissingFileError: If a file is not in `manual_dir` and cannot be downloaded. All files
            are asked for before the first is downloaded.
        DiskSpaceError: If the disk of `download_dir` cannot hold all of them.
    """
    require_known("kind", kind, SIGNAL_FILES)
    files = SIGNAL_FILES[kind]
    names = {mark: f"{epigenome}-{mark}.{files.suffix}" for mark in marks}
    found: dict[str, Path] = {}
    for name in names.values():
        if path := _find_signal_file(name, manual_dir):
            found[name] = path
        elif (download_dir / name).exists():
            found[name] = download_dir / name
    urls = {name: f"{files.folder_url}/{name}" for name in names.values() if name not in found}
    if urls:
        found |= _download_all(urls, download_dir, files.find_fault)
    return {mark: found[name] for mark, name in names.items()}


def fingerprint(path: Path) -> dict[str, int | str]:
    """Returns the size in bytes and the MD5 of a file."""
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return {"bytes": path.stat().st_size, "md5": md5}


def _find_in(manual_dir: Path, folder: str | None) -> dict[str, Path]:
    unpacked = manual_dir.rglob(f"{folder}/classification/train.csv") if folder else ()
    candidates = {
        # An unpacked folder is there on purpose, so it goes before the archive.
        ARCHIVE: [*(path.parents[1] for path in unpacked), manual_dir / ARCHIVE],
        RPKM_TABLE: [manual_dir / RPKM_TABLE],
        GENE_INFO: [manual_dir / GENE_INFO, manual_dir / GENES_TSV],
    }
    present = {
        name: [path for path in paths if path.exists()] for name, paths in candidates.items()
    }
    return {name: paths[0] for name, paths in present.items() if paths}


def _is_cached(download_manager: tfds.download.DownloadManager, url: str) -> bool:
    downloads = Path(download_manager.download_dir)
    return any(
        resource.is_locally_cached(path) for path in downloads.rglob(resource.get_dl_fname(url))
    )


def _find_signal_file(name: str, manual_dir: Path | None) -> Path | None:
    if manual_dir is None:
        return None
    unpacked = name.removesuffix(".gz")
    for pattern in (name, unpacked, f"*/{name}", f"*/{unpacked}"):
        paths = sorted(manual_dir.glob(pattern))
        if len(paths) > 1:
            raise AmbiguousFileError(
                f"Expected {paths[0].name} in one folder of manual_dir. Received: "
                f"{', '.join(map(str, paths))}. Keep one of them."
            )
        if paths:
            return paths[0]
    return None


def _download_all(
    urls: Mapping[str, str], download_dir: Path, find_fault: Callable[[Path], str]
) -> dict[str, Path]:
    """Downloads files by name, once it is known that all can be had and have room."""
    download_dir.mkdir(parents=True, exist_ok=True)
    paths = {name: download_dir / name for name in urls}
    remotes: dict[str, RemoteFile] = {}
    name = ""
    try:
        for name, url in urls.items():
            remotes[name] = ask(url)
        require_space(
            download_dir, sum(num_missing_bytes(remotes[name], paths[name]) for name in urls)
        )
        for name, remote in remotes.items():
            download(remote, paths[name], find_fault)
    except DownloadError as error:
        missing = {name: name for name in urls if not paths[name].exists()}
        raise _not_found(name, urls[name], error, missing) from error
    return paths


def _not_found(
    name: str, url: str, error: DownloadError, stand_ins: Mapping[str, str]
) -> MissingFileError:
    """Returns the error that names what to fetch by hand: this file, or all if there is no host."""
    by_hand = stand_ins.values() if error.is_unreachable else [stand_ins[name]]
    return MissingFileError(
        f"Expected {name} in manual_dir or at {url}. Received: {error.reason}. Put "
        f"{', '.join(by_hand)} into a folder and pass it as --manual_dir."
    )
