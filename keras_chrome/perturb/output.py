"""What a perturbation does, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.perturb.perturbation import Perturbation
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_number, format_table

if TYPE_CHECKING:
    import pandas as pd

_NUM_SHOWN = 5


def summary(effects: pd.DataFrame, perturbation: Perturbation) -> str:
    """What `perturb`, or without a mark `perturb_all_marks`, returns, in words."""
    return (_of_marks if perturbation.mark is None else _of_genes)(effects, perturbation)


def write_perturbation(effects: pd.DataFrame, perturbation: Perturbation, stem: Path) -> list[Path]:
    """Write what they return as `stem`.csv, and draw it if every mark was changed."""
    figures = {}
    if perturbation.mark is None:
        from keras_chrome.perturb.figure import draw_perturbation

        figures[stem.name] = draw_perturbation(effects)
    return write_outputs(stem.parent, figures=figures, tables={stem.name: effects})


def _of_genes(table: pd.DataFrame, perturbation: Perturbation) -> str:
    """All genes in words, and those that change most either way."""
    was_high = table["probability_before"] >= table["on_threshold"]
    num_flipped = [int(table["is_flipped"][group].sum()) for group in (~was_high, was_high)]
    paragraphs = [
        f"{len(table)} genes: mean change of probability {table['change'].mean():+.4f}, of logit "
        f"{table['logit_change'].mean():+.4f}; {num_flipped[0]} of {int((~was_high).sum())} "
        f"predicted low become high, {num_flipped[1]} of {int(was_high.sum())} predicted high "
        "become low",
        _rule(table),
    ]
    if perturbation.is_directed:
        paragraphs.append(_without_direction(int((~table["has_direction"]).sum())))
    for title, genes in (
        ("up", table[table["change"] > 0].head(_NUM_SHOWN)),
        ("down", table[table["change"] < 0].head(_NUM_SHOWN)),
    ):
        if len(genes):
            paragraphs.append(format_table([_shown(gene, title) for _, gene in genes.iterrows()]))
    return "\n\n".join(paragraphs)


def _shown(gene: pd.Series, title: str) -> dict[str, Any]:
    return {
        title: gene["gene"],
        "label": "high" if gene["label"] else "low",
        gene["unit"]: format_number(gene["rpkm"]),
        "before": gene["probability_before"],
        "after": gene["probability_after"],
        "change": gene["change"],
        "logit change": gene["logit_change"],
    }


def _of_marks(matrix: pd.DataFrame, perturbation: Perturbation) -> str:
    """The single marks, and the pairs that interact most."""
    of_groups = matrix[matrix["predicted"] != "all"]
    is_single = of_groups["mark_a"] == of_groups["mark_b"]
    strongest = of_groups[~is_single].sort_values("interaction", key=abs, ascending=False)
    paragraphs = [
        _rule(matrix),
        format_table([_shown_effect(row) for _, row in of_groups[is_single].iterrows()]),
    ]
    if len(strongest):
        shown = [
            {**_shown_effect(row), "interaction": row["interaction"]}
            for _, row in strongest.head(_NUM_SHOWN).iterrows()
        ]
        paragraphs.append(format_table(shown))
    if perturbation.is_directed:
        of_all = matrix[matrix["predicted"] == "all"].iloc[0]
        paragraphs.append(_without_direction(of_all["num_without_direction"]))
    return "\n\n".join(paragraphs)


def _shown_effect(row: pd.Series) -> dict[str, Any]:
    marks = dict.fromkeys((row["mark_a"], row["mark_b"]))
    return {
        "changed": " + ".join(marks),
        "predicted": row["predicted"],
        "genes": row["num_genes"],
        "logit change": row["logit_change"],
        "probability change": row["probability_change"],
        "share flipped": row["share_to_high"] + row["share_to_low"],
    }


def _rule(effects: pd.DataFrame) -> str:
    return f"predicted high: {effects['on_rule'].iloc[0]}"


def _without_direction(num_genes: int) -> str:
    return f"{num_genes} genes of unknown strand were changed along the genome"
