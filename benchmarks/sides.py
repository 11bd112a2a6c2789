"""The sides of the measurement, by name, and what is asked of each."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple, Protocol

# Each side as module:class, so that neither framework is imported where the other one runs.
SIDES = {
    "keras-chrome": "keras_sides:KerasChrome",
    "PyTorch, one recurrence": "pytorch_sides:OneRecurrenceSide",
    "PyTorch, reference design": "pytorch_sides:ReferenceSide",
    "stock Keras, XLA": "keras_sides:StockKerasXLA",
    "stock Keras, graph": "keras_sides:StockKeras",
    "SavedModel": "exported_sides:SavedModel",
    "ONNX Runtime": "exported_sides:OnnxRuntime",
}
OURS, REFERENCE = "keras-chrome", "PyTorch, reference design"
# They answer, and are not trained.
EXPORTED = ("SavedModel", "ONNX Runtime")

# As published. The training genes are those of an epigenome: so many steps has an epoch.
LEARNING_RATE, CLIP_NORM, NUM_GENES = 1e-4, 1.0, 6600


class Setting(NamedTuple):
    """What a step works on."""

    batch: int
    bins: int = 100
    marks: int = 5
    bank: int = 1  # models trained at once, each on its own batch
    variant: str = "attentive_chrome"


class Steps(NamedTuple):
    """Something to time.

    Attributes:
        run: Does some steps, and returns when they are done.
        num_steps: How many.
    """

    run: Callable[[], object]
    num_steps: int = 1


class Side(Protocol):
    """An implementation of attentive_chrome, or of several variants."""

    def training(self, setting: Setting) -> Steps:
        """Training steps: gradient, clipping, Adam."""

    def prediction(self, setting: Setting) -> Steps:
        """Predictions of one batch, from NumPy to NumPy."""

    def matrix_product(self, size: int) -> Steps:
        """A product of two float32 matrices, `(size, size)`."""


def make_side(name: str) -> Side:
    """Build a side in this process."""
    module, class_name = SIDES[name].split(":")
    return getattr(import_module(module), class_name)()
