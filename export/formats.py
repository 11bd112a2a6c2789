"""The formats of exports, and what a folder of models must be to take one."""

import typing
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from export.models_config import read_models_config
from keras_chrome.errors import InputError

Format = Literal["savedmodel", "onnx"]
FORMATS: tuple[Format, ...] = typing.get_args(Format)
# The file by which an export of each format is known.
MODEL_FILES: dict[Format, str] = {"savedmodel": "saved_model.pb", "onnx": "model.onnx"}
# The module that writes and checks each; imported late, for what it imports takes seconds.
WRITERS: dict[Format, str] = {
    "savedmodel": "export.saved_model",
    "onnx": "export.onnx_model",
}
# The baselines that skl2onnx knows.
ONNX_BASELINES = (
    "logistic_regression",
    "logistic_regression_max",
    "svm",
    "random_forest",
    "random_forest_best_bin",
    "gradient_boosting_bins",
)
_PACKAGES_FOR_ONNX = ("onnx", "onnxruntime", "tf2onnx")


def check_format(
    format: Format, models_dir: Path, *, stable: bool = False, base_path: str | None = None
) -> None:
    """Refuse, before the work, a format that cannot be exported in the way that is asked for.

    A folder holds models of one format: TensorFlow Serving would be told of none that it cannot
    load, and a name never means two things.

    Args:
        format: The format.
        models_dir: Folder of served models, there or not.
        stable: As `export_runs` takes it.
        base_path: As `export_runs` takes it.

    Raises:
        InputError: If the format is unknown, or has no labels but is given some, or `models_dir`
            holds models of another one or a `models.config` that cannot be read.
        ModuleNotFoundError: If the extra that the format takes is not installed.
    """
    if format not in FORMATS:
        raise InputError(f"Expected one of {FORMATS}. Received: format={format!r}")
    for other in set(FORMATS) - {format}:
        if found := next(models_dir.glob(f"[!.]*/*/{MODEL_FILES[other]}"), None):
            raise InputError(
                f"Expected a folder of models of format {format} alone. Received: {found.parent}, "
                f"of format {other}. Name another with --models-dir"
            )
    if format == "savedmodel":
        read_models_config(models_dir)
        return
    if stable or base_path is not None:
        raise InputError(
            "Expected neither --stable nor --base-path with --format onnx: labels are TensorFlow "
            f"Serving's. Received: stable={stable}, base_path={base_path!r}"
        )
    for package in _PACKAGES_FOR_ONNX:
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
