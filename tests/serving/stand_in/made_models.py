"""SavedModels that describe themselves as exported ones do, and are loaded at once."""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf


def save_describing(
    path: Path,
    marks: tuple[str, ...] = ("x", "y"),
    num_bins: int = 3,
    kept: slice = slice(None),
    factor: float = 1.0,
    **details: Any,
) -> None:
    """Save a model whose attention is the signal, so that a gene is known by its answer.

    Args:
        path: The folder of the version.
        marks: Names of the marks.
        num_bins: Number of bins.
        kept: The bins whose attention it answers, for one that lies.
        factor: Of the probability, for one that is broken.
        **details: What it says of itself beside them; an ensemble if there are several `members`,
            additive if its `variant` is, of expression if its `task` is regression.
    """
    region = {"bin_bp": 100, "flank_bp": 50 * num_bins, "transform": "log1p"}
    about = {"marks": marks, "num_bins": num_bins, **region, "label_rule": "median", **details}
    description = json.dumps(about)

    output = "expression" if details.get("task") == "regression" else "probability"

    def predict(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        mean = tf.reduce_mean(signal, (1, 2))
        return {output: factor * (mean if output == "expression" else tf.sigmoid(mean - 3))}

    def serving_default(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        beta = 0 * signal[:, 0, :] + 1
        alpha = tf.transpose(signal[:, kept], (0, 2, 1))
        answer = {**predict(signal), "alpha": alpha, "beta": 0.5 * beta}
        if details.get("members", 1) > 1:
            one = beta[:, 0]
            answer |= {f"{output}_sd": 0.1 * one, "alpha_sd": alpha + 1, "beta_sd": 0.25 * beta}
        if details.get("variant") == "additive_chrome":
            answer["contribution"] = alpha - 3
        return answer

    def describe(query: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"description": tf.fill(tf.shape(query), description)}

    signal = tf.TensorSpec((None, num_bins, len(marks)), tf.float32, name="signal")
    query = tf.TensorSpec((None,), tf.float32, name="query")
    signatures = {
        "serving_default": tf.function(serving_default).get_concrete_function(signal),
        "predict": tf.function(predict).get_concrete_function(signal),
        "describe": tf.function(describe).get_concrete_function(query),
    }
    tf.saved_model.save(tf.Module(), str(path), signatures)
