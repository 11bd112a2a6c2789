"""A beta map in words and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.runs.files import write_figure_and_table
from keras_chrome.tables import format_number, format_table

if TYPE_CHECKING:
    import pandas as pd


def summary(table: pd.DataFrame) -> str:
    """The genes, a line a run."""
    # Epigenomes may have been measured in several.
    unit = "/".join(table["unit"].unique())
    return format_table(
        [
            {
                "gene": row["gene"],
                "epigenome": row["epigenome"],
                "split": row["split"],
                "P(high)": row["probability"],
                unit: format_number(row["rpkm"]),
                "label": "high" if row["label"] else "low",
                **{
                    name.removeprefix("beta_"): row[name]
                    for name in table.columns
                    if name.startswith("beta_")
                },
            }
            for _, row in table.iterrows()
        ]
    )


def write_beta_map(table: pd.DataFrame, stem: Path) -> list[Path]:
    """Draw a map and write its numbers, as `write_figure_and_table` says."""
    from keras_chrome.beta_map.figure import draw_beta_map

    return write_figure_and_table(stem, draw_beta_map(table), table)
