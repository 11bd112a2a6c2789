"""One scale for the scores of networks and baselines."""

import keras
import numpy as np
from scipy.special import expit, logit

from keras_chrome.importance.occlusion import occlusion
from keras_chrome.importance.scores import model_scores


def test_a_network_has_its_own_logit(linear_model: keras.Model, signal: np.ndarray) -> None:
    # So certain that its probability is 1, a network still has a logit.
    versions = [signal, 100 * signal]
    scores = list(model_scores(linear_model, versions, num_versions=2, title="scores"))
    for version, score in zip(versions, scores, strict=True):
        expected = keras.ops.convert_to_numpy(
            keras.Model(linear_model.input, linear_model.get_layer("logit").output)(version)
        )[:, 0]
        np.testing.assert_allclose(score.logit, expected, rtol=1e-4)
        np.testing.assert_allclose(score.probability, expit(score.logit))
    assert np.abs(scores[1].logit).max() > 100


def test_another_model_has_clipped_log_odds() -> None:
    probability = np.array([0.0, 0.25, 1.0])
    (scores,) = model_scores(
        lambda _: {"probability": probability},
        [np.zeros((3, 8, 2))],
        num_versions=1,
        title="scores",
    )
    np.testing.assert_array_equal(scores.probability, probability)
    np.testing.assert_allclose(scores.logit, logit([0.001, 0.25, 0.999]))


def test_a_network_and_a_model_of_its_probabilities_are_occluded_alike(
    model: keras.Model, signal: np.ndarray
) -> None:
    def probabilities(version: np.ndarray) -> dict[str, np.ndarray]:
        return {"probability": model(version)["probability"].numpy()}

    network, other = (occlusion(m, signal, window_bins=4) for m in (model, probabilities))
    assert np.abs(network).max() > 0.1
    np.testing.assert_allclose(other, network, atol=1e-5)
