"""Systems that deep models are measured against, one family a file, and their registry.

Importing this package imports no scikit-learn; the families do so when one is built.
"""

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.baselines.registry import (
    BASELINES,
    DETERMINISTIC,
    REGRESSORS,
    build_baseline,
)

__all__ = ["BASELINES", "DETERMINISTIC", "REGRESSORS", "Baseline", "SignalSpec", "build_baseline"]
