"""A published PyTorch AttentiveChrome as a run directory."""

from keras_chrome.import_weights.convert import ImportConfig, import_weights

__all__ = ["ImportConfig", "import_weights"]
