"""Rows as tables, for the screen and in Markdown, and numbers as people write them."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100
"""Columns of a terminal that what is printed fits."""


def format_number(value: float) -> str:
    """A number, such as expression: three digits, or all before the point; `?` where unknown.

    Example:
        >>> [format_number(x) for x in (0, 0.00123, 1.26, 1574.3, 123456)]
        ['0', '0.00123', '1.26', '1,574', '123,456']
    """
    if not math.isfinite(value):
        return "?"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    rounded = float(f"{value:.3g}")
    if rounded == 0 or abs(rounded) >= 1e-4:
        # Six places hold three digits of any of these; noughts at the end say nothing.
        return f"{rounded + 0.0:,.6f}".rstrip("0").rstrip(".")
    return f"{rounded:.3g}"


def format_duration(seconds: float) -> str:
    """A time as people say it, rounded up: `8 s`, `4 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


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
