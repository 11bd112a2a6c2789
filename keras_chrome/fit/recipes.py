"""How a variant is trained, unless its options say otherwise."""

import dataclasses
from dataclasses import dataclass

from keras_chrome.errors import InputError
from keras_chrome.vocabulary import SCHEDULES

_SMALLEST_BATCH = 16


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained; each default is plain training, which leaves the thing out.

    Attributes:
        epochs: Most epochs to train.
        batch_size: Genes a step.
        least_steps: Steps that an epoch has at least: where training genes are too few for them,
            a step takes fewer, down to 16.
        learning_rate: Adam's greatest.
        clip_norm: Greatest norm of a step's gradient; 0 for no limit.
        patience: Epochs without a better validation AUROC before stopping; 0 trains them all.
        weight_decay: Share of a matrix that a step of rate 1 takes away, as AdamW does; biases,
            norms and vectors keep theirs.
        schedule: `constant`; `cosine`, a straight warm-up and half a cosine down to 0; or
            `one_cycle`, both halves a cosine.
        warmup: Share of the steps that warm up.
        ema: Momentum of an average of the weights, which is what is validated and kept; 0 for the
            weights as they are.
        regression_weight: Weight of a second loss in training, on the logarithm of the expression
            over its median.
        mixup: Genes are mixed by twos, in shares of Beta(`mixup`, `mixup`).
        gain: Standard deviation of the logarithm of a factor on each mark of a gene.
        shift: Most bins that a gene region is shifted by.
        empty_bins: Share of the bins of each mark that are emptied.
        mark_dropout: Share of the marks of genes that are emptied, each in all its bins, as those
            are that an epigenome lacks.

    Raises:
        InputError: If a value is out of range.
    """

    epochs: int = 30
    batch_size: int = 16
    least_steps: int = 0
    learning_rate: float = 1e-3
    clip_norm: float = 1.0
    patience: int = 5
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup: float = 0.15
    ema: float = 0.0
    regression_weight: float = 0.0
    mixup: float = 0.0
    gain: float = 0.0
    shift: int = 0
    empty_bins: float = 0.0
    mark_dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise InputError(f"Expected one of {SCHEDULES}. Received: schedule={self.schedule!r}")
        for name in ("epochs", "batch_size"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")
        if not self.learning_rate > 0:
            raise InputError(
                f"Expected a positive number. Received: learning_rate={self.learning_rate}"
            )
        for name in (
            *("clip_norm", "patience", "weight_decay", "regression_weight"),
            *("least_steps", "mixup", "gain", "shift"),
        ):
            if not (value := getattr(self, name)) >= 0:
                raise InputError(f"Expected zero or more. Received: {name}={value}")
        for name in ("warmup", "ema", "empty_bins", "mark_dropout"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise InputError(f"Expected a number in [0, 1). Received: {name}={value}")

    def for_genes(self, num_genes: int) -> "Recipe":
        """The same with the batch size that so many training genes allow, at most all of them."""
        enough = num_genes // self.least_steps if self.least_steps else num_genes
        batch_size = min(self.batch_size, max(enough, _SMALLEST_BATCH), num_genes)
        return dataclasses.replace(self, batch_size=batch_size, least_steps=0)

    @property
    def augments(self) -> bool:
        """Whether training genes are altered."""
        drops = self.empty_bins or self.mark_dropout
        return bool(self.mixup or self.gain or self.shift or drops)


PLAIN = Recipe()

_ONE_CYCLE = Recipe(
    epochs=22,
    batch_size=128,
    least_steps=50,
    learning_rate=3e-3,
    patience=0,
    weight_decay=0.05,
    schedule="one_cycle",
    ema=0.99,
)

_ALTERED = dataclasses.replace(_ONE_CYCLE, regression_weight=0.5, mixup=0.3, gain=0.1, shift=2)

RECIPES: dict[str, Recipe] = {
    "attentive_chrome": _ONE_CYCLE,
    "lstm_alpha": _ONE_CYCLE,
    "lstm_attn": _ONE_CYCLE,
    "lstm": _ONE_CYCLE,
    "deep_chrome": _ONE_CYCLE,
    "cnn_attn": dataclasses.replace(_ONE_CYCLE, batch_size=32),
    "cnn_alpha_beta": dataclasses.replace(_ONE_CYCLE, batch_size=32),
    "context_chrome": _ALTERED,
    "additive_chrome": _ALTERED,
}
"""The recipes of variants by their names, chosen on validation genes; `PLAIN` of all others."""
