"""Export of a run: what goes into the SavedModel, and where the SavedModel goes."""

import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError

if TYPE_CHECKING:
    from keras_chrome.run_directory import Run

SIDECAR_FILE = Path("assets") / "keras_chrome.json"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def export_run(
    run_dir: str | Path,
    models_dir: str | Path,
    name: str,
    version: int | None = None,
) -> Path:
    """Write a run's model as a SavedModel that TensorFlow Serving loads.

    The model appears in one step, complete and checked: it is built under a hidden name in
    `models_dir`, compared with the Keras model, and renamed. A server that watches the folder sees
    all of it or nothing, and a failed export leaves nothing.

    Beside the graph the SavedModel holds `assets/keras_chrome.json`, which says what the model
    expects and answers (the `describe` signature answers the same text), and warm-up requests.

    Args:
        run_dir: A run directory, as `keras_chrome.fit` writes it.
        models_dir: Folder of served models; made if it is missing.
        name: Name of the served model.
        version: Version of the served model, at least 1; by default one more than the highest
            that is there.

    Returns:
        The SavedModel, `models_dir/name/version`.

    Raises:
        InputError: If `run_dir` is not a run of this version or is one of a baseline, the name or
            the version cannot be used, or `models_dir` cannot be written.
        ExportError: If the SavedModel does not answer as the Keras model does.

    Example:
        >>> export.export_run("runs/e012", "models", "e012")
        PosixPath('models/e012/1')
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "Expected a name of letters, digits, '_', '-' and '.', without a slash and not "
            f"starting with '.' or '-'. Received: name={name!r}"
        )
    model_dir = Path(models_dir) / name / str(_checked_version(Path(models_dir) / name, version))

    # Only now: opening a run imports TensorFlow, which takes seconds.
    from keras_chrome.run_directory import open_run

    run = open_run(run_dir)
    with _appearing_at(model_dir) as staging_dir:
        _write(run, staging_dir, name)
    return model_dir


def _checked_version(versions_dir: Path, version: int | None) -> int:
    taken = set()
    if versions_dir.is_dir():
        taken = {int(p.name) for p in versions_dir.iterdir() if p.name.isdecimal()}
    following = max(taken, default=0) + 1
    if version is None:
        return following
    if version < 1 or version in taken:
        raise InputError(
            f"Expected a version of at least 1 that {versions_dir} does not hold. Received: "
            f"version={version}. Take {following}, or leave the version out"
        )
    return version


@contextmanager
def _appearing_at(target: Path) -> Iterator[Path]:
    """A new hidden folder that becomes `target` at the end, or vanishes with all that it made."""
    made = [folder for folder in target.parents if not folder.exists()]
    # Beside the served models, not beside the versions: TensorFlow Serving never looks here.
    staging = target.parent.parent / f".{target.parent.name}-{uuid.uuid4().hex}"
    try:
        try:
            staging.mkdir(parents=True)
        except OSError as error:
            raise InputError(
                "Expected a folder of models that can be written. Received: "
                f"{staging.parent} ({error.strerror}). Name another with --to"
            ) from error
        yield staging
        target.parent.mkdir(exist_ok=True)
        # Renaming onto a version that another export has just made fails: it is not empty.
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            with suppress(OSError):  # never made, or no longer ours alone
                folder.rmdir()
        raise


def _write(run: "Run", model_dir: Path, name: str) -> None:
    import keras
    import numpy as np
    import tensorflow as tf

    from export.checks import check_parity, check_portable
    from export.signatures import build_servable
    from export.warmup import write_warmup

    model = run.load_model()
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected a run of a Keras model. Received: {run.path}, a run of the baseline "
            f"{run.model_name}, which has no graph to serve"
        )
    _, num_bins, num_marks = model.input_shape
    # Counts as a ChIP-seq experiment gives: overdispersed, many zeros.
    random = np.random.default_rng(0)
    signal = random.negative_binomial(1, 0.2, (4, num_bins, num_marks)).astype(np.float32)
    description = json.dumps(describe(run.config), indent=2)
    servable = build_servable(model, description)
    try:
        tf.saved_model.save(servable.module, str(model_dir), servable.signatures)
        sidecar = model_dir / SIDECAR_FILE
        sidecar.parent.mkdir(exist_ok=True)
        sidecar.write_text(description)
        warmup = {key: ("signal", signal[:1]) for key in servable.signatures if key != "describe"}
        write_warmup(model_dir, name, {**warmup, "describe": ("query", np.zeros(1, np.float32))})
    except (OSError, tf.errors.OpError) as error:
        # Without the name of the operation, which TensorFlow puts first.
        reason = str(error).splitlines()[0].rpartition("}} ")[2]
        raise InputError(
            f"Expected room for the SavedModel. Received: {model_dir} ({reason}). Free some, or "
            "name another folder with --to"
        ) from error
    check_portable(model_dir)
    check_parity(model, model_dir, signal, description)


def describe(config: dict[str, Any]) -> dict[str, Any]:
    """What a client must know of a model, from the config of its run.

    Returns:
        The contents of `assets/keras_chrome.json`, which `serving.client` reads as well.
    """
    from importlib.metadata import version

    model, dataset = config["model"], config["dataset"]
    labels = config["options"].get("labels")
    # A run with imported weights knows less of its data than one that was trained here.
    known = {key: dataset.get(key) for key in ("bin_bp", "flank_bp", "oriented", "genome")}
    return {
        "format": 1,
        "variant": model["variant"],
        "marks": list(model["marks"]),
        "num_bins": model["num_bins"],
        "transform": model["transform"],
        "probability_of": "high expression",
        "label_rule": "as published" if labels == "published" else dataset.get("label_rule"),
        "dataset": dataset.get("name"),
        **known,
        "versions": {
            package: version(package) for package in ("keras-chrome", "tensorflow", "keras")
        },
    }
