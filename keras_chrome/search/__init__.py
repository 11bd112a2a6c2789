"""Search for the options of a training that validate best."""

from keras_chrome.search.config import SearchConfig
from keras_chrome.search.loop import search

__all__ = ["SearchConfig", "search"]
