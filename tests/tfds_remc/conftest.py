"""A tiny REMC: three genes a split, 100 bins, in the layouts of the original downloads."""

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

NUM_BINS = 100
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
GENES = {"train": (3, 5, 419), "valid": (457, 460, 938), "test": (971, 1036, 971)}


def gene_rows(gene: int, label: int = 0) -> list[str]:
    """The rows of one gene: counts that name their gene, bin and mark."""
    return [
        ",".join(map(str, [f"{gene:06d}", i + 1, *((gene + i + j) % 7 for j in range(5)), label]))
        for i in range(NUM_BINS)
    ]


def csv_of(*genes: list[str]) -> bytes:
    return ("\n".join(row for rows in genes for row in rows) + "\n").encode()


@pytest.fixture
def rows() -> Callable[..., list[str]]:
    return gene_rows


@pytest.fixture
def to_csv() -> Callable[..., bytes]:
    return csv_of


@pytest.fixture
def members() -> dict[str, bytes]:
    """The members of a sound archive of the epigenome E003; 971 stands twice in test."""
    return {
        f"E003/classification/{split}.csv": csv_of(
            *(gene_rows(gene, label=position % 2) for position, gene in enumerate(genes))
        )
        for split, genes in GENES.items()
    }


@pytest.fixture
def write_archive() -> Callable[[Path, Mapping[str, bytes]], Path]:
    def write(path: Path, members: Mapping[str, bytes]) -> Path:
        with tarfile.open(path, "w:gz") as archive:
            for name, text in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text))
        return path

    return write


@pytest.fixture
def gene_ids() -> list[str]:
    genes = sorted({gene for genes in GENES.values() for gene in genes})
    return [f"ENSG{gene:011d}" for gene in genes]


@pytest.fixture
def manual_dir(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: Callable[[Path, Mapping[str, bytes]], Path],
    gene_ids: list[str],
) -> Path:
    """A manual_dir in which E003 builds; its last gene has no RPKM."""
    folder = tmp_path / "manual"
    folder.mkdir()
    write_archive(folder / "data.tar.gz", members)
    table = "gene_id\tE003\tE004\n" + "".join(
        f"{gene_id}\t{rpkm:.3f}\t1.000\n" for rpkm, gene_id in enumerate(gene_ids[:-1])
    )
    (folder / "57epigenomes.RPKM.pc.gz").write_bytes(gzip.compress(table.encode()))
    genes = "gene_id\tsymbol\tchrom\ttss\tstrand\n" + "".join(
        f"{gene_id}\tSYM{row}\tchr1\t{10_000 * (row + 1)}\t{'+-?'[row % 3]}\n"
        for row, gene_id in enumerate(gene_ids)
    )
    (folder / "genes.tsv").write_text(genes)
    return folder


@pytest.fixture
def golden_signal() -> Callable[[int], np.ndarray]:
    """The (bins, marks) signal that `gene_rows` writes."""

    def signal(gene: int) -> np.ndarray:
        bins, marks = np.mgrid[0:NUM_BINS, 0 : len(MARKS)]
        return ((gene + bins + marks) % 7).astype(np.float32)

    return signal
