"""Attention to a mark under a mark that was not trained on: the paper's Figure 2 (b)."""

from keras_chrome.alpha_coverage.coverage import AlphaCoverage, alpha_coverage

__all__ = ["AlphaCoverage", "alpha_coverage"]
