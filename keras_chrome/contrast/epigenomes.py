"""Contrast two epigenomes: which genes switch, and what changed in signal, alpha and beta.

As a command: `python -m keras_chrome.contrast RUN_A RUN_B`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.runs import open_run, open_study

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.runs import Study


# Of single ends and of pairs: the same but for the name.
_SAME_UNIT = {"FPKM": "RPKM"}


@dataclass(frozen=True)
class Contrast:
    """Epigenome B against epigenome A; every change is B minus A.

    Attributes:
        name_a: Run and dataset of A, in words.
        name_b: Likewise of B.
        marks: The marks of both runs.
        pseudocount: Expression that was added to both before the logarithm of their ratio.
        genes: A row a gene in both, the largest predicted `difference` first. Names as of A:
            `gene_id`, `symbol`, `transcript_id`, `chrom`, `tss`, `strand`. Measured: `label_a`,
            `label_b`; `measured`, `gained` where the label goes from low to high, `lost` where
            from high to low, else `same`; `rpkm_a`, `rpkm_b`, `log2_fold_change`. Predicted:
            `probability_a` and `probability_b`, each by the epigenome's own model; their
            `difference`; `predicted`, likewise, `gained` where it is ON in B and OFF in A;
            `on_threshold_a` and `on_threshold_b`, from which probability on that is, each model's
            own whatever signal it is given, and `on_rule_a` and `on_rule_b`, where these come
            from. Attributed: `probability_a_on_b`, model A on B's signal, and
            `probability_b_on_a`; `signal_effect_a`, how much model A's answer changes with the
            signal, and `signal_effect_b`; `signal_effect`, their mean, and `model_effect`, the
            rest of the difference. And a column a mark, such as
            `signal_change_H3K4me3`: `signal_change`, of the mean over bins of log(1 + signal);
            where both runs have alpha, `alpha_distance`, the total variation distance of the two
            alphas, and `alpha_shift_bp`, how far alpha's centre of mass moves in the direction of
            transcription, NaN where the strand is unknown; where both have beta, `beta_change`.
        agreement: A row for each of `PREDICTED`: `auroc`, with which it tells the gained genes
            from the lost ones, of `num_switching` genes; `spearman`, its rank correlation with
            `log2_fold_change`, over `num_with_rpkm` genes. Both with `_low` and `_high`, a 95 %
            interval over bootstrap samples of the genes; NaN where they are not defined.
        mark_changes: A row for a `quantity`, a `mark` and a group of `genes`, by the measured
            change: `gained`, `lost`, `switching` (either) and `same`. `mean` and its interval
            `low` and `high`, over `num_genes`. `beta_size` is the size of `beta_change`.
        num_only_a: Genes of A that B lacks in this split, left out.
        num_only_b: Genes of B that A lacks.
        num_unlabelled: Genes, of A and of B, left out because the label rule says nothing of them.
        num_unturnable: Genes left out because A and B hold them in directions of which the strand,
            which is unknown, would have to tell whether they are the same.
        unit: Of expression.
    """

    name_a: str
    name_b: str
    marks: tuple[str, ...]
    pseudocount: float
    genes: pd.DataFrame
    agreement: pd.DataFrame
    mark_changes: pd.DataFrame
    num_only_a: int
    num_only_b: int
    num_unlabelled: tuple[int, int]
    num_unturnable: int
    unit: str = "RPKM"


def contrast(
    run_a: str | Path,
    run_b: str | Path,
    *,
    split: str | None = None,
    dataset: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    labels: str | None = None,
    pseudocount: float = 1.0,
    on_threshold: str | float = "balanced",
    seed: int = 0,
) -> Contrast:
    """Contrast two epigenomes by a run of each.

    Each run's model predicts its own epigenome, and the other's: a change that model A sees
    between the two signals, too, is one of the signal and not of the models. `signal_effect` is
    the mean of what either model sees, which is the signal's Shapley value in the difference.

    Signals of different experiments differ in depth, and cross-prediction does not correct for it.

    Args:
        run_a: Run directory of a model of epigenome A.
        run_b: The same of epigenome B, with the same marks, bins and label rule.
        split: `train`, `valid`, `test` or `all`; `test` if None. A gene counts if it is in
            this split of both.
        dataset: Built datasets of A and of B, as for a run that was trained on several; the runs'
            own if None.
        data_dir: Where datasets were built; where each run found its own if None.
        labels: Label rule; the runs' own if None. Genes without such a label are left out.
        pseudocount: Expression to add to both before the logarithm of their ratio is taken.
        on_threshold: From which probability on a gene counts as predicted ON: `balanced` or
            `rate`, told for each run by its own model and validation genes, or a number, for both;
            see `ThresholdArguments`.
        seed: Seeds the bootstrap.

    Raises:
        InputError: If a run or dataset is missing, the runs differ in marks, bins, label rule or
            the unit of expression, or have no gene in common.

    Example:
        >>> contrast("runs/E116", "runs/E123").agreement
    """
    for run in (run_a, run_b):
        open_run(run)  # It says what is missing before the seconds that TensorFlow takes.

    import pandas as pd

    from keras_chrome.contrast.genes import (
        agreement,
        attribution,
        genes_in_both,
        mark_changes,
        mark_columns,
        match_genes,
        measured_columns,
        switch,
        turn_as,
    )
    from keras_chrome.models.prediction import predict

    if not (math.isfinite(pseudocount) and pseudocount > 0):
        raise InputError(f"Expected a pseudocount above 0. Received: {pseudocount=}")
    if dataset is not None and len(dataset) != 2:
        raise InputError(f"Expected two datasets, of A and of B. Received: {dataset=}")
    a, b = (
        open_study(
            run,
            split=split,
            dataset=name,
            data_dir=data_dir,
            labels=labels,
            on_threshold=on_threshold,
        )
        for run, name in zip((run_a, run_b), dataset or (None, None), strict=True)
    )
    _check_comparable(a, b)
    num_matched = len(match_genes(a.genes, b.genes)[0])
    of_a, of_b = genes_in_both(a.genes, b.genes)
    if not len(of_a):
        raise InputError(
            f"Expected genes, by id and TSS, that are in split {a.genes.split!r} of both runs. "
            f"Received: {len(a.genes)} genes of {a.dataset.name}, {len(b.genes)} of "
            f"{b.dataset.name}, none in both; --split all compares all of them"
        )
    signal_a, signal_b = of_a.signal, of_b.signal
    own_a, own_b = predict(a.model, signal_a), predict(b.model, signal_b)
    columns = {
        **measured_columns(of_a, of_b, pseudocount),
        **attribution(
            own_a.probability,
            own_b.probability,
            predict(a.model, turn_as(signal_b, of_b, of_a)).probability,
            predict(b.model, turn_as(signal_a, of_a, of_b)).probability,
        ),
        "predicted": switch(a.says_on(own_a.probability), b.says_on(own_b.probability)),
        **{f"{name}_a": value for name, value in a.on_columns.items()},
        **{f"{name}_b": value for name, value in b.on_columns.items()},
        **mark_columns(of_a, of_b, own_a, own_b, marks=a.run.marks, bin_bp=a.dataset.bin_bp),
    }
    genes = pd.DataFrame(columns)
    order = np.argsort(-abs(genes["difference"].to_numpy()), kind="stable")
    genes = genes.iloc[order].reset_index(drop=True)
    return Contrast(
        name_a=f"{a.run.path.name} ({a.dataset.name})",
        name_b=f"{b.run.path.name} ({b.dataset.name})",
        marks=a.run.marks,
        unit=a.dataset.unit,
        pseudocount=pseudocount,
        genes=genes,
        agreement=agreement(genes, seed=seed),
        mark_changes=mark_changes(genes, a.run.marks, seed=seed),
        num_only_a=len(a.genes) - num_matched,
        num_only_b=len(b.genes) - num_matched,
        num_unlabelled=(a.genes.num_unlabelled, b.genes.num_unlabelled),
        num_unturnable=num_matched - len(of_a),
    )


def _check_comparable(a: Study, b: Study) -> None:
    if a.run.marks != b.run.marks:
        raise InputError(
            f"Expected runs on the same marks, in the same order. Received: {a.run.path} with "
            f"{', '.join(a.run.marks)}; {b.run.path} with {', '.join(b.run.marks)}. Train one "
            "again with the other's --marks"
        )
    bins = [(s.dataset.num_bins, s.dataset.bin_bp, s.dataset.flank_bp) for s in (a, b)]
    if bins[0] != bins[1]:
        (num_a, bp_a, flank_a), (num_b, bp_b, flank_b) = bins
        raise InputError(
            f"Expected runs on the same bins. Received: {a.run.path} with {num_a} of {bp_a} bp "
            f"from {-flank_a} bp on; {b.run.path} with {num_b} of {bp_b} bp from {-flank_b} bp on. "
            "Train both on datasets built alike"
        )
    if a.labels != b.labels:
        raise InputError(
            f"Expected runs on the same label rule. Received: {a.run.path} with {a.labels}, "
            f"{b.run.path} with {b.labels}. Choose one with --labels"
        )
    if len({_SAME_UNIT.get(s.dataset.unit, s.dataset.unit) for s in (a, b)}) > 1:
        raise InputError(
            f"Expected expression in one unit, of which there is a fold change. Received: "
            f"{a.dataset.name} in {a.dataset.unit}, {b.dataset.name} in {b.dataset.unit}. Build "
            "one of them from a table in the other's unit"
        )
