"""The options of the faithfulness suite."""

from dataclasses import dataclass
from pathlib import Path

from keras_chrome.command_line import option
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, with_respect_to
from keras_chrome.runs.study import OnArguments
from keras_chrome.vocabulary import SPLITS, WRT


@dataclass(frozen=True, kw_only=True)
class FaithfulnessConfig(OnArguments):
    """Every option of `faithfulness`, with its default.

    Raises:
        InputError: If a value is out of range or unknown.
    """

    methods: tuple[str, ...] | None = option(
        "importance methods; all that the model has if left out", default=None, choices=METHODS
    )
    wrt: tuple[str, ...] = option(
        "what gradients are taken with respect to: the signal as measured, or what the model makes "
        "of it, log(1 + signal)",
        default=WRT,
        choices=WRT,
    )
    dataset: str | None = option("built dataset; the run's own if left out", default=None)
    data_dir: str | Path | None = option(
        "where datasets were built; as in training if left out", default=None
    )
    split: str = option("genes", default="test", choices=SPLITS)
    max_genes: int = option("at most so many genes, drawn at random", default=200)
    num_seeds: int = option(
        "trainings to measure; those that are not among the runs given are made", default=5
    )
    num_permuted: int = option("the same on shuffled labels", default=1)
    num_untrained: int = option("untrained networks to hold them beside", default=5)
    seed: int = option("seed of all that is drawn", default=0)

    def __post_init__(self) -> None:
        if unknown := [m for m in self.methods or () if m not in METHODS]:
            raise InputError(f"Expected among {sorted(METHODS)}. Received: methods={unknown}")
        with_respect_to((), self.wrt)  # refuses what it does not know
        for name, least in (
            ("max_genes", 1),
            ("num_seeds", 1),
            ("num_permuted", 0),
            ("num_untrained", 1),
        ):
            if (value := getattr(self, name)) < least:
                raise InputError(f"Expected at least {least}. Received: {name}={value}")
