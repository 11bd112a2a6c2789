"""Log-odds of probabilities that may be 0 or 1."""

import numpy as np

from keras_chrome.statistics.log_odds import log_odds


def test_log_odds_are_finite_for_certain_answers() -> None:
    odds = log_odds(np.array([0, 0.0001, 0.25, 0.5, 0.9, 1], np.float32))
    limit = np.log(999)
    np.testing.assert_allclose(
        odds, [-limit, -limit, -np.log(3), 0, np.log(9), limit], rtol=1e-6, atol=1e-9
    )
    assert odds.dtype == np.float64
