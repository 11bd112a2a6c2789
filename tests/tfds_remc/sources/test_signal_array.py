import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ReadExamples = Callable[[Path], dict[str, dict[str, Any]]]

GENES = ("ENSG00000000005", "ENSG00000000419", "ENSG00000000003")


def test_an_array_of_ones_own(
    tmp_path: Path,
    own: Path,
    command: Callable[..., int],
    read_examples: ReadExamples,
    capsys: pytest.CaptureFixture[str],
) -> None:
    array = tmp_path / "own.npz"
    arrays = {
        "marks": np.array(["H3K4me3", "CTCF"]),
        "signal": np.arange(24.0).reshape(3, 2, 4),
        "gene_id": np.array(GENES),
        "chrom": np.array(["chr1"] * 3),
        "tss": np.array([1000, 5000, 100]),
        "strand": np.array(["+", "-", ""]),
    }
    np.savez(array, **arrays)
    datasets = tmp_path / "data" / "remc"
    places = ["--data-dir", tmp_path / "data", "--signal-array", array]
    args = [*places, "--epigenome", "K562", "--flank-bp", "200"]
    assert command(*args) == 2
    assert "Expected the array rpkm in " in capsys.readouterr().err
    assert command(*args, "--expression", own / "expression.csv") == 0
    gene = read_examples(datasets / "K562")[GENES[1]]
    assert gene["signal"].tolist() == [[8, 12], [9, 13], [10, 14], [11, 15]]
    # At the median of the three genes, above that of the table's four.
    assert (gene["label"], gene["rpkm"], gene["split"]) == (0, 5, "valid")
    table = ("--expression", own / "expression.csv", "--median-over", "table")
    assert command(*args, "--name", "over_table", *table) == 0
    assert read_examples(datasets / "over_table")[GENES[1]]["label"] == 1

    arrays |= {"rpkm": np.array([1, 2, np.nan]), "split": np.array([2, 1, 0])}
    arrays |= {"marks": np.array(["h3k4Me3", "CTCF"]), "symbol": np.array(["NA", "DPM1", "-"])}
    np.savez(array, **arrays)
    unit = ("--unit", "Tpm", "--genome", "hs37d5")
    capsys.readouterr()
    assert command(*args, "--name", "with_rpkm", "--marks", "CTCF", *unit) == 0
    assert "warning: own.npz: h3k4Me3 is taken for H3K4me3" in capsys.readouterr().err
    genes = read_examples(datasets / "with_rpkm")
    assert [genes[g]["split"] for g in GENES] == ["test", "valid", "train"]
    assert [genes[g]["label"] for g in GENES] == [0, 1, -1]
    assert [genes[g]["symbol"] for g in GENES] == [b"", b"DPM1", b""]
    assert genes[GENES[0]]["signal"].tolist() == [[4], [5], [6], [7]]
    metadata = json.loads((datasets / "with_rpkm" / "1.0.0" / "metadata.json").read_text())
    assert list(metadata["provenance"]) == ["signal_array"]
    assert (metadata["unit"], metadata["genome"], metadata["median_rpkm"]) == ("TPM", "hg19", 1.5)
    assert metadata["chromosome_sizes"] == {"chr1": 249_250_621}
    without_genome = json.loads((datasets / "K562" / "1.0.0" / "metadata.json").read_text())
    assert (without_genome["genome"], "chromosome_sizes" in without_genome) == ("unknown", False)

    capsys.readouterr()
    assert command(*places, "--epigenome", "other") == 2
    assert "Expected 100 bins, as flank_bp=5000 and bin_bp=100" in capsys.readouterr().err


def test_a_gene_of_several_regions_counts_once_for_the_median(
    tmp_path: Path, command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Over the genes it is 3.5, of 9, 1, 5 and 2; over the regions it would be 7."""
    arrays = {
        "marks": np.array(["CTCF"]),
        "signal": np.ones((7, 1, 4)),
        "gene_id": np.array(["a", "a", "a", "b", "c", "d", "e"]),
        "chrom": np.array(["chr1"] * 7),
        "tss": 1000 * np.arange(1, 8),
        "strand": np.array(["+"] * 7),
        "rpkm": np.array([9, 9, 9, 1, 5, 2, np.nan]),
        "split": np.array([0, 0, 0, 1, 1, 2, 2]),
    }
    array = tmp_path / "own.npz"
    np.savez(array, **arrays)
    args = ["--data-dir", tmp_path, "--signal-array", array, "--epigenome", "K562"]
    assert command(*args, "--flank-bp", "200") == 0
    metadata = json.loads((tmp_path / "remc" / "K562" / "1.0.0" / "metadata.json").read_text())
    assert metadata["median_rpkm"] == 3.5
    np.savez(array, **arrays | {"split": np.zeros(7, int)})
    capsys.readouterr()
    assert command(*args, "--flank-bp", "200", "--name", "train") == 2
    assert "in test, valid, of 7 gene regions. Give each split genes" in capsys.readouterr().err
