"""Models x datasets x label rules x seeds, trained and ranked."""

from keras_chrome.sweep.config import RUN_NAME, SweepConfig
from keras_chrome.sweep.runs import sweep

__all__ = ["RUN_NAME", "SweepConfig", "sweep"]
