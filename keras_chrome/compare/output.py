"""A comparison with a validation mark as text, for the screen and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.compare.paper import paper_value
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_table, markdown_table

if TYPE_CHECKING:
    import pandas as pd

_CONTROLS = {"none": "", "signal": " | signal", "distance": " | distance", "both": " | both"}

_LEGEND = """\
- profile r: Pearson correlation of two means over genes predicted ON, the importance of the mark's
  bins and the signal of the validation mark, as in Table 3 of the paper, whose value stands under
  paper. Brackets are 95 % bootstrap intervals over genes.
- gene r: the mean over genes of each gene's own correlation.
- | signal, | distance, | both: the same with the mark's own signal, the distance to the TSS, or
  both held fixed (as they are and as logarithms). Blank where the method is a copy of them.
- signal and tss_distance are no explanations: what a method must beat. A method that does not
  correlate more than they do, and not when they are held fixed, has found nothing else."""

_Rows = Sequence[Mapping[str, str]]


def summary(table: pd.DataFrame) -> str:
    """A comparison for the screen: Pearson's correlations, a table a run."""
    return "\n\n".join([*_blocks(table, format_table), _LEGEND])


def markdown(table: pd.DataFrame) -> str:
    """The same in Markdown, with Spearman's correlations, too."""
    blocks = ["# Importance against a mark that was not trained on"]
    for statistic in ("pearson", "spearman"):
        blocks += [f"## {statistic.title()}", *_blocks(table, markdown_table, statistic)]
    return "\n\n".join([*blocks, "## How to read it", _LEGEND]) + "\n"


def _blocks(
    table: pd.DataFrame, layout: Callable[[_Rows], str], statistic: str = "pearson"
) -> Iterator[str]:
    for (run, epigenome, variant), of_run in table.groupby(
        ["run", "epigenome", "variant"], sort=False
    ):
        chosen = of_run[of_run["statistic"] == statistic]
        num_genes = chosen["num_genes"].max()
        yield f"{epigenome}, {variant} ({run}): {num_genes} genes predicted ON"
        yield layout([_cells(rows) for _, rows in chosen.groupby("method", sort=False)])


def _cells(rows: pd.DataFrame) -> dict[str, str]:
    """One method as a line of cells."""
    cells = {"method": rows["method"].iloc[0]}
    for level in ("profile", "gene"):
        of_level = rows[rows["level"] == level].set_index("control")
        for control, suffix in _CONTROLS.items():
            row = of_level.loc[control]
            cell = _number(row["r"])
            if control == "none" and cell:
                cell += f" [{_number(row['low'])}, {_number(row['high'])}]"
            cells[f"{level}{suffix}" if suffix else f"{level} r"] = cell
        if level == "profile":
            is_pearson = rows["statistic"].iloc[0] == "pearson"
            cells["paper"] = _number(paper_value(rows.iloc[0]) if is_pearson else math.nan)
    return cells


def _number(value: Any) -> str:
    return f"{value:.2f}" if math.isfinite(value) else ""


def write_comparison(table: pd.DataFrame, directory: str | Path) -> None:
    """Write `compare.csv`, `.md`, `.png` and `.svg`."""
    from keras_chrome.compare.figure import draw_comparison

    write_outputs(
        directory,
        figures={"compare": draw_comparison(table)},
        tables={"compare": table},
        texts={"compare.md": markdown(table)},
    )
