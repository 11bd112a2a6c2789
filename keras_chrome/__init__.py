"""Predict gene expression from histone marks with attention, and show why.

Every verb of the command line is a function here, `keras_chrome.fit` and so on, and its module at
the same time: `from keras_chrome import fit` and `from keras_chrome.fit import FitConfig` go
together in any order.

Importing this package imports no TensorFlow; its functions do so when they are called. Where Keras
is imported, before or after it, Keras knows our layers: `keras.models.load_model` reads a run's
`model.keras`.
"""

import sys
from importlib import import_module as _import_module
from importlib.metadata import version as _version
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING, Any

from wrapt import register_post_import_hook as _after_import_of

from keras_chrome.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keras_chrome.alpha_coverage import alpha_coverage
    from keras_chrome.alpha_profile import alpha_profile
    from keras_chrome.attend import attend
    from keras_chrome.audit_labels import audit_labels
    from keras_chrome.beta_map import beta_map
    from keras_chrome.compare import compare
    from keras_chrome.contrast import contrast
    from keras_chrome.ensemble import ensemble
    from keras_chrome.evaluate import evaluate
    from keras_chrome.explain import explain
    from keras_chrome.faithfulness import faithfulness
    from keras_chrome.fit import fit
    from keras_chrome.import_weights import import_weights
    from keras_chrome.leaderboard import leaderboard
    from keras_chrome.perturb import perturb
    from keras_chrome.publish import publish
    from keras_chrome.report import report
    from keras_chrome.search import search
    from keras_chrome.sweep import sweep
    from keras_chrome.tracks import tracks

__all__ = [
    "InputError",
    "alpha_coverage",
    "alpha_profile",
    "attend",
    "audit_labels",
    "beta_map",
    "compare",
    "contrast",
    "ensemble",
    "evaluate",
    "explain",
    "faithfulness",
    "fit",
    "import_weights",
    "leaderboard",
    "load_model",
    "perturb",
    "publish",
    "report",
    "search",
    "sweep",
    "tracks",
]
__version__: str


def load_model(run_dir: "str | Path") -> Any:
    """Load the trained model of a run directory or of a published folder, in any process.

    To train it further with Keras's own `fit`, take its probability alone: a model of the same
    weights, to which losses and metrics apply without a word on attention.

    Args:
        run_dir: A run directory, as `fit` or `import_weights` writes it, or a folder that `publish`
            wrote: here, at an https URL, or on Hugging Face, `hf://OWNER/NAME[@REVISION]`. What is
            fetched is checked and kept, and needs no network the next time.

    Returns:
        A float32 Keras model from signal `(batch, bins, marks)`, as measured, to a dict:
        `probability` `(batch,)`, and where the variant has them `alpha` `(batch, marks, bins)`
        and `beta` `(batch, marks)`.

    Raises:
        InputError: If the directory is missing, incomplete or of another version, or cannot be
            fetched.

    Example:
        >>> model = keras_chrome.load_model("runs/E012")
        >>> model(signal)["probability"]
        >>> classifier = keras.Model(model.input, model.output["probability"])
        >>> classifier.compile("adam", "binary_crossentropy", metrics=["auc"])
        >>> classifier.fit(signal, label)
    """
    from keras_chrome.runs import open_run
    from keras_chrome.runs.download import fetch_folder, is_url

    return open_run(fetch_folder(str(run_dir)) if is_url(run_dir) else run_dir).load_model()


class _Verb(_ModuleType):
    """The module of a verb, which is called as the function of its name."""

    @property
    def __wrapped__(self) -> "Callable[..., Any]":
        # What `inspect.signature` asks for.
        function: Callable[..., Any] = vars(self)[self.__name__.rpartition(".")[2]]
        return function

    def __reduce__(self) -> tuple[Any, ...]:
        # As functions are: other processes find it by its name.
        return _import_module, (self.__name__,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)


class _Package(_ModuleType):
    """This package, in which the import system sets a submodule once it is loaded.

    A function of that name would be replaced by it. So it is the module that can be called.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and isinstance(value, _ModuleType):
            value.__class__ = _Verb
            value.__doc__ = vars(value)[name].__doc__  # What `help` and notebooks show.
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _import_module(f"{__name__}.{name}")
    if name == "__version__":  # A checkout that is not installed has none.
        return _version("keras-chrome")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Package
# Keras finds a layer by its name among those that were registered, which importing them does.
_after_import_of(lambda _: _import_module("keras_chrome.layers"), "keras")
