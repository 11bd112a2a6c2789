"""Average the attention over genes predicted ON and OFF: the paper's Figure 2 (a).

As a command: `python -m keras_chrome.alpha_profile RUN`, which writes a figure as PNG and SVG, and
its numbers as CSV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from keras_chrome.data.orientation import along_transcription
from keras_chrome.runs import open_study
from keras_chrome.statistics.bootstrap import mean_profiles

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs.study import GeneOptions


@dataclass(frozen=True)
class AlphaProfile:
    """Attention averaged over genes by what is predicted of them.

    Attributes:
        table: A row a prediction (`ON`, `OFF`), quantity (`alpha`, `signal`, `beta`), mark and bin:
            `mean` over genes; its 95 % bootstrap interval over genes, `low` and `high`;
            `num_genes`; `bin_start_bp`, where the bin starts in bp from the TSS, in the direction
            of transcription, empty for `beta`; `on_threshold`, the probability from which on a
            gene counts as predicted ON, and `on_rule`, where that comes from. There is no `beta`
            if the variant has none, and no `OFF` if all genes are predicted ON.
        dataset: The dataset of the genes.
        split: Their split.
        model: The variant.
        on_rule: The threshold of predicted ON in words, see `Study.on_rule`.
        bin_bp: Width of a bin in bp.
        num_on: Number of genes predicted ON.
        num_off: Number of genes predicted OFF.
        num_unknown_strand: How many genes have no strand. Their bins run along the genome.
    """

    table: pd.DataFrame
    dataset: str
    split: str
    model: str
    on_rule: str
    bin_bp: int
    num_on: int
    num_off: int
    num_unknown_strand: int


def alpha_profile(
    run_dir: str | Path,
    *,
    on_threshold: str | float = "balanced",
    min_genes: int = 50,
    seed: int = 0,
    **genes: Unpack[GeneOptions],
) -> AlphaProfile:
    """Average alpha, beta and the signal over genes predicted ON and OFF.

    Args:
        run_dir: A run directory, of a variant with attention over bins.
        on_threshold: From which probability on a gene counts as predicted ON: `balanced`, `rate`
            or a number, see `ThresholdArguments`.
        min_genes: Fewer genes predicted ON are refused.
        seed: Seeds the bootstrap.
        **genes: Which genes: `split`, `dataset`, `data_dir`, `labels`, see `GeneOptions`.

    Raises:
        InputError: If the run or the dataset is missing, they do not fit each other, the variant
            has no attention over bins, or too few genes are predicted ON.

    Reference:
        Singh et al. (2017), section 5 and Figure 2 (a).

    Example:
        >>> alpha_profile("runs/E012").table
    """
    study = open_study(run_dir, on_threshold=on_threshold, **genes)
    alpha, is_on = study.attention("alpha"), study.is_on
    study.check_enough_on(int(is_on.sum()), min_genes)
    table = profile_table(
        alpha=along_transcription(alpha, study.genes, bin_axis=2),
        signal=along_transcription(study.genes.signal, study.genes).swapaxes(1, 2),
        beta=study.prediction.beta,
        is_on=is_on,
        marks=study.run.marks,
        bin_start_bp=study.bin_start_bp,
        seed=seed,
    )
    return AlphaProfile(
        table=table.assign(**study.on_columns),
        dataset=study.dataset.name,
        split=study.genes.split,
        model=study.run.model_name,
        on_rule=study.on_rule,
        bin_bp=study.dataset.bin_bp,
        num_on=int(is_on.sum()),
        num_off=int((~is_on).sum()),
        num_unknown_strand=int((~study.genes.has_direction).sum()),
    )


def profile_table(
    *,
    alpha: np.ndarray,
    signal: np.ndarray,
    beta: np.ndarray | None,
    is_on: np.ndarray,
    marks: Sequence[str],
    bin_start_bp: np.ndarray,
    seed: int = 0,
) -> pd.DataFrame:
    """Average genes by what is predicted of them.

    Args:
        alpha: Floats `(genes, marks, bins)`, bins in the direction of transcription.
        signal: Floats, likewise.
        beta: Floats `(genes, marks)`, or None.
        is_on: bool `(genes,)`, whether the gene is predicted ON.
        marks: Their names.
        bin_start_bp: Where each bin starts, `(bins,)`.
        seed: Seeds the bootstrap.

    Returns:
        `AlphaProfile.table`, without the threshold.
    """
    import pandas as pd

    columns = {
        (quantity, mark, start): values[:, m, b]
        for quantity, values in (("alpha", alpha), ("signal", signal))
        for m, mark in enumerate(marks)
        for b, start in enumerate(bin_start_bp)
    }
    if beta is not None:
        columns |= {("beta", mark, None): beta[:, m] for m, mark in enumerate(marks)}
    values = np.stack(list(columns.values()), axis=1)
    index = pd.MultiIndex.from_tuples(columns, names=["quantity", "mark", "bin_start_bp"])
    tables = []
    for prediction, chosen in (("ON", is_on), ("OFF", ~is_on)):
        if not chosen.any():
            continue
        means = mean_profiles(values[chosen], seed=seed)
        low, high = np.percentile(means[1:], [2.5, 97.5], axis=0)
        table = pd.DataFrame(
            {"mean": means[0], "low": low, "high": high}, index=index
        ).reset_index()
        table.insert(0, "prediction", prediction)
        tables.append(table.assign(num_genes=int(chosen.sum())))
    return pd.concat(tables, ignore_index=True).astype({"bin_start_bp": "Int64"})
