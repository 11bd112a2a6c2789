"""Results are kept for a while, and no longer."""

import numpy as np
import pytest

from serving.description import ModelDescription
from serving.genes import Genes
from serving.predictions import Prediction
from serving.web.config import ServedModel
from serving.web.results import Result, Results


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def result(num_genes: int = 10, **prediction: np.ndarray) -> Result:
    details = {"bin_bp": 100, "flank_bp": 200, "oriented": True}
    return Result(
        ServedModel("tiny"),
        ModelDescription("tiny", 1, ("a", "b"), 4, details),
        Genes(np.full(num_genes, "G"), np.zeros((num_genes, 4, 2), np.float32), ("a", "b")),
        Prediction(np.zeros(num_genes, np.float32), **prediction),
        "genes.csv",
    )


def test_a_result_is_found_by_a_name_that_cannot_be_guessed() -> None:
    results = Results()
    names = {results.add(result()) for _ in range(20)}
    assert len(names) == 20
    assert all(len(name) >= 22 for name in names)
    assert all(results.get(name) for name in names)
    assert results.get("") is None


def test_results_grow_old() -> None:
    clock = Clock()
    results = Results(kept_s=60, clock=clock)
    name = results.add(result())
    clock.now += 59
    assert results.get(name)
    clock.now += 2
    assert results.get(name) is None


def test_the_oldest_make_room() -> None:
    size = result().num_bytes
    results = Results(kept_bytes=2 * size)
    names = [results.add(result()) for _ in range(3)]
    assert [results.get(name) is not None for name in names] == [False, True, True]
    # One that is too large by itself is there until the next.
    large = results.add(result(1000))
    assert [results.get(name) is not None for name in (*names, large)] == [
        False,
        False,
        False,
        True,
    ]


def test_an_ensemble_shows_how_far_its_members_differ() -> None:
    of = result(
        beta=np.full((10, 2), 0.5, np.float32),
        beta_sd=np.full((10, 2), 0.25, np.float32),
        answer_sd=np.full(10, 0.125, np.float32),
    )
    assert of.answer(3).sd == pytest.approx(0.125)
    beta_sd = of.picture(3).beta_sd
    assert beta_sd is not None and beta_sd.tolist() == [0.25, 0.25]
    assert result().answer(3).sd is None
    assert result().picture(3).beta_sd is None
    assert of.picture(3).region.oriented is True
