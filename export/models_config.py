"""`MODELS/models.config`: the models that TensorFlow Serving loads, and labels of their versions.

Format: TensorFlow Serving's `ModelServerConfig` in protobuf's text format, for
`--model_config_file`. A client asks for the version that has a label, `stable` or `canary`,
instead of one by its number.

The server loads every version that is there, and one that is deleted it lets go. It has to be so:
a running server moves a label only to a version that it has loaded, and else refuses the whole
file, so that it would never load a version that came with its label. For its start, when it has
loaded nothing, it needs `--allow_version_labels_for_unavailable_models`.
"""

import fcntl
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.atomic import atomic_path
from keras_chrome.errors import InputError

if TYPE_CHECKING:
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

MODELS_CONFIG_FILE = "models.config"
STABLE, CANARY = LABELS = ("stable", "canary")

# Where the container of TensorFlow Serving expects its models.
_BASE_PATH = "/models"
_HEADER = """\
# Written anew by every `python -m export`; move a label with `--label`.
# A server needs --allow_version_labels_for_unavailable_models to start with labels.
"""


def write_models_config(
    models_dir: str | Path,
    labels: Mapping[str, Mapping[str, int]] | None = None,
    *,
    base_path: str | None = None,
) -> dict[str, dict[str, int]]:
    """Write `models.config` anew from the versions that are there, and move labels.

    Labels stay where the present file has them. A model without a stable version gets one: the
    highest that is not its canary. A canary that is the stable version is none any more, so that
    to make it stable is to promote it. Every version is loaded. What else the present file says of
    a model stays.

    A line is printed for each model and for each label that is dropped because its folder is
    gone.

    Args:
        models_dir: Folder of served models, `NAME/VERSION`.
        labels: For some models by name, the version that `stable` or `canary` moves to.
        base_path: Where the server finds `models_dir`; by default where the present file says, and
            `/models`, as in the container, where there is none.

    Returns:
        The version of each label of each model.

    Raises:
        InputError: If `models_dir` is missing, the present file cannot be read, or a label is to
            move that is no label, or to a version that is not there. The file stays as it is.

    Example:
        >>> export.write_models_config("models", {"e012": {"stable": 2}})
        {'e012': {'stable': 2}}
    """
    from google.protobuf import text_format

    path = Path(models_dir).expanduser() / MODELS_CONFIG_FILE
    moved = labels or {}
    with _locked(path):
        config = read_models_config(models_dir)
        versions = _versions(path.parent)
        _check_labels(moved, versions, path.parent)
        entries = config.model_config_list.config
        if base_path is None:
            base_path = posixpath.dirname(entries[0].base_path) if entries else _BASE_PATH
        for entry in list(entries):
            if entry.name not in versions:
                print(f"{path}: {entry.name} dropped, no version of it is left", flush=True)
                entries.remove(entry)
        for name in versions.keys() - {entry.name for entry in entries}:
            entries.add(name=name)
        entries.sort(key=lambda entry: entry.name)
        for entry in entries:
            present, there = dict(entry.version_labels), versions[entry.name]
            for label, version in present.items():
                if version not in there:
                    print(f"{path}: {entry.name} {version} is gone, which was {label}", flush=True)
            settled = _settled({**present, **moved.get(entry.name, {})}, there)
            entry.base_path = posixpath.join(base_path, entry.name)
            entry.model_platform = "tensorflow"
            entry.version_labels.clear()
            entry.version_labels.update(settled)
            entry.model_version_policy.all.SetInParent()
        with atomic_path(path) as temporary:
            temporary.write_text(_HEADER + text_format.MessageToString(config))
    return {entry.name: dict(entry.version_labels) for entry in entries}


def read_models_config(models_dir: str | Path) -> "ModelServerConfig":
    """Read `models.config`; where there is none, it is empty.

    Raises:
        InputError: If it is no list of models in protobuf's text format, or names one twice.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    path = Path(models_dir).expanduser() / MODELS_CONFIG_FILE
    config = ModelServerConfig()
    try:
        text_format.Parse(path.read_text(), config)
        names = [entry.name for entry in config.model_config_list.config]
        if config.WhichOneof("config") == "custom_model_config" or len(set(names)) < len(names):
            raise ValueError("no list of models, each of them once")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (text_format.ParseError, ValueError) as error:
        raise InputError(
            "Expected a list of models as TensorFlow Serving's ModelServerConfig in text format. "
            f"Received: {path} ({error}). Mend it, or take it away: it is then written anew"
        ) from None
    return config


def labels_text(labels: Mapping[str, int]) -> str:
    """The labels of a model in words, such as `stable 1, canary 2`."""
    by_version = sorted(labels.items(), key=lambda item: item[1])
    return ", ".join(f"{label} {version}" for label, version in by_version)


def _settled(labels: Mapping[str, int], versions: set[int]) -> dict[str, int]:
    """Labels of versions that are there, one of them stable and the canary another."""
    settled = {label: version for label, version in labels.items() if version in versions}
    if STABLE not in settled:
        settled[STABLE] = max(versions - {settled.get(CANARY)} or versions)
    if settled.get(CANARY) == settled[STABLE]:
        del settled[CANARY]
    return settled


def _versions(models_dir: Path) -> dict[str, set[int]]:
    """The versions of each model; hidden folders are exports under way."""
    versions: dict[str, set[int]] = {}
    for file in models_dir.glob("[!.]*/*/saved_model.pb"):
        if file.parent.name.isdecimal():
            versions.setdefault(file.parent.parent.name, set()).add(int(file.parent.name))
    return versions


def _check_labels(
    labels: Mapping[str, Mapping[str, int]], versions: Mapping[str, set[int]], models_dir: Path
) -> None:
    for name, moved in labels.items():
        if name not in versions:
            raise InputError(
                f"Expected a model in {models_dir} ({', '.join(sorted(versions))}). Received: "
                f"name={name!r}"
            )
        for label, version in moved.items():
            if label not in LABELS:
                raise InputError(f"Expected one of {LABELS}. Received: label={label!r}")
            if version not in versions[name]:
                raise InputError(
                    f"Expected a version of {name} ({', '.join(map(str, sorted(versions[name])))})"
                    f". Received: {label}={version}"
                )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other export is between reading the file and writing it.

    Without, the later of two exports at once would write what it read before the earlier one added
    its model. The lock is a file of its own, since the file itself is replaced; it stays, since
    another export may be waiting for it.

    Raises:
        InputError: If the folder is missing.
    """
    try:
        lock = path.with_name(f".{path.name}.lock").open("w")
    except FileNotFoundError:
        raise InputError(
            f"Expected a folder of served models. Received: {path.parent}, which is missing. "
            "Export a model to it first"
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
