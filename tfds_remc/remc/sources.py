"""Finds the three files a published epigenome is built from: on disk first, then on the network."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from pathlib import Path

import requests
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import resource

ARCHIVE = "data.tar.gz"
RPKM_TABLE = "57epigenomes.RPKM.pc.gz"
GENE_INFO = "Ensembl_v65.Gencode_v10.ENSG.gene_info"
GENES_TSV = "genes.tsv"

_ROADMAP_EXPRESSION = "https://egg2.wustl.edu/roadmap/data/byDataType/rna/expression"
URLS = {
    ARCHIVE: "https://zenodo.org/records/2652278/files/data.tar.gz",
    RPKM_TABLE: f"{_ROADMAP_EXPRESSION}/{RPKM_TABLE}",
    GENE_INFO: f"{_ROADMAP_EXPRESSION}/{GENE_INFO}",
}
_STAND_INS = {name: name for name in URLS} | {GENE_INFO: f"{GENES_TSV} (or {GENE_INFO})"}
_PROBE_TIMEOUT_S = 8.0


class SourceNotFoundError(ValueError):
    """A file that is neither in manual_dir nor to be had from the network."""


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where the files are.

    Attributes:
        published: The archive, or the unpacked folder of the epigenome.
        rpkm_table: Expression.
        gene_table: genes.tsv or Roadmap's gene_info.
    """

    published: Path
    rpkm_table: Path
    gene_table: Path


def find_sources(
    download_manager: tfds.download.DownloadManager, manual_dir: Path | None, folder: str
) -> Sources:
    """Finds the files in `manual_dir`, and downloads those that are not there.

    Args:
        download_manager: Of the build.
        manual_dir: Folder of files that were fetched by hand.
        folder: Name of the epigenome's folder in the archive, "E003".

    Raises:
        SourceNotFoundError: If a file is not in `manual_dir` and its host does not answer. This
            takes seconds: TFDS itself would retry for minutes.
    """
    found = {} if manual_dir is None else _find_in(manual_dir, folder)
    missing = {name: url for name, url in URLS.items() if name not in found}
    for name, url in missing.items():
        if not _is_cached(download_manager, url) and (failure := _probe(url)):
            raise SourceNotFoundError(
                f"Expected {name} in manual_dir or at {url}. Received: {failure}. "
                f"Put {', '.join(_STAND_INS[name] for name in missing)} into a folder and pass it "
                "as --manual_dir."
            )
    if missing:
        downloaded = download_manager.download(missing)
        found |= {name: Path(path) for name, path in downloaded.items()}
    return Sources(found[ARCHIVE], found[RPKM_TABLE], found[GENE_INFO])


def fingerprint(path: Path) -> dict[str, int | str]:
    """Returns the size in bytes and the MD5 of a file."""
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return {"bytes": path.stat().st_size, "md5": md5}


def _find_in(manual_dir: Path, folder: str) -> dict[str, Path]:
    candidates = {
        # An unpacked folder is there on purpose, so it goes before the archive.
        ARCHIVE: [
            *(path.parents[1] for path in manual_dir.rglob(f"{folder}/classification/train.csv")),
            manual_dir / ARCHIVE,
        ],
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


def _probe(url: str) -> str:
    """Returns why `url` cannot be downloaded, or "" if its host answers."""
    failure = f"no answer in {_PROBE_TIMEOUT_S:g} s"

    def ask() -> None:
        nonlocal failure
        try:
            with requests.get(url, stream=True, timeout=_PROBE_TIMEOUT_S) as response:
                failure = "" if response.ok else f"HTTP status {response.status_code}"
        except requests.RequestException as error:
            failure = f"no connection ({type(error).__name__})"

    # In a thread, since the timeout of requests does not cover a silent name server.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PROBE_TIMEOUT_S)
    return failure
