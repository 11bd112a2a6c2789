"""What a page says of a gene."""

from typing import Any

import numpy as np
import pytest

from serving.csv_genes import CSV_MARKS
from serving.description import ModelDescription
from serving.predictions import Prediction
from serving.web.catalogue import Catalogue
from serving.web.config import ServedModel
from serving.web.results import Result
from serving.web.views import truth_of


@pytest.mark.parametrize(
    ("details", "probability", "truth"),
    [
        ({"label_rule": "high if rpkm > median_rpkm"}, 0.5, (True, True, False, False)),
        ({"label_rule": None}, 0.25, (True, False, False, False)),
        # The authors' label differs from the measurement in the fixture, as it does for many genes.
        ({"label_rule": "as published"}, 0.75, (False, False, True, False)),
        ({"label_rule": None, "dataset": "remc/demo"}, 0.75, (True, True, False, True)),
    ],
)
def test_a_model_is_measured_by_the_labels_that_it_was_trained_on(
    catalogue: Catalogue,
    details: dict[str, Any],
    probability: float,
    truth: tuple[bool, bool, bool, bool],
) -> None:
    gene = 2  # of the train split
    result = Result(
        ServedModel("tiny"),
        ModelDescription("tiny", 1, CSV_MARKS, 8, details),
        catalogue.take(gene),
        Prediction(np.array([probability], np.float32)),
        catalogue.name,
        catalogue.genes[gene],
    )
    found = truth_of(result)
    assert found is not None
    assert found[1:] == truth
