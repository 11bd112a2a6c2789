"""What changes at each gene between two epigenomes, measured and predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_chrome.data import Genes
from keras_chrome.data.orientation import along_transcription
from keras_chrome.statistics.bootstrap import with_interval
from keras_chrome.statistics.correlation import weighted_spearman

if TYPE_CHECKING:
    from keras_chrome.models.prediction import Prediction

_NAMES = ("gene_id", "symbol", "transcript_id", "chrom", "tss", "strand")
# The predicted changes whose agreement with the measured ones is summed up.
PREDICTED = ("difference", "signal_effect_a", "signal_effect_b", "signal_effect", "model_effect")


def match_genes(a: Genes, b: Genes) -> tuple[np.ndarray, np.ndarray]:
    """Where the genes stand that are in both, by id and TSS.

    A gene that stands twice is matched first with first, second with second.

    Returns:
        Positions in A, ascending, and in B, of the same genes in the same order.
    """

    def keys(genes: Genes) -> pd.DataFrame:
        table = pd.DataFrame({"gene_id": genes.gene_id, "tss": genes.tss})
        times = table.groupby(["gene_id", "tss"]).cumcount()
        return table.assign(times=times, position=range(len(table)))

    both = keys(a).merge(keys(b), on=["gene_id", "tss", "times"]).sort_values("position_x")
    return both["position_x"].to_numpy(), both["position_y"].to_numpy()


def genes_in_both(a: Genes, b: Genes) -> tuple[Genes, Genes]:
    """The genes of `match_genes`, of A and of B, with the strand that either of them knows.

    A gene that only one of the two holds in the direction of transcription is left out if neither
    knows its strand.
    """
    of_a, of_b = (g.subset(g.split, at) for g, at in zip((a, b), match_genes(a, b), strict=True))
    strand = np.where(of_a.strand == "", of_b.strand, of_a.strand)
    can_turn = (of_a.oriented == of_b.oriented) | (strand != "")
    of_a, of_b = (replace(g, strand=strand).subset(g.split, can_turn) for g in (of_a, of_b))
    return of_a, of_b


def attribution(
    own_a: np.ndarray, own_b: np.ndarray, a_on_b: np.ndarray, b_on_a: np.ndarray
) -> dict[str, np.ndarray]:
    """Attribute the difference of two models' answers to the signal and to the models.

    Args:
        own_a: Floats `(genes,)`, probability by model A on A's signal.
        own_b: By model B on B's signal.
        a_on_b: By model A on B's signal.
        b_on_a: By model B on A's signal.

    Returns:
        The columns of `Contrast.genes` from `probability_a` to `model_effect`, float64.
    """
    own_a, own_b, a_on_b, b_on_a = (
        np.asarray(p, np.float64) for p in (own_a, own_b, a_on_b, b_on_a)
    )
    difference = own_b - own_a
    signal_effect = ((a_on_b - own_a) + (own_b - b_on_a)) / 2
    return {
        "probability_a": own_a,
        "probability_b": own_b,
        "difference": difference,
        "probability_a_on_b": a_on_b,
        "probability_b_on_a": b_on_a,
        "signal_effect_a": a_on_b - own_a,
        "signal_effect_b": own_b - b_on_a,
        "signal_effect": signal_effect,
        "model_effect": difference - signal_effect,
    }


def alpha_distance(alpha_a: np.ndarray, alpha_b: np.ndarray) -> np.ndarray:
    """The total variation distance of two attentions over bins.

    Args:
        alpha_a: Floats `(genes, marks, bins)`, summing to one over bins.
        alpha_b: The same, its bins in the same direction.

    Returns:
        Floats `(genes, marks)` in [0, 1]: the share of attention that lies elsewhere.
    """
    distance: np.ndarray = abs(alpha_b - alpha_a).sum(axis=-1) / 2
    return distance


def alpha_shift_bp(alpha_a: np.ndarray, alpha_b: np.ndarray, bin_bp: int) -> np.ndarray:
    """How far the centre of mass of the attention moves, in bp along the bins.

    Args:
        alpha_a: Floats `(genes, marks, bins)`, summing to one over bins.
        alpha_b: The same, its bins in the same direction.
        bin_bp: Width of a bin in bp.

    Returns:
        Floats `(genes, marks)`.
    """
    shift_bp: np.ndarray = (alpha_b - alpha_a) @ (np.arange(alpha_a.shape[-1]) * float(bin_bp))
    return shift_bp


def agreement(genes: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """How well the predicted changes agree with the measured ones: `Contrast.agreement`."""
    from keras_chrome.statistics.metrics import weighted_auroc

    switching = genes[genes["measured"] != "same"]
    gained = (switching["measured"] == "gained").to_numpy(int)
    with_rpkm = genes[genes["log2_fold_change"].notna()]
    fold_change = with_rpkm["log2_fold_change"].to_numpy()
    rows = []
    for name in PREDICTED:
        of_auroc = weighted_auroc(gained, switching[name].to_numpy())
        of_spearman = weighted_spearman(with_rpkm[name].to_numpy(), fold_change)
        auroc = with_interval(of_auroc, len(switching), seed=seed)
        spearman = with_interval(of_spearman, len(with_rpkm), seed=seed)
        rows.append(
            {
                "predicted_by": name,
                **dict(zip(("auroc", "auroc_low", "auroc_high"), auroc, strict=True)),
                "num_switching": len(switching),
                **dict(zip(("spearman", "spearman_low", "spearman_high"), spearman, strict=True)),
                "num_with_rpkm": len(with_rpkm),
            }
        )
    return pd.DataFrame(rows)


def mark_changes(genes: pd.DataFrame, marks: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """What changes on each mark where expression changes: `Contrast.mark_changes`."""
    columns = {
        (quantity, mark): genes[f"{quantity}_{mark}"]
        for quantity in ("signal_change", "alpha_distance", "beta_change")
        for mark in marks
        if f"{quantity}_{mark}" in genes
    }
    columns |= {("beta_size", m): v.abs() for (q, m), v in columns.items() if q == "beta_change"}
    values = pd.DataFrame(columns).to_numpy()
    measured = genes["measured"].to_numpy()
    groups = {
        "gained": measured == "gained",
        "lost": measured == "lost",
        "switching": measured != "same",
        "same": measured == "same",
    }
    rows = []
    for group, chosen in groups.items():
        of_group = values[chosen]
        mean, low, high = np.full((3, len(columns)), np.nan)
        if len(of_group):
            sums = with_interval(of_group.T.dot, len(of_group), seed=seed)
            mean, low, high = sums / len(of_group)
        for column, (quantity, mark) in enumerate(columns):
            rows.append(
                {
                    "quantity": quantity,
                    "mark": mark,
                    "genes": group,
                    "num_genes": len(of_group),
                    "mean": mean[column],
                    "low": low[column],
                    "high": high[column],
                }
            )
    return pd.DataFrame(rows)


def turn_as(values: np.ndarray, held: Genes, wanted: Genes) -> np.ndarray:
    """Values of genes whose bins run as in `held`, now as in `wanted`, the same genes."""
    # Along transcription, and from there back, which turns the same genes.
    return along_transcription(along_transcription(values, held), wanted)


def measured_columns(a: Genes, b: Genes, pseudocount: float) -> dict[str, np.ndarray]:
    """The columns of `Contrast.genes` that are measured, of the same genes in A and B."""
    rpkm_a, rpkm_b = a.rpkm.astype(np.float64), b.rpkm.astype(np.float64)
    return {
        **{name: getattr(a, name) for name in _NAMES},
        "label_a": a.label,
        "label_b": b.label,
        "measured": switch(a.label == 1, b.label == 1),
        "rpkm_a": rpkm_a,
        "rpkm_b": rpkm_b,
        "log2_fold_change": np.log2((rpkm_b + pseudocount) / (rpkm_a + pseudocount)),
    }


def switch(is_high_a: np.ndarray, is_high_b: np.ndarray) -> np.ndarray:
    """What becomes of genes from A to B, by whether they are high in either: text `(genes,)`."""
    return np.select([is_high_b & ~is_high_a, is_high_a & ~is_high_b], ["gained", "lost"], "same")


def mark_columns(
    a: Genes,
    b: Genes,
    own_a: Prediction,
    own_b: Prediction,
    *,
    marks: Sequence[str],
    bin_bp: int,
) -> dict[str, np.ndarray]:
    """The columns of `Contrast.genes` that there is one a mark of."""
    quantities = {
        "signal_change": np.log1p(b.signal).mean(axis=1) - np.log1p(a.signal).mean(axis=1)
    }
    if own_a.alpha is not None and own_b.alpha is not None:
        alpha_a = along_transcription(own_a.alpha.astype(np.float64), a, bin_axis=2)
        alpha_b = along_transcription(own_b.alpha.astype(np.float64), b, bin_axis=2)
        shift = alpha_shift_bp(alpha_a, alpha_b, bin_bp)
        shift[(a.strand == "") & ~a.oriented] = np.nan
        quantities |= {"alpha_distance": alpha_distance(alpha_a, alpha_b), "alpha_shift_bp": shift}
    if own_a.beta is not None and own_b.beta is not None:
        quantities["beta_change"] = own_b.beta - own_a.beta
    return {
        f"{quantity}_{mark}": values[:, m]
        for quantity, values in quantities.items()
        for m, mark in enumerate(marks)
    }
