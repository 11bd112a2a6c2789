"""Logistic regression, on all bins and on one number a mark."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.baselines.features import AllBins, MaxOfMark, signal_pipeline

_NUM_FOLDS = 5


def logistic_regression(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """Logistic regression on all bins: "Linear Regression" of the paper's Table 1.

    Karlic et al. (PNAS 2010) regress the logarithm of expression on the logarithm of the tag count
    of each mark around the TSS; here the same linear score predicts high or low, and sees every
    bin. With hundreds of neighbouring, alike bins it has to be regularised: how much is chosen by
    cross-validated log loss on the training genes. The fit is deterministic.
    """
    search = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": np.logspace(-5, -1, 5)},
        scoring="neg_log_loss",
        cv=_NUM_FOLDS,
    )
    return Baseline(
        signal_pipeline(AllBins(spec), make_pipeline(StandardScaler(), search), spec.transform),
        spec,
        min_class_genes=_NUM_FOLDS,
    )


def logistic_regression_max(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """Logistic regression on the greatest signal of each mark; not in the paper.

    As little as a model can have: one weight a mark. What a deep model adds to it is what the
    shape of the signal adds. The fit is deterministic.
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    return Baseline(
        signal_pipeline(MaxOfMark(spec.marks), classifier, spec.transform),
        spec,
        describe=_describe_weights,
    )


def _describe_weights(pipeline: Pipeline) -> str:
    names = pipeline["features"].get_feature_names_out()
    weights = pipeline["classifier"][-1].coef_[0]
    return "\n".join(
        ["Log odds of high expression for one standard deviation more:"]
        + [f"{name}: {weight:+.3f}" for name, weight in zip(names, weights, strict=True)]
    )
