"""Rows as tables, for the screen and in Markdown."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100
"""Columns of a terminal that what is printed fits."""


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as text in aligned columns; floats to four places.

    Columns that do not fit beside the others follow below, beside the first column once more.
    """
    lines = [list(rows[0]), *([_cell(v) for v in row.values()] for row in rows)]
    first, *others = (_aligned(column, i) for i, column in enumerate(zip(*lines, strict=True)))
    blocks = [[first]]
    for column in others:
        width = sum(len(placed[0]) + 2 for placed in blocks[-1])
        if width + len(column[0]) > WIDTH and len(blocks[-1]) > 1:
            blocks.append([first])
        blocks[-1].append(column)
    return "\n\n".join(
        "\n".join("  ".join(line).rstrip() for line in zip(*block, strict=True)) for block in blocks
    )


def _aligned(column: Sequence[str], position: int) -> list[str]:
    """Cells of one width: the first column to the left, all others to the right."""
    width = max(map(len, column))
    return [cell.rjust(width) if position else cell.ljust(width) for cell in column]


def wrapped(text: str) -> str:
    """Text in lines that fit a terminal; what has no space, such as a path, stays whole."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


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
