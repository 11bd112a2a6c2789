"""Answers in words."""

import math
import re

import numpy as np
import pytest

from serving.description import ModelDescription
from serving.predictions import Prediction
from serving.web.answer import answer_of, compared
from serving.web.figure import draw_expression

TPM = ModelDescription(
    "tpm", 1, ("x",), 2, {"task": "regression", "unit": "TPM", "scale": "log2(TPM + 1)"}
)
HIGH = ModelDescription("high", 1, ("x",), 2, {})


def test_expression_is_told_with_its_logarithm_taken_back() -> None:
    prediction = Prediction(
        np.array([3.0, -0.2], np.float32), answer_sd=np.array([0.125, 0], np.float32)
    )
    answer = answer_of(TPM, prediction._replace(output="expression"), 0)
    assert answer.line == "predicted log2(TPM + 1) 3.00 ± 0.12, 7 TPM"
    # Less than nothing is not expressed.
    assert answer_of(TPM, prediction, 1).amount == "0"


def test_a_probability_is_told_as_it_is() -> None:
    answer = answer_of(HIGH, Prediction(np.array([0.8731], np.float32)), 0)
    assert answer.line == "probability of high expression 0.873"
    assert (answer.column, answer.amount, answer.unit) == ("P(high)", "", "")


@pytest.mark.parametrize(
    ("measured", "unit", "words"),
    [
        (3.0, "TPM", "3 TPM, 2.00 on this scale: the prediction is 1.00 higher"),
        (31.0, "TPM", "31 TPM, 5.00 on this scale: the prediction is 2.00 lower"),
        (7.0, "TPM", "7 TPM, 3.00 on this scale: the prediction is the same"),
        (7.0, "RPKM", "7 RPKM"),
    ],
)
def test_what_was_measured_stands_beside_it(measured: float, unit: str, words: str) -> None:
    answer = answer_of(TPM, Prediction(np.array([3.0], np.float32)), 0)
    assert compared(answer, measured, unit) == words


def test_the_scale_of_expression_is_logarithmic_and_ends() -> None:
    drawn = [draw_expression(value, None, "TPM", math.log2(8)) for value in (0.0, 6.0, 12.0, 30.0)]
    left, middle, right, beyond = (float(str(svg).split('cx="')[1].split('"')[0]) for svg in drawn)
    assert (left + right) / 2 == pytest.approx(middle)
    assert beyond == right
    # What was measured is a line.
    line = re.search(r'class="tss" d="M([\d.]+) ', str(drawn[0]))
    assert line is not None and float(line[1]) == left + (right - left) / 4
    assert "tss" not in draw_expression(6.0, None, "TPM", None)
    for tick in (">0 TPM<", ">15<", ">255<", ">4,095<"):
        assert tick in str(drawn[0])
