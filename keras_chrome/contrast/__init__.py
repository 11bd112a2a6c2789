"""Two epigenomes: which genes switch, and what changed in signal, alpha and beta."""

from keras_chrome.contrast.epigenomes import Contrast, contrast
from keras_chrome.contrast.output import write_contrast

__all__ = ["Contrast", "contrast", "write_contrast"]
