"""TensorFlow Serving's `models.config`: which models it serves, and labels of their versions."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from serving.errors import InputError
from serving.messages import read_text_proto

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig
MODELS_CONFIG_FILE = "models.config"
# Where TensorFlow Serving's container has the folder of models.
CONTAINER_MODELS = PurePosixPath("/models")


def read_models_config(path: str | Path) -> "ModelServerConfig":
    """Read the file of `--models-config`: `ModelServerConfig` as protobuf text.

    Args:
        path: The file, or the folder of models that has it.

    Raises:
        InputError: If the file cannot be read or holds something else.
    """
    from tensorflow_serving.config import model_server_config_pb2

    path = Path(path)
    file = path / MODELS_CONFIG_FILE if path.is_dir() else path
    return read_text_proto(file, model_server_config_pb2.ModelServerConfig())


def point_into(config: "ModelServerConfig", models_dir: Path) -> None:
    """Let a configuration that lies among its models mean these, wherever a server has them.

    `python -m export --base-path` writes where another server finds the folder.
    """
    for model in config.model_config_list.config:
        folder = PurePosixPath(model.base_path)
        if not folder.is_relative_to(CONTAINER_MODELS) and (models_dir / folder.name).is_dir():
            model.base_path = str(CONTAINER_MODELS / folder.name)


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
