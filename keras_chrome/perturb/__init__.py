"""A mark's signal changed in silico, and what the model then answers."""

from keras_chrome.perturb.effects import perturb, perturb_all_marks
from keras_chrome.perturb.perturbation import Perturbation, perturb_signal

__all__ = ["Perturbation", "perturb", "perturb_all_marks", "perturb_signal"]
