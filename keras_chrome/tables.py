"""Rows as tables, for the screen and in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as text in aligned columns; floats to four places."""
    cells = [list(rows[0])] + [[_cell(v) for v in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows of text as a table in Markdown, all columns but the first aligned to the right."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    lines.insert(1, ["---", *["---:"] * (len(rows[0]) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(map(_cell, value))
    return str(value)
