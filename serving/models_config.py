"""TensorFlow Serving's `models.config`: which models it serves, and labels of their versions."""

from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import InputError
from serving.messages import read_text_proto

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig


def read_models_config(path: str | Path) -> "ModelServerConfig":
    """Read the file of `--model_config_file`: `ModelServerConfig` as protobuf text.

    Raises:
        InputError: If the file cannot be read or holds something else.
    """
    from tensorflow_serving.config import model_server_config_pb2

    return read_text_proto(path, model_server_config_pb2.ModelServerConfig())


def read_models(path: str | Path) -> "list[ModelConfig]":
    """The models that such a file names, at least one, in its order.

    Raises:
        InputError: Likewise, and if it names none.
    """
    models = list(read_models_config(path).model_config_list.config)
    if not models:
        raise InputError(
            f"Expected a models.config that names models. Received: {path}, which names none. "
            "Write one: python -m export"
        )
    return models
