"""Several runs as one run, whose model is the mean of theirs."""

from keras_chrome.ensemble.join import ensemble

__all__ = ["ensemble"]
