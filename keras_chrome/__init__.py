"""Predict gene expression from histone marks with attention, and show why.

Importing this package imports no TensorFlow; its functions do so when they are called.
"""

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["InputError", "load_model"]
__version__ = _version("keras-chrome")


def load_model(run_dir: "str | Path") -> Any:
    """Load the trained model of a run directory, in any process.

    Args:
        run_dir: A run directory, as `fit` or `import_weights` writes it.

    Returns:
        A float32 Keras model from signal `(batch, bins, marks)`, as measured, to a dict:
        `probability` `(batch,)`, and where the variant has them `alpha` `(batch, marks, bins)`
        and `beta` `(batch, marks)`.

    Raises:
        InputError: If the directory is missing, incomplete or of another version.

    Example:
        >>> model = keras_chrome.load_model("runs/E012")
        >>> model(signal)["probability"]
    """
    from keras_chrome.runs import open_run

    return open_run(run_dir).load_model()
