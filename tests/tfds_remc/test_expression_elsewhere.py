"""Expression in other epigenomes, from tables of a few genes."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from tfds_remc import RemcBuilder
from tfds_remc.__main__ import build
from tfds_remc.remc.expression_elsewhere import FILE_NAME, read_expression_elsewhere


def write_table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(line.replace(" ", "\t") for line in lines) + "\n")
    return path


def test_the_mean_logarithm_of_the_others_by_hand(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "table.tsv",
        # E000 is Roadmap's pool of cell lines, and a length is no expression.
        "gene_id length E000 E003 E004 E012",
        "ENSG00000000003.14 1500 9 7 0.9 3.9",
        "ENSG00000000005 800 9 7 NA 1.9",
        "ENSG00000000419 900 9 7 NA NA",
    )
    elsewhere = read_expression_elsewhere(table, "E003")
    assert list(elsewhere) == ["ENSG00000000003", "ENSG00000000005"]
    assert elsewhere["ENSG00000000003"] == (pytest.approx((0 + 2) / 2), 2)
    assert elsewhere["ENSG00000000005"] == (pytest.approx(1), 1)
    # Of another epigenome E003 is one of the others.
    assert read_expression_elsewhere(table, "E012")["ENSG00000000419"] == (
        pytest.approx(math.log2(7.1)),
        1,
    )


def test_epigenomes_of_ones_own_are_named(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.tsv", "gene_id K562 HeLa", "ENSG00000000003 1 0.9")
    assert read_expression_elsewhere(table, "K562") == {}
    assert read_expression_elsewhere(table, "K562", others=["HeLa"]) == {
        "ENSG00000000003": (pytest.approx(0), 1)
    }


def test_a_table_of_one_epigenome_knows_no_others(tmp_path: Path) -> None:
    table = write_table(tmp_path / "abundance.tsv", "gene_id length TPM", "ENSG00000000003 9 1")
    assert read_expression_elsewhere(table, "K562", unit="TPM", is_only=True) == {}


def test_a_dataset_has_it_beside_records_that_do_not_change(
    e003: RemcBuilder, manual_dir: Path, gene_ids: list[str], tmp_path: Path
) -> None:
    # E004 has 1 RPKM of each gene but the last, which the table lacks.
    assert (Path(e003.data_path) / FILE_NAME).read_text().splitlines() == [
        "gene_id,log2_mean,num_epigenomes",
        *(f"{gene_id},{math.log2(1.1):.6f},1" for gene_id in gene_ids[:-1]),
    ]
    table = manual_dir / "57epigenomes.RPKM.pc.gz"
    lines = gzip.decompress(table.read_bytes()).decode().splitlines()
    alone = "".join("\t".join(line.split("\t")[:2]) + "\n" for line in lines)
    table.write_bytes(gzip.compress(alone.encode()))
    other = build("E003", data_dir=tmp_path / "data", manual_dir=manual_dir)
    assert not (Path(other.data_path) / FILE_NAME).exists()
    for records in Path(e003.data_path).glob("*.tfrecord*"):
        assert records.read_bytes() == (Path(other.data_path) / records.name).read_bytes()


def test_own_data_has_the_other_epigenomes_of_the_sheet(
    build_own: Callable[..., int], tmp_path: Path
) -> None:
    assert build_own("--epigenome", "K562") == 0
    (file,) = (tmp_path / "data").rglob(FILE_NAME)
    assert file.read_text().splitlines()[1:] == [
        f"ENSG00000000005,{math.log2(9.1):.6f},1",
        f"ENSG00000000419,{math.log2(5.1):.6f},1",
    ]


@pytest.mark.real_data
@pytest.mark.slow
def test_genes_of_e012_are_known_in_55_other_epigenomes(real_data: Path, tmp_path: Path) -> None:
    builder = RemcBuilder(config="E012", data_dir=tmp_path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    )
    lines = (Path(builder.data_path) / FILE_NAME).read_text().splitlines()[1:]
    assert {line.rpartition(",")[2] for line in lines} == {"55"}
