"""Export of runs: which model it is of, and where what is written goes."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from export.description import describe
from export.formats import MODEL_FILES, WRITERS, Format, check_format
from export.fresh_process import FreshProcess
from export.models_config import (
    CANARY,
    STABLE,
    labels_text,
    read_models_config,
    write_models_config,
)
from keras_chrome.atomic import unfinished
from keras_chrome.ensemble.members import check_each_once
from keras_chrome.errors import InputError
from keras_chrome.models.backend import require_tensorflow
from keras_chrome.runs import Run, open_run

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def export_run(
    run_dir: str | Path,
    models_dir: str | Path,
    name: str,
    version: int | None = None,
    *,
    format: Format = "savedmodel",
) -> Path:
    """Write a run's model as a SavedModel that TensorFlow Serving loads, or in ONNX.

    See `export_runs`, of which this is the case of one run.

    Example:
        >>> export.export_run("runs/e012", "models", "e012")
        PosixPath('models/e012/1')
    """
    return export_runs([run_dir], models_dir, name, version, format=format)


def export_runs(
    run_dirs: Sequence[str | Path],
    models_dir: str | Path,
    name: str,
    version: int | None = None,
    *,
    format: Format = "savedmodel",
    stable: bool = False,
    base_path: str | None = None,
    fresh_process: FreshProcess | None = None,
) -> Path:
    """Write the model of a run, or the ensemble of several, as a SavedModel or in ONNX.

    Several runs are exported as the ensemble of equal weights that `keras_chrome.ensemble` would
    make of them: its probability is the sigmoid of the mean of their logits, of regression its
    expression the mean of theirs.

    The model appears in one step, complete and checked: it is built under a hidden name in
    `models_dir`, loaded in a process without our code, compared there with the Keras model, and
    renamed. A server that watches the folder sees all of it or nothing, and a failed export leaves
    nothing.

    Beside the graph a SavedModel holds `assets/keras_chrome.json`, which says what the model
    expects and answers (the `describe` signature answers the same text), and warm-up requests.
    `models_dir/models.config` then names the version: as stable if it is the first one, else as
    canary, see `write_models_config`.

    In ONNX there are `model.onnx`, with all outputs, and `predict.onnx`, with the answer alone;
    what the sidecar says is their metadata `keras_chrome`. Nothing has labels.

    Args:
        run_dirs: Run directories, as `keras_chrome.fit` writes them. Members of an ensemble differ
            in their weights alone.
        models_dir: Folder of served models, of one format; made if it is missing.
        name: Name of the served model.
        version: Version of the served model, at least 1; by default one more than the highest
            that is there.
        format: `savedmodel`, or `onnx`, which takes the extra of that name.
        stable: Make the version stable at once.
        base_path: Where a server finds `models_dir`, see `write_models_config`.
        fresh_process: The process to compare in, for several exports; by default one of its own.

    Returns:
        The folder of the model, `models_dir/name/version`.

    Raises:
        InputError: If a run is not one of this version or is one of a baseline
            that the format does not hold, runs are the same
            or not of one kind, the name or the version cannot be used, or `models_dir` or its
            `models.config` cannot be read and written, or the format is not that of `models_dir`.
        ExportError: If the export does not answer as the Keras model does.

    Example:
        >>> export.export_runs(["runs/seed-0", "runs/seed-1"], "models", "e012")
        PosixPath('models/e012/2')
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "Expected a name of letters, digits, '_', '-' and '.', without a slash and not "
            f"starting with '.' or '-'. Received: name={name!r}"
        )
    models_dir = Path(models_dir).expanduser()
    model_dir = models_dir / name / str(_checked_version(models_dir / name, version))
    if not run_dirs:
        raise InputError("Expected at least one run. Received: run_dirs=[]. Name one")
    check_each_once(run_dirs)
    check_format(format, models_dir, stable=stable, base_path=base_path)

    runs = [open_run(run_dir) for run_dir in run_dirs]
    description = json.dumps(describe(runs, format), indent=2)
    with nullcontext(fresh_process) if fresh_process else FreshProcess() as process:
        labels = {name: {STABLE if stable else CANARY: int(model_dir.name)}}

        def announce() -> None:
            if format == "savedmodel":
                write_models_config(models_dir, labels, base_path=base_path)

        with _appearing_at(model_dir, announce) as staging_dir:
            _write(runs, staging_dir, name, description, format, process)
    return model_dir


