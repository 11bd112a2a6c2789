"""Which models the page offers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from serving.errors import InputError
from serving.models_config import read_models


class ServedModel(NamedTuple):
    """A model of the server, or the version of it that has a label.

    Attributes:
        name: As the server knows it.
        label: Label of a version, such as `stable`, or None for the version that the server takes.
    """

    name: str
    label: str | None = None

    @property
    def key(self) -> str:
        """What stands for it in an address."""
        return self.name if self.label is None else f"{self.name}:{self.label}"

    @property
    def text(self) -> str:
        """What people read."""
        return self.name if self.label is None else f"{self.name} ({self.label})"


def read_served_models(path: str | Path) -> list[ServedModel]:
    """Read the models, and their labels, that TensorFlow Serving's `models.config` names.

    Returns:
        In the order of the file; of a model with labels one for each, `stable` first.

    Raises:
        InputError: If the file cannot be read or names no model.
    """
    models: list[ServedModel] = []
    for model in read_models(path):
        labels = sorted(model.version_labels, key=lambda label: (label != "stable", label))
        models += [ServedModel(model.name, label) for label in labels or (None,)]
    return models


def named(names: Iterable[str]) -> list[ServedModel]:
    """Models by their names alone, each once."""
    return [ServedModel(name) for name in dict.fromkeys(names)]


def find_model(models: Sequence[ServedModel], key: str) -> ServedModel:
    """The model that an address means; a name alone means the first of its labels.

    Raises:
        InputError: If no such model is offered.
    """
    for model in models:
        if model.key == key:
            return model
    for model in models:
        if model.name == key:
            return model
    raise InputError(
        f"Expected one of the models {', '.join(model.key for model in models)}. "
        f"Received: model={key}"
    )
