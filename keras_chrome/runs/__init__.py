"""Run directories, and the genes that their models are asked about."""

from keras_chrome.runs.config import RunConfig
from keras_chrome.runs.run import Run, new_run, open_run
from keras_chrome.runs.study import Study, open_study

__all__ = ["Run", "RunConfig", "Study", "new_run", "open_run", "open_study"]
