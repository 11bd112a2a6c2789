"""Which models the page asks, and how much it lets others ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from serving.command_line import option
from serving.errors import InputError
from serving.models_config import read_models
from serving.onnx_client import model_of
from serving.tls import Tls
from serving.web.catalogue import Catalogue


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


@dataclass(frozen=True)
class WebConfig:
    """What the page asks, and how much it lets others ask.

    Attributes:
        target: `host:port` of the server's gRPC interface.
        models: Names of served models. Empty where `models_config` says them.
        models_config: TensorFlow Serving's `models.config`, read anew for every page, so that
            models and labels may change.
        onnx: ONNX files in place of a server: the page answers from them itself.
        catalogues: Datasets whose genes can be picked, by name.
        tls: How to reach the server over TLS; without it by default.
        timeout_s: Longest wait for one answer of the server.
        max_upload_mb: Most of CSV text, in MB of 2^20 bytes.
        max_genes: Most genes at once.
        allowed_hosts: Names under which the page may be asked for; all by default.

    Raises:
        InputError: If not exactly one of `models`, `models_config` and `onnx` is given, or a limit
            is not positive.
    """

    target: str = option("host:port of the server", default="localhost:8500")
    models: tuple[str, ...] = option("served models", default=(), metavar="NAME")
    models_config: str | Path | None = option(
        "TensorFlow Serving's models.config, which names models and labels of versions; read anew "
        "for every page",
        default=None,
        aliases=("model_config_file",),
        metavar="FILE",
    )
    onnx: tuple[Path, ...] = option(
        "models exported with --format onnx, which the page itself answers from, without a server",
        default=(),
        metavar="FILE",
    )
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    tls: Tls | None = None
    timeout_s: float = option("longest wait for an answer", default=30.0)
    max_upload_mb: float = option("most CSV text, MB", default=8.0)
    max_genes: int = option("most genes at once", default=2000)
    allowed_hosts: tuple[str, ...] = option(
        "names under which the page may be asked for, such as that of a proxy before it "
        "(default: this machine's own on a loopback address, otherwise any)",
        default=("*",),
        metavar="NAME",
    )

    def __post_init__(self) -> None:
        if bool(self.models) + (self.models_config is not None) + bool(self.onnx) != 1:
            raise InputError(
                "Expected the names of models, a models.config or ONNX files. Received: "
                f"models={', '.join(self.models) or None}, models_config={self.models_config}, "
                f"onnx={', '.join(map(str, self.onnx)) or None}"
            )
        for name in ("timeout_s", "max_upload_mb", "max_genes"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"Expected a positive number. Received: {name}={getattr(self, name)}"
                )

    @property
    def max_upload_bytes(self) -> int:
        """Most bytes of a request's body."""
        return int(self.max_upload_mb * 2**20)

    def offered_models(self) -> list[ServedModel]:
        """The models that can be picked.

        Raises:
            InputError: If `models_config` cannot be read.
        """
        if self.onnx:
            return [ServedModel(model_of(file)[0]) for file in self.onnx]
        if self.models_config is None:
            return [ServedModel(name) for name in dict.fromkeys(self.models)]
        return read_served_models(self.models_config)


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


def find_model(models: Sequence[ServedModel], key: str) -> ServedModel:
    """The model that an address means; a name alone means the first of its labels.

    Raises:
        InputError: If no such model is offered.
    """
    named = [model for model in models if key in (model.key, model.name)]
    if named:
        return min(named, key=lambda model: model.key != key)
    raise InputError(
        f"Expected one of the models {', '.join(model.key for model in models)}. "
        f"Received: model={key}"
    )
