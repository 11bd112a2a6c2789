"""One page on runs: data, training, predictions, explanations, every test gene."""

from keras_chrome.report.write import report

__all__ = ["report"]
