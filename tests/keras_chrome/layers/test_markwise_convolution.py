import keras
import numpy as np
import pytest

from keras_chrome.layers import MarkwiseConvolution


@pytest.mark.parametrize(
    ("bins", "width", "stride"), [(10, 3, 1), (10, 4, 2), (9, 5, 2), (7, 9, 3)]
)
def test_it_is_a_depthwise_convolution_with_its_filters_sorted_by_mark(
    bins: int, width: int, stride: int
) -> None:
    signal = np.random.default_rng(0).normal(size=(2, bins, 3)).astype(np.float32)
    layer = MarkwiseConvolution(4, width, stride)
    depthwise = keras.layers.DepthwiseConv1D(
        width, stride, padding="same", depth_multiplier=4, bias_initializer="normal"
    )
    expected = np.asarray(depthwise(signal)).reshape(2, -1, 3, 4)
    layer.build(signal.shape)
    kernel, bias = depthwise.get_weights()
    layer.set_weights([np.moveaxis(kernel, 1, 0), bias.reshape(3, 4)])
    encoded = layer(signal)
    assert encoded.shape == layer.compute_output_shape(signal.shape) == expected.shape
    np.testing.assert_allclose(encoded, expected, atol=1e-5)
