"""Which importance method to believe, for which question."""

from keras_chrome.faithfulness.config import FaithfulnessConfig
from keras_chrome.faithfulness.measures import Faithfulness
from keras_chrome.faithfulness.output import write_faithfulness
from keras_chrome.faithfulness.suite import faithfulness

__all__ = ["Faithfulness", "FaithfulnessConfig", "faithfulness", "write_faithfulness"]
