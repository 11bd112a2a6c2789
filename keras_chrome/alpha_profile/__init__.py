"""Attention averaged over genes predicted ON and OFF: the paper's Figure 2 (a)."""

from keras_chrome.alpha_profile.profile import AlphaProfile, alpha_profile

__all__ = ["AlphaProfile", "alpha_profile"]
