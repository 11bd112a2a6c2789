"""How a variant is trained, unless its options say otherwise."""

from dataclasses import dataclass

from keras_chrome.errors import InputError
from keras_chrome.vocabulary import SCHEDULES


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained; each default is plain training, which leaves the thing out.

    Attributes:
        epochs: Most epochs to train.
        batch_size: Genes a step.
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
            *("mixup", "gain", "shift"),
        ):
            if not (value := getattr(self, name)) >= 0:
                raise InputError(f"Expected zero or more. Received: {name}={value}")
        for name in ("warmup", "ema", "empty_bins", "mark_dropout"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise InputError(f"Expected a number in [0, 1). Received: {name}={value}")

    @property
    def augments(self) -> bool:
        """Whether training genes are altered."""
        drops = self.empty_bins or self.mark_dropout
        return bool(self.mixup or self.gain or self.shift or drops)


PLAIN = Recipe()

RECIPES: dict[str, Recipe] = {
    "additive_chrome": Recipe(
        epochs=22,
        batch_size=128,
        learning_rate=3e-3,
        patience=0,
        weight_decay=0.05,
        schedule="one_cycle",
        ema=0.99,
        regression_weight=0.5,
        mixup=0.3,
        gain=0.1,
        shift=2,
    ),
}
"""The recipes of variants by their names, chosen on validation genes; `PLAIN` of all others."""
