"""Lay the attention to a mark under a mark that was not trained on: the paper's Figure 2 (b).

As a command: `python -m keras_chrome.alpha_coverage RUN --mark H3K4me3 --validation-mark H3K27ac`,
which writes a figure as PNG and SVG, and its numbers as CSV.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from keras_chrome.data.orientation import along_transcription
from keras_chrome.runs import open_study
from keras_chrome.runs.validation_mark import MARK, VALIDATION_MARK, read_validation_mark
from keras_chrome.statistics.bootstrap import interval95, mean_profiles

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs.study import GeneOptions


@dataclass(frozen=True)
class AlphaCoverage:
    """Attention to a mark, and the signal of a validation mark, over expressed genes.

    Attributes:
        table: A row a bin: `bin_start_bp` from the TSS, in the direction of transcription;
            `validation_sum`, the validation mark's signal summed over genes, `validation_mean`,
            and the 95 % bootstrap interval of that over genes, `validation_low` and
            `validation_high`; `alpha_mean`, `alpha_low` and `alpha_high` of the mark;
            `signal_mean`, its own signal; `on_threshold`, the probability from which on a gene
            counts as predicted ON, and `on_rule`, where that comes from.
        correlations: Rows `alpha` and `signal`: Pearson's `r` of the mark's mean alpha, and of its
            mean signal, with the validation mark's mean signal over bins; its 95 % bootstrap
            interval over genes, `low` and `high`. NaN where one of the two is constant.
            `on_threshold` and `on_rule` as in `table`.
        mark: The mark attended to.
        validation_mark: The mark that was not trained on.
        validation_dataset: The dataset that holds its signal.
        dataset: The dataset of the genes.
        split: Their split.
        model: The variant.
        on_rule: The threshold of predicted ON in words, see `Study.on_rule`.
        bin_bp: Width of a bin in bp.
        num_genes: Number of genes: those labelled high, predicted ON, and with the validation
            mark's signal.
        num_without_signal: Number of genes left out because only that signal is missing.
        num_unknown_strand: How many of the genes have no strand. Their bins run along the genome.
    """

    table: pd.DataFrame
    correlations: pd.DataFrame
    mark: str
    validation_mark: str
    validation_dataset: str
    dataset: str
    split: str
    model: str
    on_rule: str
    bin_bp: int
    num_genes: int
    num_without_signal: int
    num_unknown_strand: int


def alpha_coverage(
    run_dir: str | Path,
    *,
    mark: str = MARK,
    validation_mark: str = VALIDATION_MARK,
    validation_dataset: str | None = None,
    across_epigenomes: bool = False,
    on_threshold: str | float = "balanced",
    min_genes: int = 50,
    seed: int = 0,
    **genes: Unpack[GeneOptions],
) -> AlphaCoverage:
    """Average alpha of a mark, and a validation mark, over expressed genes predicted ON.

    Args:
        run_dir: A run directory, of a variant with attention over bins.
        mark: A mark that it was trained on.
        validation_mark: A mark that it was not trained on.
        validation_dataset: A built dataset that holds it, if the run's own does not.
        across_epigenomes: Whether that may be of another epigenome than the genes.
        on_threshold: From which probability on a gene counts as predicted ON: `balanced`, `rate`
            or a number, see `ThresholdArguments`.
        min_genes: Fewer such genes are refused.
        seed: Seeds the bootstrap.
        **genes: Which genes: `split`, `dataset`, `data_dir`, `labels`, which says what is
            expressed, see `GeneOptions`.

    Raises:
        InputError: If the run or a dataset is missing, they do not fit each other, the variant has
            no attention over bins, a mark is unknown, the validation mark was trained on or is of
            another epigenome, or there are too few such genes.

    Reference:
        Singh et al. (2017), section 5 and Figure 2 (b).

    Example:
        >>> alpha_coverage("runs/E116").correlations
    """
    study = open_study(run_dir, on_threshold=on_threshold, **genes)
    column = study.mark(mark)
    validation = read_validation_mark(
        study,
        validation_mark,
        dataset=validation_dataset,
        data_dir=genes.get("data_dir"),
        across_epigenomes=across_epigenomes,
    )
    alpha = study.attention("alpha")
    is_on = (study.genes.label == 1) & study.is_on
    chosen = is_on & validation.has_signal
    study.check_enough_on(
        int(chosen.sum()),
        min_genes,
        kind=f"expressed genes predicted ON, with {validation.mark} in {validation.dataset}",
    )
    on_genes = study.genes.subset(study.genes.split, chosen)
    table, correlations = coverage_tables(
        alpha=along_transcription(alpha[chosen, column], on_genes),
        signal=along_transcription(on_genes.signal[:, :, column], on_genes),
        validation=along_transcription(validation.signal[chosen], on_genes),
        bin_start_bp=study.bin_start_bp,
        seed=seed,
    )
    return AlphaCoverage(
        table=table.assign(**study.on_columns),
        correlations=correlations.assign(**study.on_columns),
        mark=study.run.marks[column],
        validation_mark=validation.mark,
        validation_dataset=validation.dataset,
        dataset=study.dataset.name,
        split=on_genes.split,
        model=study.run.model_name,
        on_rule=study.on_rule,
        bin_bp=study.dataset.bin_bp,
        num_genes=len(on_genes),
        num_without_signal=int((is_on & ~validation.has_signal).sum()),
        num_unknown_strand=int((~on_genes.has_direction).sum()),
    )


def coverage_tables(
    *,
    alpha: np.ndarray,
    signal: np.ndarray,
    validation: np.ndarray,
    bin_start_bp: np.ndarray,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average genes, and correlate the means over bins.

    Args:
        alpha: Floats `(genes, bins)` of the mark, bins in the direction of transcription.
        signal: Its own signal, likewise.
        validation: The validation mark's signal, likewise.
        bin_start_bp: Where each bin starts, `(bins,)`.
        seed: Seeds the bootstrap.

    Returns:
        `table`, without the threshold, and `correlations` of `AlphaCoverage`.
    """
    import pandas as pd

    from keras_chrome.statistics.correlation import bin_correlation

    # In one array, so that a bootstrap sample has the same genes for all three.
    values = np.concatenate([alpha, signal, validation], axis=1)
    means = mean_profiles(values, seed=seed)
    means = means.reshape(len(means), 3, -1)
    lows, highs = np.percentile(means[1:], [2.5, 97.5], axis=0)
    table = pd.DataFrame(
        {
            "bin_start_bp": bin_start_bp,
            "validation_sum": validation.sum(axis=0, dtype=np.float64),
            "validation_mean": means[0, 2],
            "validation_low": lows[2],
            "validation_high": highs[2],
            "alpha_mean": means[0, 0],
            "alpha_low": lows[0],
            "alpha_high": highs[0],
            "signal_mean": means[0, 1],
        }
    )
    r = bin_correlation(means[:, :2], means[:, 2:])
    low, high = zip(*(interval95(r[1:, i]) for i in range(2)), strict=True)
    correlations = pd.DataFrame({"r": r[0], "low": low, "high": high}, index=["alpha", "signal"])
    return table, correlations
