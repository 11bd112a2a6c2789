"""What a model attends to."""

from keras_chrome.attend.attention import attend

__all__ = ["attend"]
