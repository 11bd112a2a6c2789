"""Train a model on a built dataset."""

from keras_chrome.fit.config import MODELS, PRESETS, FitConfig
from keras_chrome.fit.job import fit

__all__ = ["MODELS", "PRESETS", "FitConfig", "fit"]
