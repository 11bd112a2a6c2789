import keras
import numpy as np

from keras_chrome.layers import PlaceEmbedding


def test_it_adds_a_vector_of_the_position_and_one_of_the_mark() -> None:
    keras.utils.set_random_seed(0)
    layer, states = PlaceEmbedding(), np.ones((2, 4, 3, 5), np.float32)
    placed = np.asarray(layer(states))
    of_position, of_mark = layer.get_weights()
    assert (of_position.shape, of_mark.shape) == ((4, 1, 5), (3, 5))
    np.testing.assert_allclose(placed[1, 2, 1], 1 + of_position[2, 0] + of_mark[1], rtol=1e-6)
    assert len(np.unique(placed[0].reshape(12, 5), axis=0)) == 12  # No two places are alike.
