"""The LSTM over marks against the stock Keras layer."""

import keras
import numpy as np

from keras_chrome.layers import BidirectionalLSTM


def test_equals_the_stock_bidirectional_lstm() -> None:
    keras.utils.set_random_seed(1)
    inputs = np.random.default_rng(0).normal(size=(3, 5, 6)).astype(np.float32)
    layer = BidirectionalLSTM(4)
    answer = layer(inputs)
    stock = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))
    stock.build(inputs.shape)
    stock.set_weights([w[0, direction] for direction in (0, 1) for w in layer.get_weights()])
    np.testing.assert_allclose(answer, stock(inputs), atol=1e-5)


def test_config_round_trip() -> None:
    layer = BidirectionalLSTM(4, name="marks")
    assert BidirectionalLSTM.from_config(layer.get_config()).get_config() == layer.get_config()
