from typing import Any

import numpy as np
import pytest

from serving.description import ModelDescription
from serving.predictions import Prediction, Saliency, join, to_table, to_xarray

MARKS = ("x", "y")
ALPHA = np.array([[[0.6, 0.2, 0.2], [0.1, 0.1, 0.8]], [[0.0, 1.0, 0.0], [0.4, 0.3, 0.3]]])
BETA = np.array([[0.7, 0.3], [0.2, 0.8]])
PROBABILITY = np.array([0.25, 0.75], np.float32)
GENE_ID = np.array(["a", "b"])
ENSEMBLE = Prediction(
    PROBABILITY, ALPHA, BETA, PROBABILITY / 10, ALPHA / 10, BETA / 10, gene_id=GENE_ID
)


def describe(**details: Any) -> ModelDescription:
    return ModelDescription("tiny", 12, MARKS, 3, details)


def test_table_names_the_mark_and_bin_of_most_attention() -> None:
    table = to_table(Prediction(PROBABILITY, ALPHA, BETA, gene_id=GENE_ID), MARKS)
    # Gene a: 0.7 * 0.6 beats 0.3 * 0.8. Gene b: 0.8 * 0.4 beats 0.2 * 1.0.
    assert list(table["top_mark"]) == ["x", "y"]
    assert list(table["top_bin"]) == [1, 1]
    assert list(table["beta_y"]) == [0.3, 0.8]
    assert list(table["gene_id"]) == ["a", "b"]


def test_table_of_alpha_alone() -> None:
    table = to_table(Prediction(PROBABILITY, ALPHA, gene_id=GENE_ID), MARKS)
    assert list(table.columns) == ["gene_id", "probability", "top_mark", "top_bin"]
    assert list(table["top_mark"]) == ["y", "x"]
    assert list(table["top_bin"]) == [3, 2]


def test_table_without_attention_and_without_names() -> None:
    assert list(to_table(Prediction(PROBABILITY), MARKS).columns) == ["probability"]


def test_table_of_an_ensemble() -> None:
    table = to_table(ENSEMBLE, MARKS)
    assert list(table.columns) == [
        "gene_id",
        "probability",
        "probability_sd",
        "top_mark",
        "top_bin",
        "beta_x",
        "beta_y",
        "beta_sd_x",
        "beta_sd_y",
    ]
    np.testing.assert_allclose(table["probability_sd"], [0.025, 0.075])
    np.testing.assert_allclose(table["beta_sd_y"], [0.03, 0.08])


CONTRIBUTION = np.array(
    [[[0.5, -1.0, 0.25], [0.0, -2.0, 0.0]], [[1.0, 1.0, 1.0], [-0.5, 0.0, 0.5]]]
)


def test_table_sums_the_contributions_of_a_mark() -> None:
    prediction = Prediction(PROBABILITY, ALPHA, BETA, contribution=CONTRIBUTION)
    table = to_table(prediction, MARKS)
    assert list(table.columns)[-3:] == ["beta_y", "contribution_x", "contribution_y"]
    assert list(table["contribution_x"]) == [-0.25, 3.0]
    assert list(table["contribution_y"]) == [-2.0, 0.0]


def test_joins_what_is_there() -> None:
    joined = join([ENSEMBLE, ENSEMBLE])
    np.testing.assert_array_equal(joined.alpha_sd, np.concatenate([ALPHA, ALPHA]) / 10)
    assert joined.gene_id is not None
    assert list(joined.gene_id) == ["a", "b", "a", "b"]
    assert join(Saliency(ALPHA, PROBABILITY) for _ in range(3)).gradient.shape == (6, 2, 3)
    assert join([Prediction(PROBABILITY), Prediction(PROBABILITY)]).alpha is None


def test_arrays_have_the_names_and_coordinates_of_a_runs_attention() -> None:
    description = describe(bin_bp=100, flank_bp=150, label_rule="median", variant="lstm")
    gradient = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    dataset = to_xarray(description, ENSEMBLE, Saliency(gradient, PROBABILITY))
    assert {name: values.dims for name, values in dataset.items()} == {
        "probability": ("gene",),
        "alpha": ("gene", "mark", "bin"),
        "beta": ("gene", "mark"),
        "probability_sd": ("gene",),
        "alpha_sd": ("gene", "mark", "bin"),
        "beta_sd": ("gene", "mark"),
        "gradient": ("gene", "mark", "bin"),
    }
    assert dataset["gradient"].sel(mark="y", bin=-50)[1] == gradient[1, 1, 1]
    assert list(dataset["bin"].values) == [-150, -50, 50]
    assert dataset["bin"].units == "bp"
    assert list(dataset["gene_id"].values) == ["a", "b"]
    assert dataset["alpha_sd"].long_name == (
        "standard deviation between the members: attention over the bins of a mark"
    )
    assert dataset.attrs.pop("source").startswith("keras-chrome ")
    assert dataset.attrs == {
        "model": "tiny",
        "version": 12,
        "label_rule": "median",
        "variant": "lstm",
        "bin_bp": 100,
    }


def test_contributions_are_written_as_attention_is() -> None:
    description = describe(bin_bp=100, flank_bp=150)
    dataset = to_xarray(description, Prediction(PROBABILITY, contribution=CONTRIBUTION))
    values = dataset["contribution"]
    assert values.dims == ("gene", "mark", "bin")
    assert list(values.sel(mark="y", bin=-50)) == [-2.0, 0.0]
    assert values.units == "1"
    assert values.long_name.startswith("contribution to the logit of high expression")


def test_bins_of_unknown_length_are_numbered() -> None:
    dataset = to_xarray(describe(bin_bp=None), Prediction(PROBABILITY, ALPHA))
    assert list(dataset["bin"].values) == [0, 1, 2]
    assert "gene_id" not in dataset.coords


@pytest.mark.parametrize(
    ("members", "numbers"), [(1, 2 * (2 * 3) + 2 + 1), (5, 2 * (2 * 3 + 2 + 1) + 2 * 3)]
)
def test_counts_all_that_is_answered(members: int, numbers: int) -> None:
    description = describe(members=members)
    assert description.genes_a_request(1000, 4096 + 10 * 4 * numbers, 4) == 10
    assert description.genes_a_request(1000, 4096 + 10 * 4 * numbers - 1, 4) == 9
    assert description.genes_a_request(7, 10**6, 4) == 7
