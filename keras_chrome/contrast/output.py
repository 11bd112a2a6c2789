"""A contrast of two epigenomes as text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.contrast.epigenomes import Contrast
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_table, wrapped

if TYPE_CHECKING:
    import pandas as pd

_NUM_SHOWN = 10
_SIGNED = ("signal_change", "beta_change")


def summary(contrast: Contrast) -> str:
    """A contrast as tables and words."""
    genes, changes = contrast.genes, contrast.mark_changes
    num = genes["measured"].value_counts()
    unlabelled = contrast.num_unlabelled
    agreement_rows = [
        {
            "predicted by": row["predicted_by"],
            "AUROC, gained against lost": _estimate(row, "auroc"),
            "Spearman with log2 fold change": _estimate(row, "spearman"),
        }
        for _, row in contrast.agreement.iterrows()
    ]
    left_out = (
        f"{contrast.num_only_a} only in A, {contrast.num_only_b} only in B, {unlabelled[0]} of A "
        f"and {unlabelled[1]} of B without label, {contrast.num_unturnable} of unknown strand that "
        "A and B hold in different directions"
    )
    measured = (
        f"From A to B, {num.get('gained', 0)} genes gain expression, {num.get('lost', 0)} lose "
        f"it, {num.get('same', 0)} do neither; log2 fold change of {contrast.unit} "
        f"+ {contrast.pseudocount:g}"
    )
    predicted = genes["predicted"].value_counts()
    switching = genes[genes["measured"] != "same"]
    num_right = (switching["predicted"] == switching["measured"]).sum()
    rules = "; ".join(f"{e.upper()}: {genes[f'on_rule_{e}'].iloc[0]}" for e in "ab")
    foretold = (
        f"Predicted, {predicted.get('gained', 0)} go ON and {predicted.get('lost', 0)} OFF; of the "
        f"{len(switching)} that gain or lose expression, {num_right} do so as predicted. ON in "
        f"{rules}"
    )
    names = f"A = {contrast.name_a}, B = {contrast.name_b}"
    paragraphs = [
        wrapped(f"{names}: {len(genes)} genes in both; left out: {left_out}"),
        wrapped(measured),
        wrapped(foretold),
        format_table(agreement_rows),
    ]
    texts = changes.assign(text=[_estimate(row, "mean") for _, row in changes.iterrows()])
    for quantity, of_quantity in texts.groupby("quantity", sort=False):
        table = of_quantity.pivot(index="mark", columns="genes", values="text")
        # What has a sign is another in genes that gain and that lose; a size is not.
        groups = ("gained", "lost", "same") if quantity in _SIGNED else ("switching", "same")
        rows: list[dict[str, Any]] = [
            {f"mean {quantity}": mark, **{g: table.at[mark, g] for g in groups}}
            for mark in contrast.marks
        ]
        paragraphs.append(format_table(rows))
    return "\n\n".join([*paragraphs, format_table(_shown_genes(genes))])


def _estimate(row: pd.Series, name: str) -> str:
    of_name = "" if name == "mean" else f"{name}_"
    if math.isnan(row[name]):  # There is no such gene.
        return ""
    return f"{row[name]:.3f} ({row[f'{of_name}low']:.3f} to {row[f'{of_name}high']:.3f})"


def _shown_genes(genes: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ("probability_a", "probability_b", "difference", "signal_effect", "log2_fold_change")
    return [
        {
            "gene": gene["symbol"] or gene["gene_id"],
            "measured": gene["measured"],
            **{name.replace("_", " "): float(gene[name]) for name in columns},
        }
        for _, gene in genes.head(_NUM_SHOWN).iterrows()
    ]


def write_contrast(contrast: Contrast, directory: str | Path) -> list[Path]:
    """Write `contrast.png` and `.svg`, `genes.csv`, `agreement.csv` and `mark_changes.csv`."""
    from keras_chrome.contrast.figure import draw_contrast

    return write_outputs(
        directory,
        figures={"contrast": draw_contrast(contrast)},
        tables={
            "genes": contrast.genes,
            "agreement": contrast.agreement,
            "mark_changes": contrast.mark_changes,
        },
    )
