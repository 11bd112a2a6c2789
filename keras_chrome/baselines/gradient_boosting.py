"""Gradient boosting."""

from sklearn.ensemble import HistGradientBoostingClassifier

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.baselines.features import AllBins, signal_pipeline


def gradient_boosting(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """Gradient boosted trees on all bins; not in the paper.

    What is usually best on a table of numbers, so what a deep model should beat.
    """
    classifier = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=300, early_stopping=False, random_state=seed
    )
    return Baseline(signal_pipeline(AllBins(spec), classifier, spec.transform), spec)
