"""The measures of the faithfulness suite, the questions they answer, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

NAIVE_METHODS = ("random", "tss_distance", "signal")
"""Orders of bins that know nothing of the model, which a method must beat."""


class Measure(NamedTuple):
    """One measure of the suite.

    Attributes:
        question: What it helps to answer.
        better: `higher` or `lower`.
        meaning: What its number is.
    """

    question: str
    better: str
    meaning: str


QUESTIONS = {
    "prediction": "Does the prediction rest on the bins that the method points at?",
    "learning": "Does the method show what the model has learned?",
    "stability": "Would another training have said the same?",
    "truth": "Does it find the bins that carry the signal?",
    "attention": "Does the prediction need the attention?",
}

MEASURES = {
    "deletion": Measure(
        "prediction",
        "higher",
        "how much lower the probability lies, over genes predicted ON, while bins are emptied in "
        "the method's order than in a random one",
    ),
    "insertion": Measure(
        "prediction",
        "higher",
        "how much higher it lies while an empty gene is filled in the method's order than in a "
        "random one",
    ),
    "deletion_untrained": Measure(
        "prediction",
        "lower",
        "deletion of the trained network in the orders that untrained ones give",
    ),
    "deletion_permuted": Measure(
        "prediction", "lower", "in those of networks trained on shuffled labels"
    ),
    "insertion_untrained": Measure(
        "prediction", "lower", "insertion in the orders that untrained networks give"
    ),
    "insertion_permuted": Measure(
        "prediction", "lower", "in those of networks trained on shuffled labels"
    ),
    "tau_occlusion": Measure(
        "prediction",
        "higher",
        "Kendall's tau of the importance's magnitude with that of occlusion over the bins of a "
        "gene",
    ),
    "random_weights": Measure(
        "learning",
        "lower",
        "size of Spearman's correlation, over the bins of a gene, with the importance of untrained "
        "networks",
    ),
    "permuted_labels": Measure(
        "learning", "lower", "the same with networks trained on shuffled labels"
    ),
    "seeds": Measure(
        "stability",
        "higher",
        "Spearman's correlation, over the bins of a gene, between trainings that differ in their "
        "seed, all pairs",
    ),
    "planted": Measure(
        "truth", "higher", "AUROC of the importance's magnitude against the planted bins of a gene"
    ),
    "planted_untrained": Measure("truth", "lower", "the same of untrained networks"),
    "planted_smooth": Measure(
        "truth",
        "higher",
        "AUROC of the magnitude averaged over the trainings and over neighbouring bins",
    ),
    "entropy": Measure(
        "attention",
        "lower",
        "entropy of the attention as a share of the greatest, which equal attention to all has",
    ),
    "change": Measure("attention", "higher", "mean absolute change of the probability"),
    "flips": Measure("attention", "higher", "share of genes that change sides"),
    "auroc_loss": Measure("attention", "higher", "how much lower the AUROC is"),
}


@dataclass(frozen=True)
class Faithfulness:
    """What the suite found.

    Attributes:
        title: Which runs, and which genes, in words.
        scores: A row a measure and method (for the question `attention`, an attention and what was
            done to it): `question`, `measure`, `method`, `value`, its 95 % bootstrap interval over
            genes and networks `low` and `high`, `num_genes`, `num_networks`, `better`.
        curves: `kind` (deletion, insertion), `method`, `fraction` of the bins, `probability`, the
            mean over genes predicted ON and trainings.
        cascade: `method`, `layer`, `spearman`: the mean over genes of the size of the correlation
            with the trained model's importance when this layer and those after it have random
            weights.
    """

    title: str
    scores: pd.DataFrame
    curves: pd.DataFrame
    cascade: pd.DataFrame
