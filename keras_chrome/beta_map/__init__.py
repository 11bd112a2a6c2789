"""Attention to marks for a gene over epigenomes: the paper's Figure 2 (c)."""

from keras_chrome.beta_map.table import beta_map

__all__ = ["beta_map"]
