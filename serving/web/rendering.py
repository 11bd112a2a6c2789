"""Templates of pages and drawings, in which nothing that somebody sent is markup."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.csv_genes import CSV_MARKS
from serving.web import numbers

# The marks that have a colour of their own, in theme.css by their number.
_MARKS = (*CSV_MARKS, "H3K27ac")


def mark_class(mark: str) -> str:
    """The class of whatever is drawn in the colour of a mark; one for all that have none."""
    return f"mark-{_MARKS.index(mark)}" if mark in _MARKS else "mark-other"


def rounded(value: Any) -> Any:
    """A length or place in two decimals; whatever is no float as it is."""
    if not isinstance(value, float):
        return value
    return f"{round(value, 2):g}" if abs(value) < 1e5 else str(round(value))


def clean(text: object) -> str:
    """Text that may stand in XML, which has no control characters, not even escaped."""
    printable = (c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return "".join(printable)


def _sentence(text: str) -> str:
    return text if text.endswith(("?", ".", "!")) else f"{text}."


environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=rounded,
)
environment.filters |= {
    "decimals": numbers.decimals,
    "brief": numbers.brief,
    "thousands": numbers.thousands,
    "signed": numbers.signed,
    "signed_brief": numbers.signed_brief,
    "signed_decimals": numbers.signed_decimals,
    "sentence": _sentence,
    "mark_class": mark_class,
    "clean": clean,
}
