"""The baselines by name."""

from collections.abc import Callable, Sequence
from importlib import import_module

from keras_chrome.baselines.baseline import Baseline, SignalSpec
from keras_chrome.errors import InputError

# Each baseline's builder, as module:function. A name rather than the function itself, so that
# `--help` can list the baselines without importing scikit-learn.
BASELINES = {
    "logistic_regression": "keras_chrome.baselines.logistic_regression:logistic_regression",
    "logistic_regression_max": "keras_chrome.baselines.logistic_regression:logistic_regression_max",
    "svm": "keras_chrome.baselines.svm:svm",
    "random_forest": "keras_chrome.baselines.random_forest:random_forest",
    "random_forest_best_bin": "keras_chrome.baselines.random_forest:random_forest_best_bin",
    "rules": "keras_chrome.baselines.rules:rules",
    "gradient_boosting": "keras_chrome.baselines.gradient_boosting:gradient_boosting",
    "gradient_boosting_bins": "keras_chrome.baselines.gradient_boosting:gradient_boosting_bins",
}
"""Every baseline by name, and the function that builds it."""

REGRESSORS = {
    "gradient_boosting": "keras_chrome.baselines.gradient_boosting:gradient_boosting_of_expression",
}
"""The baselines that can tell expression, each with its builder likewise."""

DETERMINISTIC = frozenset(
    {"logistic_regression", "logistic_regression_max", "svm", "gradient_boosting_bins"}
)
"""Baselines whose fit does not depend on the seed."""


def build_baseline(
    name: str,
    *,
    marks: Sequence[str],
    num_bins: int = 100,
    bin_bp: int = 100,
    transform: str = "log1p",
    seed: int = 0,
    task: str = "classification",
) -> Baseline:
    """Build a baseline by its name.

    Args:
        name: A name in `BASELINES`.
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        bin_bp: Width of a bin in bp; only names bins in what `Baseline.describe` says.
        transform: `"log1p"`, log(1 + signal), or `"none"`, the signal as it is.
        seed: Seed of what is random in the fit.
        task: `"classification"`, or `"regression"`, for which there are `REGRESSORS`.

    Returns:
        A baseline, not yet fitted.

    Raises:
        InputError: If the baseline or the transform is unknown.

    Example:
        >>> baseline = build_baseline("svm", marks=("H3K4me3", "H3K27me3"), num_bins=40)
        >>> baseline.fit(signal, label)(signal)["probability"]
    """
    known = BASELINES if task == "classification" else REGRESSORS
    if name not in known:
        raise InputError(f"Expected one of {sorted(known)}. Received: model={name!r}")
    module, function = known[name].split(":")
    builder: Callable[..., Baseline] = getattr(import_module(module), function)
    return builder(SignalSpec(tuple(marks), num_bins, bin_bp, transform), seed=seed)
