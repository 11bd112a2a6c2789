"""What the figure shows, read off its artists."""

import numpy as np
import pandas as pd

from keras_chrome.beta_map.figure import draw_beta_map

MARKS = ("H3K4me1", "H3K4me3", "H3K9me3")


def table() -> pd.DataFrame:
    """Two genes in three epigenomes, the last without H3K9me3."""
    rng = np.random.default_rng(0)
    rows = []
    for gene, symbol, tss in (("PAX5", "PAX5", 37_034_476), ("ENSG00000000003", "", -1)):
        for i, epigenome in enumerate(("E116", "E123", "E003")):
            beta = rng.dirichlet(np.ones(len(MARKS)))
            if epigenome == "E003":
                beta[2] = np.nan
            rows.append(
                {
                    "gene": gene,
                    "gene_id": "ENSG00000196092" if symbol else gene,
                    "transcript_id": "ENST00000358127" if symbol else "",
                    "unit": "TPM",
                    "epigenome": epigenome,
                    "symbol": symbol,
                    "chrom": "chr9",
                    "tss": tss,
                    "split": "test",
                    "label": int(i == 0),
                    "rpkm": (1574.32, 0.066, np.nan)[i],
                    "probability": (0.96, 0.12, 0.5)[i],
                    **{f"beta_{mark}": b for mark, b in zip(MARKS, beta, strict=True)},
                }
            )
    return pd.DataFrame(rows)


def test_a_panel_a_gene_a_row_an_epigenome_a_column_a_mark() -> None:
    drawn = table()
    figure = draw_beta_map(drawn)
    maps = figure.axes[0:6:3]
    assert [axes.get_title(loc="left") for axes in maps] == [
        "PAX5, ENST00000358127, chr9:37,034,476",
        "ENSG00000000003",
    ]
    columns = [f"beta_{mark}" for mark in MARKS]
    for axes, (_, panel) in zip(maps, drawn.groupby("gene", sort=False), strict=True):
        assert [label.get_text() for label in axes.get_xticklabels()] == list(MARKS)
        assert [label.get_text() for label in axes.get_yticklabels()] == ["E116", "E123", "E003"]
        written = {
            tuple(np.subtract(text.get_position(), 0.5).astype(int)): text.get_text()
            for text in axes.texts
        }
        assert written == {
            (x, y): f"{value:.2f}"
            for (y, x), value in np.ndenumerate(panel[columns].to_numpy())
            if np.isfinite(value)
        }


def test_prediction_and_measurement_stand_beside() -> None:
    probability, measured = draw_beta_map(table()).axes[1:3]
    texts = [text.get_text().strip() for text in probability.texts]
    assert texts == ["0.96", "0.12", "0.50", "predicted\nP(high)"]
    texts = [text.get_text().strip() for text in measured.texts]
    assert texts == [
        *("measured\nTPM", "1,574", "0.066", "?"),
        *("label", "high", "low", "low"),
        *("split", "test", "test", "test"),
    ]
