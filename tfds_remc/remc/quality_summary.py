"""The quality of marks as a table of text, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Sequence

from .file_types import READ_TYPES
from .mark_quality import MarkQuality

_UNKNOWN = "-"


def mark_table(marks: Sequence[MarkQuality]) -> list[str]:
    """Returns the lines of a table: a header, and a line a mark."""
    is_reads = all(mark.file_type in (None, *READ_TYPES) for mark in marks)
    what = "reads" if is_reads else "records"
    rows = [
        (
            *("mark", f"{what} in", "used", "share", "mean a bin", "zero bins"),
            *("TSS enrichment", "peak", "AUROC"),
        ),
        *(_row(mark) for mark in marks),
    ]
    # A column that no mark has a number for says nothing.
    columns = [
        column for column in zip(*rows, strict=True) if any(cell != _UNKNOWN for cell in column[1:])
    ]
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in zip(*columns, strict=True)
    ]


def percent(share: float | None) -> str:
    """Returns a share, 0 to 1, in percent."""
    return _UNKNOWN if share is None else f"{100 * share:.1f} %"


def times(ratio: float | None) -> str:
    """Returns a ratio as so many times."""
    return _UNKNOWN if ratio is None else f"{ratio:.1f} x"


def distance(bp: float | None) -> str:
    """Returns a distance from the TSS, positive downstream."""
    if bp is None:
        return _UNKNOWN
    return f"{abs(bp):,.0f} bp {'upstream' if bp < 0 else 'downstream'}"


def _row(mark: MarkQuality) -> tuple[str, ...]:
    return (
        mark.mark,
        _count(mark.num_records),
        _count(mark.num_used),
        percent(mark.share_used),
        f"{mark.mean_signal:#.3g}",
        percent(mark.zero_share),
        times(mark.tss_enrichment),
        _UNKNOWN if mark.peak_bp is None else f"{mark.peak_bp:+,.0f} bp",
        _UNKNOWN if mark.auroc is None else f"{mark.auroc:.2f}",
    )


def _count(number: int | None) -> str:
    return _UNKNOWN if number is None else f"{number:,}"
