"""The groups of a leaderboard side by side: what label rule and split make of each model."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from keras_chrome.leaderboard.board import Leaderboard, group_titles, rows_of
from keras_chrome.tables import markdown_table

# Group -> model -> the row that `Leaderboard.epigenomes` has of them.
_Columns: TypeAlias = Mapping[str, Mapping[str, Any]]


def overview(board: Leaderboard) -> Iterator[str]:
    """In Markdown, for each epigenome a table of AUROCs and one of calibration.

    A line is a model, in the order of the first column, and a column a group. Published labels on
    the dataset's own split, which is what others publish, are the first.
    """
    titles = group_titles(board.models, "{labels}, {split}")
    groups = sorted(titles, key=lambda group: (group[1] != "dataset", group[0] != "published"))
    for epigenome, rows in board.epigenomes.groupby("epigenome"):
        columns: _Columns = {
            titles[group]: {str(row.model): row for row in of_group.itertuples()}
            for group in groups
            if len(of_group := rows_of(group, rows))
        }
        yield f"### {epigenome}"
        yield "Test AUROC and its 95 % interval, by label rule and split:"
        yield _table(columns, lambda row: f"{row.auroc:.3f} ({interval(row)})")
        yield "Expected calibration error, and the mean prediction:"
        yield _table(columns, lambda row: f"{row.ece:.3f} ({row.mean_probability:.3f})")
        shares = (
            f"{next(iter(column.values())).positive_rate:.3f} ({title})"
            for title, column in columns.items()
        )
        yield f"Labelled high, of the test genes: {', '.join(shares)}."


def interval(row: Any) -> str:
    """The interval of a row of `Leaderboard.epigenomes`."""
    return f"{row.auroc_low:.3f}-{row.auroc_high:.3f}"


def _table(columns: _Columns, cell: Callable[[Any], str]) -> str:
    models = {model: None for column in columns.values() for model in _best_first(column)}
    return markdown_table(
        [
            {"model": f"`{model}`"}
            | {
                title: cell(column[model]) if model in column else ""
                for title, column in columns.items()
            }
            for model in models
        ]
    )


def _best_first(column: Mapping[str, Any]) -> list[str]:
    return sorted(column, key=lambda model: -column[model].auroc)
