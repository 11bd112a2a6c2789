"""The log-odds of a probability that may be 0 or 1."""

import numpy as np

# A forest of some hundred trees says 0 and 1, of which there are no log-odds.
_MOST_CERTAIN = 0.999


def log_odds(probability: np.ndarray) -> np.ndarray:
    """The log-odds of probabilities clipped to [0.001, 0.999], which are finite.

    Args:
        probability: Floats in [0, 1], of any shape.

    Returns:
        float64 of the same shape.
    """
    clipped = np.clip(np.asarray(probability, np.float64), 1 - _MOST_CERTAIN, _MOST_CERTAIN)
    odds: np.ndarray = np.log(clipped) - np.log1p(-clipped)
    return odds
