from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serving.errors import InputError
from serving.genes import Genes
from serving.predictions import Prediction, to_table, write_attention, write_table

GENES = Genes(np.array(["a", "b"]), np.zeros((2, 3, 2), np.float32), ("x", "y"))
ALPHA = np.array([[[0.6, 0.2, 0.2], [0.1, 0.1, 0.8]], [[0.0, 1.0, 0.0], [0.4, 0.3, 0.3]]])
BETA = np.array([[0.7, 0.3], [0.2, 0.8]])
PROBABILITY = np.array([0.25, 0.75], np.float32)


def test_table_names_the_mark_and_bin_of_most_attention() -> None:
    table = to_table(GENES, Prediction(PROBABILITY, ALPHA, BETA))
    # Gene a: 0.7 * 0.6 beats 0.3 * 0.8. Gene b: 0.8 * 0.4 beats 0.2 * 1.0.
    assert list(table["top_mark"]) == ["x", "y"]
    assert list(table["top_bin"]) == [1, 1]
    assert list(table["beta_y"]) == [0.3, 0.8]


def test_table_of_alpha_alone() -> None:
    table = to_table(GENES, Prediction(PROBABILITY, ALPHA))
    assert list(table.columns) == ["gene_id", "probability", "top_mark", "top_bin"]
    assert list(table["top_mark"]) == ["y", "x"]
    assert list(table["top_bin"]) == [3, 2]


def test_table_without_attention() -> None:
    table = to_table(GENES, Prediction(PROBABILITY))
    assert list(table.columns) == ["gene_id", "probability"]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")

    class Unwritable:
        def __str__(self) -> str:
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_table(tmp_path / "out.csv", pd.DataFrame({"gene_id": ["a", Unwritable()]}))
    assert (tmp_path / "out.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_refuses_to_write_attention_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a model with attention"):
        write_attention(tmp_path / "attention.npz", GENES, Prediction(PROBABILITY))
    assert list(tmp_path.iterdir()) == []
