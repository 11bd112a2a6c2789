"""What the faithfulness suite found as text: answers, and one table of all methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.faithfulness.measures import MEASURES, NAIVE_METHODS, QUESTIONS, Faithfulness
from keras_chrome.runs.files import write_outputs
from keras_chrome.tables import format_table, markdown_table, wrapped

if TYPE_CHECKING:
    import pandas as pd

_Rows = Sequence[Mapping[str, str]]
# Measures of networks that have learned nothing: whose they stand beside, and in words.
_OF_NOTHING = {
    f"{measure}_{kind}": (measure, words)
    for measure in ("deletion", "insertion", "planted")
    for kind, words in {"untrained": "untrained", "permuted": "shuffled labels"}.items()
}


def summary(result: Faithfulness) -> str:
    """The answers and the tables for the screen."""
    blocks = _blocks(result, format_table, heading="")
    return "\n\n".join([wrapped(result.title), *blocks])


def markdown(result: Faithfulness) -> str:
    """The same in Markdown, with what every number means."""
    meanings = [
        f"- {name} ({measure.better} is better): {measure.meaning}."
        for name, measure in MEASURES.items()
        if name in set(result.scores["measure"])
    ]
    blocks = [
        "# Which importance method to believe",
        f"{result.title}.",
        *_blocks(result, markdown_table, "## "),
    ]
    blocks += ["## How to read it", "\n".join(meanings)]
    blocks.append(
        f"{', '.join(NAIVE_METHODS)} are no methods: orders of bins that know nothing of the "
        "model. Brackets are 95 % bootstrap intervals over genes and networks."
    )
    return "\n\n".join(blocks) + "\n"


def answers(scores: pd.DataFrame) -> list[str]:
    """A sentence a measure: which method is best, and which are no worse as far as one can tell.

    Methods are no worse whose interval reaches the best one's. Beside the best method stands the
    best naive order, and what the method gives in networks that have learned nothing.
    """
    sentences = []
    for name in dict.fromkeys(scores["measure"]):
        is_better_higher = MEASURES[name].better == "higher"
        known = scores[(scores["measure"] == name) & scores["value"].notna()]
        if MEASURES[name].question == "attention" or name in _OF_NOTHING or known.empty:
            continue
        known = known.sort_values("value", ascending=not is_better_higher, kind="stable")
        best = known.iloc[0]
        is_level = (
            known["high"] >= best["low"] if is_better_higher else known["low"] <= best["high"]
        )
        level = [m for m in known["method"][is_level] if m != best["method"]]
        sentence = f"{name}: {best['method']} {_cell(best)}"
        if level:
            sentence += f"; level with it {', '.join(level)}"
        naive = known[known["method"].isin(NAIVE_METHODS)]
        if len(naive) and best["method"] not in NAIVE_METHODS:
            of_naive = naive.iloc[0]
            sentence += f"; naive {of_naive['method']} {of_naive['value']:.2f}"
        of_method = scores[scores["method"] == best["method"]].set_index("measure")
        sentence += "".join(
            f"; {words} {of_method.loc[measure, 'value']:.2f}"
            for measure, (whose, words) in _OF_NOTHING.items()
            if whose == name and measure in of_method.index
        )
        sentences.append(sentence)
    return sentences


def _blocks(result: Faithfulness, layout: Callable[[_Rows], str], heading: str) -> list[str]:
    scores = result.scores
    sentences = answers(scores)
    blocks = []
    for question, text in QUESTIONS.items():
        measures = [n for n, m in MEASURES.items() if m.question == question]
        of_question = scores[scores["measure"].isin(measures)]
        if of_question.empty:
            continue
        lines = [a for a in sentences if a.partition(":")[0] in measures]
        blocks.append(f"{heading}{text}")
        if lines:
            blocks.append("\n".join(f"- {line}" for line in lines))
        blocks.append(layout(_table(of_question)))
    return blocks


def _table(scores: pd.DataFrame) -> list[dict[str, str]]:
    """A line a method, a column a measure."""
    rows = []
    for method, of_method in scores.groupby("method", sort=False):
        cells = {row["measure"]: _cell(row) for _, row in of_method.iterrows()}
        measures = dict.fromkeys(scores["measure"])
        rows.append({"method": str(method), **{m: cells.get(m, "") for m in measures}})
    return rows


def _cell(row: pd.Series) -> str:
    if not math.isfinite(row["value"]):
        return ""
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def write_faithfulness(result: Faithfulness, directory: str | Path) -> list[Path]:
    """Write `faithfulness.csv`, `.md`, `.png` and `.svg`, `curves.csv`, `cascade.csv`."""
    from keras_chrome.faithfulness.figure import draw_faithfulness

    return write_outputs(
        directory,
        figures={"faithfulness": draw_faithfulness(result)},
        tables={
            "faithfulness": result.scores,
            "curves": result.curves,
            "cascade": result.cascade,
        },
        texts={"faithfulness.md": markdown(result)},
    )
