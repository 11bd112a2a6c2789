"""A comparison with a validation mark as text, for the screen and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.compare.paper import paper_value
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_table, markdown_table, wrapped

if TYPE_CHECKING:
    import pandas as pd

_CONTROLS = {"none": "r", "signal": "r | signal", "distance": "r | distance", "both": "r | both"}
_LEVELS = {
    "profile": "Means over genes, correlated:",
    "gene": "Each gene correlated, then the mean:",
}

_LEGEND = """\
- r: Pearson correlation of the importance of the mark's bins with the signal of the validation
  mark, over genes predicted ON. That of the two means over genes is the paper's; paper is the value
  of its Table 3. Brackets are 95 % bootstrap intervals over genes.
- | signal, | distance, | both: the same with the mark's own signal, the distance to the TSS, or
  both held fixed (as they are and as logarithms). Blank where the method is a copy of them.
- signal and tss_distance are no explanations: what a method must beat. A method that does not
  correlate more than they do, and not when they are held fixed, has found nothing else."""

_Rows = Sequence[Mapping[str, str]]


def summary(table: pd.DataFrame) -> str:
    """A comparison for the screen: Pearson's correlations, two tables a run."""
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
        first = chosen.iloc[0]
        yield wrapped(
            f"{epigenome}, {variant} ({run}): importance of {first['mark']} against "
            f"{first['validation_mark']} of {first['validation_dataset']}, "
            f"{chosen['num_genes'].max()} genes predicted ON"
        )
        for level, title in _LEVELS.items():
            methods = chosen[chosen["level"] == level].groupby("method", sort=False)
            yield title
            yield layout([_cells(rows) for _, rows in methods])


def _cells(rows: pd.DataFrame) -> dict[str, str]:
    """One method as a line of cells."""
    first = rows.iloc[0]
    cells = {"method": first["method"]}
    of_control = rows.set_index("control")
    for control, heading in _CONTROLS.items():
        row = of_control.loc[control]
        cell = _number(row["r"])
        if cell and control == "none":
            cell += f" [{_number(row['low'])}, {_number(row['high'])}]"
        cells[heading] = cell
    if first["level"] == "profile" and first["statistic"] == "pearson":
        cells["paper"] = _number(paper_value(first))
    return cells


def _number(value: Any) -> str:
    # Adding 0 keeps what rounds to nothing from being written as -0.00.
    return f"{round(value, 2) + 0.0:.2f}" if math.isfinite(value) else ""


def write_comparison(table: pd.DataFrame, directory: str | Path) -> None:
    """Write `compare.csv`, `.md`, `.png` and `.svg`."""
    from keras_chrome.compare.figure import draw_comparison

    write_outputs(
        directory,
        figures={"compare": draw_comparison(table)},
        tables={"compare": table},
        texts={"compare.md": markdown(table)},
    )
