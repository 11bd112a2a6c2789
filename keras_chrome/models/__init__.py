"""The paper's models, one family a file, and the registry that names them."""

from keras_chrome.models.registry import VARIANTS, build_model, logit_model, logit_output

__all__ = ["VARIANTS", "build_model", "logit_model", "logit_output"]
