"""Importance against a mark that was not trained on: the paper's Table 3, and beyond."""

from keras_chrome.compare.correlations import CompareConfig, compare
from keras_chrome.compare.output import write_comparison

__all__ = ["CompareConfig", "compare", "write_comparison"]
