from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.epigenomes import MARKS
from tfds_remc.remc.gene_table import read_gene_table
from tfds_remc.remc.orientation import measure_orientation
from tfds_remc.remc.published import read_published


def _genes(num_genes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Genes in the direction of transcription: more H3K36me3 in the right half; and strands."""
    rng = np.random.default_rng(seed)
    mean = np.ones((num_genes, 8, len(MARKS)))
    mean[:, 4:, MARKS.index("H3K36me3")] = 3.0
    return rng.poisson(mean).astype(np.float32), np.tile(["+", "-"], num_genes // 2)


def _mirror(signal: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where[:, None, None], signal[:, ::-1], signal)


def test_the_three_directions() -> None:
    signal, strand = _genes(400)
    in_genome = _mirror(signal, strand == "-")
    for published, direction in (
        (signal, "transcription"),
        (in_genome, "genome"),
        (signal[:, ::-1], "against transcription"),
    ):
        orientation = measure_orientation(published, strand, MARKS)
        assert (orientation.direction, orientation.decided_by) == (direction, "measured")


@pytest.mark.parametrize(
    "strands", [("+", "-"), ("+", "+"), ("", "")], ids=["few genes", "one strand", "no strand"]
)
def test_undecidable_is_assumed_to_be_in_genome_orientation(strands: tuple[str, str]) -> None:
    num_genes = 6 if strands == ("+", "-") else 400
    signal, _ = _genes(num_genes)
    orientation = measure_orientation(signal, np.tile(strands, num_genes // 2), MARKS)
    assert (orientation.direction, orientation.decided_by) == ("genome", "assumed")


def test_no_signal_at_all_is_undecidable() -> None:
    orientation = measure_orientation(np.zeros((10, 8, 5)), np.tile(["+", "-"], 5), MARKS)
    assert orientation.decided_by == "assumed"
    assert (orientation.t_plus, orientation.t_minus) == (0.0, 0.0)


def test_genes_without_a_preferred_side_are_rarely_called() -> None:
    rng = np.random.default_rng(1)
    calls = [
        measure_orientation(
            rng.poisson(2.0, size=(60, 8, 5)).astype(np.float32), np.tile(["+", "-"], 30), MARKS
        ).decided_by
        for _ in range(200)
    ]
    assert set(calls) == {"assumed"}


@pytest.mark.real_data
def test_real_epigenomes(real_data: Path) -> None:
    table = read_gene_table(real_data / "remc" / "genes.tsv")
    expected: Mapping[str, tuple[str, str]] = {
        "Toy": ("genome", "assumed"),
        "E003": ("genome", "measured"),
        "E123": ("genome", "measured"),
        "E012": ("against transcription", "measured"),
    }
    for folder, answer in expected.items():
        splits = read_published(
            real_data / "remc" / "data.tar.gz", folder, table.gene_id.tolist()
        ).values()
        gene_ids = [gene_id for split in splits for gene_id in split.gene_id.tolist()]
        signal = np.concatenate([split.signal for split in splits])
        orientation = measure_orientation(signal, table.strand[table.rows_of(gene_ids)], MARKS)
        assert (orientation.direction, orientation.decided_by) == answer, folder
