"""The options of the faithfulness suite."""

from dataclasses import dataclass

from keras_chrome.command_line import option
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS
from keras_chrome.vocabulary import SPLITS


@dataclass(frozen=True, kw_only=True)
class FaithfulnessConfig:
    """Every option of `faithfulness`, with its default.

    Raises:
        InputError: If a value is out of range or unknown.
    """

    methods: tuple[str, ...] | None = option(
        "importance methods; all that the model has if left out", default=None, choices=METHODS
    )
    split: str = option("genes", default="test", choices=SPLITS)
    max_genes: int = option("at most so many genes, drawn at random", default=100)
    num_seeds: int = option("trainings to compare, the run itself among them", default=5)
    permuted_labels: bool = option("train on shuffled labels, too", default=True)
    seed: int = option("seed of all that is drawn", default=0)

    def __post_init__(self) -> None:
        if unknown := [m for m in self.methods or () if m not in METHODS]:
            raise InputError(f"Expected among {sorted(METHODS)}. Received: methods={unknown}")
        for name in ("max_genes", "num_seeds"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")
