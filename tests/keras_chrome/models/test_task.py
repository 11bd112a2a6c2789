"""What a model tells of a gene: the two tasks."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from keras_chrome.data import load_genes, open_dataset
from keras_chrome.errors import InputError
from keras_chrome.models import VARIANTS, build_model, logit_model
from keras_chrome.models.prediction import predict
from keras_chrome.models.task import CLASSIFICATION, TASKS, expression_scale, task_of

REGRESSION = TASKS["regression"]
SIGNAL = np.random.default_rng(0).poisson(2.0, (3, 20, 2)).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_tells_expression_by_its_layer_logit(variant: str) -> None:
    model = build_model(variant, marks=("a", "b"), num_bins=20, task="regression")
    answers = {name: np.asarray(values) for name, values in model(SIGNAL).items()}
    logit = logit_model(model)(SIGNAL)
    np.testing.assert_array_equal(answers["expression"], np.asarray(logit)[:, 0])
    of_classification = build_model(variant, marks=("a", "b"), num_bins=20).output
    assert set(answers) == set(of_classification) - {"probability"} | {"expression"}
    assert task_of(answers) is REGRESSION
    assert task_of(of_classification) is CLASSIFICATION


def test_a_prediction_of_expression_has_no_probability() -> None:
    model = build_model("lstm", marks=("a", "b"), num_bins=20, task="regression")
    prediction = predict(model, SIGNAL[:1])
    np.testing.assert_array_equal(prediction.answer, np.asarray(model(SIGNAL[:1])["expression"]))
    with pytest.raises(InputError, match=r"Received: one that tells expression"):
        _ = prediction.probability


def test_expression_is_on_a_logarithmic_scale() -> None:
    np.testing.assert_array_equal(expression_scale(np.array([0, 1, 7, np.nan])), [0, 1, 3, np.nan])
    assert REGRESSION.title("median", "TPM") == "log2(TPM + 1)"


def test_genes_of_unknown_expression_are_left_out_and_counted(data_dir: Path) -> None:
    dataset = open_dataset("small", data_dir)
    genes = load_genes(dataset, "valid")
    rpkm = genes.rpkm.copy()
    rpkm[[1, 4]] = np.nan
    known = REGRESSION.known(dataclasses.replace(genes, rpkm=rpkm, num_unlabelled=3))
    assert known.num_unlabelled == 5
    assert known.gene_id.tolist() == np.delete(genes.gene_id, [1, 4]).tolist()
    REGRESSION.check(known, dataset, "median")
    unknown = dataclasses.replace(genes, rpkm=np.full_like(rpkm, np.nan))
    with pytest.raises(InputError, match=f"Received: 0 with known expression, and {len(genes)} w"):
        REGRESSION.check(REGRESSION.known(unknown), dataset, "median")
