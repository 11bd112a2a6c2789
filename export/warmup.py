"""Warm-up requests, which TensorFlow Serving replays before it calls a model available.

Format: TensorFlow Serving's SavedModel warmup, a TFRecord file of `PredictionLog` messages.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def write_warmup(model_dir: Path, name: str, inputs: Mapping[str, tuple[str, np.ndarray]]) -> None:
    """Write one request a signature into a SavedModel.

    Args:
        model_dir: The SavedModel.
        name: Name under which the model is served.
        inputs: For each signature, the key of its input and a value.
    """
    path = model_dir / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, (key, value) in inputs.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
