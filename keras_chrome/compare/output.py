"""A comparison with a validation mark as text, for the screen and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_chrome.compare.correlations import NAIVE_METHODS
from keras_chrome.compare.paper import paper_value
from keras_chrome.runs.files import write_outputs
from keras_chrome.runs.trainings import counted_networks
from keras_chrome.tables import format_table, markdown_table, wrapped

if TYPE_CHECKING:
    import pandas as pd

USUAL_FORMS = ("none", "linear_log", "rank")
"""The form in which a control is held fixed where only one is shown."""
NETWORK_WORDS = {"permuted_labels": "shuffled labels", "untrained": "untrained"}
"""Networks that have learned nothing, in words."""
# What a column shows: a control and a form of it, and whether an interval stands beside.
_COLUMNS = {
    "r": ("none", "none", True),
    "r | signal": ("signal", "linear_log", True),
    "linear": ("signal", "linear", False),
    "log": ("signal", "log", False),
    "r | both": ("both", "linear_log", False),
}
_RANK_COLUMNS = {
    "r": ("none", "none", True),
    "r | signal": ("signal", "rank", True),
    "r | distance": ("distance", "rank", False),
    "r | both": ("both", "rank", False),
}
_LEVELS = {
    "profile": "Means over genes, correlated:",
    "gene": "Each gene correlated, then the mean:",
}
_ASKED = {
    "r": "",
    "r | signal": " with the mark's own signal held fixed",
}

_LEGEND = """\
- r: Pearson correlation of the importance of the mark's bins with the signal of the validation
  mark, over genes predicted ON. That of the two means over genes is the paper's; paper is the value
  of its Table 3. Brackets are 95 % bootstrap intervals over genes and trainings.
- | signal: the same with the mark's own signal held fixed, as it is and as log(1 + signal); linear
  and log with only one of these; | both: with the distance to the TSS, too. Blank where the method
  is a copy of what is held fixed.
- untrained, shuffled labels: the same of networks that have learned nothing, the mean, and in
  brackets the least and the greatest of them.
- signal and tss_distance are no explanations: what a method must beat."""

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


def verdicts(of_level: pd.DataFrame) -> list[str]:
    """Which methods say more than what knows nothing, of one run, level and statistic.

    A method does whose interval lies above the mark's own signal, the distance to the TSS, and
    every network that has learned nothing.
    """
    sentences = []
    for heading, about in _ASKED.items():
        control, _, _ = _COLUMNS[heading]
        rows = of_level[(of_level["control"] == control) & of_level["form"].isin(USUAL_FORMS)]
        is_naive = rows["method"].isin(NAIVE_METHODS)
        naive = rows["r"][is_naive].max()
        beyond: dict[bool, list[str]] = {True: [], False: []}
        for method, of_method in rows[~is_naive].groupby("method", sort=False):
            is_trained = of_method["network"] == "trained"
            # What is not known is no bar: `max` leaves it out.
            nothing = max(
                filter(math.isfinite, [naive, *of_method["high"][~is_trained]]), default=-1
            )
            low = of_method["low"][is_trained].iloc[0]
            beyond[bool(low > nothing)].append(str(method))
        found = ", ".join(beyond[True]) or "no method"
        sentence = f"Beyond all that knows nothing{about}: {found}"
        if beyond[True] and beyond[False]:
            sentence += f"; not {', '.join(beyond[False])}"
        sentences.append(f"{sentence}.")
    return sentences


def _blocks(
    table: pd.DataFrame, layout: Callable[[_Rows], str], statistic: str = "pearson"
) -> Iterator[str]:
    is_markdown = layout is markdown_table
    for (run, epigenome, variant), of_run in table.groupby(
        ["run", "epigenome", "variant"], sort=False
    ):
        chosen = of_run[of_run["statistic"] == statistic]
        first = chosen.iloc[0]
        yield wrapped(
            f"{epigenome}, {variant} ({run}{_networks(chosen)}): importance of {first['mark']} "
            f"against {first['validation_mark']} of {first['validation_dataset']}, "
            f"{chosen['num_genes'].max()} genes predicted ON ({first['on_rule']}), bins along "
            + ("transcription" if first["direction"] == "transcription" else "the dataset")
        )
        for level, title in _LEVELS.items():
            of_level = chosen[chosen["level"] == level]
            yield title
            yield layout(
                [
                    _cells(rows, is_markdown=is_markdown)
                    for _, rows in of_level.groupby(["method", "network"], sort=False)
                ]
            )
            if is_markdown:
                yield "\n".join(f"- {sentence}" for sentence in verdicts(of_level))
            else:
                yield "\n".join(map(wrapped, verdicts(of_level)))


def _networks(rows: pd.DataFrame) -> str:
    """How many networks there are of each kind, where it is more than the run."""
    counts = rows[rows["num_networks"] > 0].groupby("network", sort=False)["num_networks"].max()
    numbers = {str(kind): int(number) for kind, number in counts.items()}
    if numbers["trained"] == 1:
        del numbers["trained"]
    return "".join(f", {counted}" for counted in counted_networks(numbers))


def _cells(rows: pd.DataFrame, *, is_markdown: bool) -> dict[str, str]:
    """One method of one kind of network as a line of cells."""
    first = rows.iloc[0]
    kind = NETWORK_WORDS.get(first["network"])
    named = f"{first['method']}, {kind}" if is_markdown else f"  {kind}"
    cells = {"method": first["method"] if kind is None else named}
    of_way = {(row["control"], row["form"]): row for row in rows.to_dict("records")}
    columns = _COLUMNS if first["statistic"] == "pearson" else _RANK_COLUMNS
    for heading, (control, form, with_interval) in columns.items():
        row = of_way[control, form]
        cell = _number(row["r"])
        if cell and with_interval:
            cell += f" [{_number(row['low'])}, {_number(row['high'])}]"
        cells[heading] = cell
    if first["level"] == "profile" and first["statistic"] == "pearson":
        cells["paper"] = "" if kind else _number(paper_value(first))
    return cells


def _number(value: Any) -> str:
    # Adding 0 keeps what rounds to nothing from being written as -0.00.
    return f"{round(value, 2) + 0.0:.2f}" if math.isfinite(value) else ""


def write_comparison(table: pd.DataFrame, directory: str | Path) -> list[Path]:
    """Write `compare.csv`, `.md`, `.png` and `.svg`."""
    from keras_chrome.compare.figure import draw_comparison

    return write_outputs(
        directory,
        figures={"compare": draw_comparison(table)},
        tables={"compare": table},
        texts={"compare.md": markdown(table)},
    )
