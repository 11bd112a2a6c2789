"""Temperatures of made-up log-odds."""

import numpy as np
import pytest
from scipy.special import expit, logit

from keras_chrome.statistics.temperature import at_temperature, fit_temperature


def test_log_odds_are_divided() -> None:
    probability = np.array([0, 0.1, 0.5, 0.8, 1], np.float32)
    halved = at_temperature(probability, 2)
    np.testing.assert_allclose(logit(halved[1:4]), logit([0.1, 0.5, 0.8]) / 2, rtol=1e-6)
    assert halved[[0, 4]].tolist() == [0, 1]


def test_two_groups_of_genes_by_hand() -> None:
    # Of genes said to be high with 0.9 and 0.1, 3 of 4 are as said: 0.75 is right, whose log-odds
    # are log(3), of log(9).
    label = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    log_odds = np.repeat([np.log(9), -np.log(9)], 4)
    assert fit_temperature(label, log_odds) == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.4, 1, 3])
def test_finds_the_temperature_that_labels_were_drawn_with(temperature: float) -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.normal(0, 2, 100_000)
    label = (rng.uniform(size=log_odds.size) < expit(log_odds)).astype(int)
    assert fit_temperature(label, temperature * log_odds) == pytest.approx(temperature, rel=0.02)


def test_it_stays_finite_where_the_best_is_not() -> None:
    label = np.array([0, 1, 0, 1])
    assert fit_temperature(label, np.array([-1.0, 1, -2, 2])) == pytest.approx(1 / 20, rel=1e-3)
    assert fit_temperature(label, np.array([1.0, -1, 2, -2])) == pytest.approx(20, rel=1e-3)
    assert np.isfinite(fit_temperature(label, np.array([-np.inf, np.inf, np.inf, 1])))
