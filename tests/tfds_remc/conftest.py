"""Two tiny datasets and the command.

REMC with three genes a split and 100 bins, in the layouts of the original downloads; and own reads
of three genes.
"""

import gzip
import io
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfds_remc import RemcBuilder
from tfds_remc.__main__ import MISTAKES, build, main
from tfds_remc.command_line import run_command

NUM_BINS = 100
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
# In this order their splits are train, valid and test.
OWN_GENES = ("ENSG00000000005", "ENSG00000000419", "ENSG00000000003")
GENES = {"train": (3, 5, 419), "valid": (457, 460, 938), "test": (971, 1036, 971)}


def gene_rows(gene: int, label: int = 0) -> list[str]:
    """The rows of one gene: counts that name their gene, bin and mark."""
    return [
        ",".join(map(str, [f"{gene:06d}", i + 1, *((gene + i + j) % 7 for j in range(5)), label]))
        for i in range(NUM_BINS)
    ]


def csv_of(*genes: list[str]) -> bytes:
    return ("\n".join(row for rows in genes for row in rows) + "\n").encode()


def archive_members() -> dict[str, bytes]:
    """The members of a sound archive of the epigenome E003; 971 stands twice in test."""
    return {
        f"E003/classification/{split}.csv": csv_of(
            *(gene_rows(gene, label=position % 2) for position, gene in enumerate(genes))
        )
        for split, genes in GENES.items()
    }


def archive_of(path: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return path


def full_gene_ids() -> list[str]:
    genes = sorted({gene for genes in GENES.values() for gene in genes})
    return [f"ENSG{gene:011d}" for gene in genes]


def write_manual_dir(folder: Path) -> Path:
    folder.mkdir()
    archive_of(folder / "data.tar.gz", archive_members())
    gene_ids = full_gene_ids()
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
def rows() -> Callable[..., list[str]]:
    return gene_rows


@pytest.fixture
def to_csv() -> Callable[..., bytes]:
    return csv_of


@pytest.fixture
def members() -> dict[str, bytes]:
    return archive_members()


@pytest.fixture
def write_archive() -> Callable[[Path, Mapping[str, bytes]], Path]:
    return archive_of


@pytest.fixture
def gene_ids() -> list[str]:
    return full_gene_ids()


@pytest.fixture
def manual_dir(tmp_path: Path) -> Path:
    """A manual_dir in which E003 builds; its last gene has no RPKM."""
    return write_manual_dir(tmp_path / "manual")


@pytest.fixture(scope="session")
def e003(tmp_path_factory: pytest.TempPathFactory) -> RemcBuilder:
    """E003, built from such a manual_dir; not to be changed."""
    folder = tmp_path_factory.mktemp("e003")
    manual_dir = write_manual_dir(folder / "manual")
    return build("E003", data_dir=folder / "data", manual_dir=manual_dir)


@pytest.fixture
def golden_signal() -> Callable[[int], np.ndarray]:
    """The (bins, marks) signal that `gene_rows` writes."""

    def signal(gene: int) -> np.ndarray:
        bins, marks = np.mgrid[0:NUM_BINS, 0 : len(MARKS)]
        return ((gene + bins + marks) % 7).astype(np.float32)

    return signal


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs `python -m tfds_remc` with arguments in this process; returns the exit code."""

    def run(*args: object) -> int:
        monkeypatch.setattr(sys, "argv", ["tfds_remc", *map(str, args)])
        with pytest.raises(SystemExit) as exited:
            run_command(main, *MISTAKES)
        code = exited.value.code
        assert isinstance(code, int)
        return code

    return run


def tag_align(*reads: tuple[int, int, str]) -> str:
    return "".join(f"chr1\t{start}\t{end}\tN\t1000\t{strand}\n" for start, end, strand in reads)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Own reads of three genes; of the six reads of H3K4me3 one lies on no gene region.

    With bins of 100 bp and flanks of 200 bp the regions are [800, 1200), [4800, 5200) and
    [-100, 300).
    """
    folder = tmp_path / "own data"
    folder.mkdir()
    first, second, third = OWN_GENES
    files = {
        "sheet.csv": "\ufeffepigenome,mark,path,control\r\n"
        "K562,H3K4me3,H3K4me3 rep 1.tagAlign,input.tagAlign\r\n"
        "K562,CTCF,CTCF.bedGraph,\r\n"
        "HeLa,H3K4me3,input.tagAlign,\r\n",
        "H3K4me3 rep 1.tagAlign": tag_align(
            *((810, 846, "+"), (890, 926, "+"), (1150, 1186, "-")),
            *((5090, 5126, "+"), (20, 56, "-"), (9000, 9036, "+")),
        ),
        "input.tagAlign": tag_align((820, 856, "+"), (5110, 5146, "+"), (9000, 9036, "+")),
        "CTCF.bedGraph": "chr1\t900\t1050\t2\n",
        "genes.tsv": "gene_id\tchrom\ttss\tstrand\r\n"
        f"{first}.7\t1\t1000\t+\r\n{second}.1\t1\t5000\t-\r\n{third}.14\t1\t100\t+\r\n",
        "expression.csv": "gene_id,K562,HeLa\r\n"
        f"{first}.9,1,9\r\n{second},5,5\r\n{third},9,NA\r\n"
        "ENSG00000000460,2,2\r\nENSG00000000460,2,2\r\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, newline="")
    return folder


@pytest.fixture
def build_own(own: Path, tmp_path: Path, command: Callable[..., int]) -> Callable[..., int]:
    """Runs the command on the own data, with further arguments."""

    def build(*args: str, sheet: str = "sheet.csv", **files: str) -> int:
        options = {"genes": "genes.tsv", "expression": "expression.csv", **files}
        return command(
            *("--data-dir", tmp_path / "data", "--sample-sheet", own / sheet),
            *("--flank-bp", "200", "--genome", "hg19"),
            *(arg for name, file in options.items() for arg in (f"--{name}", own / file)),
            *args,
        )

    return build


@pytest.fixture
def read_examples() -> Callable[[Path], dict[str, dict[str, Any]]]:
    """Reads the examples of a built dataset by gene, with their split."""

    def read(path: Path) -> dict[str, dict[str, Any]]:
        builder = tfds.builder_from_directory(path / "1.0.0")
        return {
            example["gene_id"].decode(): example | {"split": split}
            for split in ("train", "valid", "test")
            for example in tfds.as_numpy(builder.as_dataset(split=split))
        }

    return read
