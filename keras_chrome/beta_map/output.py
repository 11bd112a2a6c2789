"""A beta map in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_chrome.tables import format_table

if TYPE_CHECKING:
    import pandas as pd


def format_beta_map(table: pd.DataFrame) -> str:
    """The genes as text."""
    return format_table(
        [
            {
                "gene": row["gene"],
                "epigenome": row["epigenome"],
                "split": row["split"],
                "P(high)": row["probability"],
                "RPKM": row["rpkm"],
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