def export_line(model_dir: Path, run_dirs: Sequence[str | Path]) -> str:
    """What a command prints of an export."""
    what = "exported" if len(run_dirs) == 1 else f"exported an ensemble of {len(run_dirs)}"
    is_baseline = open_run(run_dirs[0]).config.kind == "baseline"
    line = f"{model_dir}: {what}; answers as {'scikit-learn' if is_baseline else 'Keras'} does"
    if not (model_dir / MODEL_FILES["savedmodel"]).exists():
        return line
    (labels,) = (
        dict(entry.version_labels)
        for entry in read_models_config(model_dir.parent.parent).model_config_list.config
        if entry.name == model_dir.parent.name
    )
    return f"{line}; {labels_text(labels)}"


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
def _appearing_at(target: Path, announce: Callable[[], object]) -> Iterator[Path]:
    """A new hidden folder that becomes `target` at the end, or vanishes with all that it made.

    Once it is there, `announce` is called; if that fails, `target` vanishes too.
    """
    # Beside the served models, not beside the versions: TensorFlow Serving never looks here.
    models_dir = target.parent.parent
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        with _room_in(models_dir) as folder:
            ours = folder / "new"
            ours.mkdir()
            yield ours
            target.parent.mkdir(exist_ok=True)
            # Renaming onto a version that another export has just made fails: it is not empty.
            ours.rename(target)
        try:
            announce()
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    except BaseException:
        for folder in made:
            with suppress(OSError):  # never made, or no longer ours alone
                folder.rmdir()
        raise


@contextmanager
def _room_in(models_dir: Path) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            models_dir.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(unfinished(models_dir))
        except OSError as error:
            raise InputError(
                "Expected a folder of models that can be written. Received: "
                f"{models_dir} ({error.strerror}). Name another with --models-dir"
            ) from error
        yield folder


def _write(
    runs: Sequence[Run],
    model_dir: Path,
    name: str,
    description: str,
    format: Format,
    process: FreshProcess,
) -> None:
    require_tensorflow()

    import numpy as np
    import tensorflow as tf

    from export.checks import ExportError
    from keras_chrome.models.ensemble import ensemble_model

    writer = import_module(WRITERS[format])
    models: list[Any] = [run.load_model() for run in runs]
    model = models[0] if len(models) == 1 else ensemble_model(models)
    config, num_genes = runs[0].config, 4
    num_bins, num_marks = config.arguments.get("num_bins", config.bins.num_bins), len(config.marks)
    if config.kind == "baseline":
        num_genes = 512  # Trees differ in few genes.
    # Counts as a ChIP-seq experiment gives: overdispersed, many zeros.
    random = np.random.default_rng(0)
    signal = random.negative_binomial(1, 0.2, (num_genes, num_bins, num_marks)).astype(np.float32)
    try:
        writer.write(model, model_dir, name, description, signal)
    except (OSError, tf.errors.OpError) as error:
        # Without the name of the operation, which TensorFlow puts first.
        reason = str(error).splitlines()[0].rpartition("}} ")[2]
        raise InputError(
            f"Expected room for the model. Received: {model_dir} ({reason}). Free some, or name "
            "another folder with --models-dir"
        ) from error
    try:
        writer.check(model, model_dir, description, signal, process)
    except RuntimeError as error:
        raise ExportError(
            "Expected a model that loads and answers without our code. Received: "
            f"{model_dir} ({error}). This is a fault of the export: report it"
        ) from error
