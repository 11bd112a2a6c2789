"""Keras layers of the models, one a file."""

from keras_chrome.layers.additive_logit import AdditiveLogit
from keras_chrome.layers.attention_pooling import AttentionPooling
from keras_chrome.layers.attentive_bidirectional_lstm import AttentiveBidirectionalLSTM
from keras_chrome.layers.bidirectional_lstm import BidirectionalLSTM
from keras_chrome.layers.markwise_bidirectional_lstm import MarkwiseBidirectionalLSTM
from keras_chrome.layers.markwise_convolution import MarkwiseConvolution
from keras_chrome.layers.place_embedding import PlaceEmbedding
from keras_chrome.layers.signal_transform import SignalTransform
from keras_chrome.layers.spread_over_bins import SpreadOverBins
from keras_chrome.layers.weighted_deviation import WeightedDeviation
from keras_chrome.layers.weighted_mean import WeightedMean

__all__ = [
    "AdditiveLogit",
    "AttentionPooling",
    "AttentiveBidirectionalLSTM",
    "BidirectionalLSTM",
    "MarkwiseBidirectionalLSTM",
    "MarkwiseConvolution",
    "PlaceEmbedding",
    "SignalTransform",
    "SpreadOverBins",
    "WeightedDeviation",
    "WeightedMean",
]
