"""Golden predictions: made-up genes, and tables that are compared with them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serving.container.golden import compare_tables, make_signal, write_genes
from serving.csv_genes import read_csv
from serving.errors import VerificationError

SIDECAR = '{"marks": ["H3K4me3", "H3K9me3"], "num_bins": 3}'


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """A model of which only the description matters."""
    (tmp_path / "1" / "assets").mkdir(parents=True)
    (tmp_path / "1" / "assets" / "keras_chrome.json").write_text(SIDECAR)
    return tmp_path / "1"


def test_genes_are_written_as_the_client_reads_them(model_dir: Path, tmp_path: Path) -> None:
    signal = make_signal(model_dir, num_genes=4)
    assert signal.shape == (4, 3, 2)
    np.testing.assert_array_equal(signal, make_signal(model_dir, num_genes=4))
    write_genes(tmp_path / "genes.csv", signal)
    genes = read_csv(tmp_path / "genes.csv", 3, ("H3K4me3", "H3K9me3"))
    np.testing.assert_array_equal(genes.signal, signal)
    assert list(genes.gene_id) == ["GENE00", "GENE01", "GENE02", "GENE03"]


@pytest.fixture
def compare(tmp_path: Path) -> Callable[[pd.DataFrame], float]:
    """Compare a table with the golden one of two genes."""
    golden = pd.DataFrame({"gene_id": ["A", "B"], "probability": [0.25, 0.5], "beta_X": [1.0, 0.0]})

    def compare(**columns: list) -> float:
        golden.to_csv(tmp_path / "golden.csv", index=False)
        table = golden.assign(**columns)
        table = table.drop(columns=[name for name, values in columns.items() if not values])
        table.to_csv(tmp_path / "table.csv", index=False)
        return compare_tables(tmp_path / "table.csv", tmp_path / "golden.csv")

    return compare


def test_rounding_is_no_difference(compare) -> None:
    assert compare(probability=[0.250004, 0.5], top_mark=["X", "X"]) == pytest.approx(4e-6)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"probability": [0.25, 0.5001]}, "Expected probability=0.5 of gene B. Received: 0.5001"),
        ({"beta_X": [float("nan"), 0.0]}, "Expected beta_X=1.0 of gene A. Received: nan"),
        ({"gene_id": ["B", "A"]}, "Expected 2 genes from A"),
        ({"beta_X": None}, "without beta_X"),
    ],
)
def test_a_difference_is_told(columns: dict, message: str, compare) -> None:
    with pytest.raises(VerificationError, match=message):
        compare(**columns)
