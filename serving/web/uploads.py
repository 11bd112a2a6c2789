"""CSV text that somebody pasted or uploaded, to genes, within limits."""

import io
from collections.abc import Sequence

from serving.csv_genes import CSV_MARKS, encoding_of, iter_lines
from serving.errors import InputError
from serving.genes import Genes, plain_mark


def columns_of_csv(marks: Sequence[str]) -> tuple[str, ...]:
    """The marks that a CSV file without a heading is taken to hold, in order, where nobody says.

    They are those of the published files, or the model's own where it has others.
    """
    published = set(map(plain_mark, CSV_MARKS))
    return CSV_MARKS if set(map(plain_mark, marks)) <= published else tuple(marks)


def read_text(
    content: bytes,
    name: str,
    *,
    num_bins: int,
    marks: Sequence[str] | None = None,
    default_marks: Sequence[str] = CSV_MARKS,
    max_genes: int,
) -> Genes:
    """Read genes from CSV text in the published layout.

    Args:
        content: The text, UTF-8, or UTF-16 with a byte order mark.
        name: What error messages call it.
        num_bins: Number of bins that a gene must have.
        marks: Names of the marks, in the order of the columns, where somebody names them.
        default_marks: Those of a text that has no heading, where nobody does.
        max_genes: Most genes that are read.

    Raises:
        InputError: At the first fault, with the line and the gene, or if it is too much.
    """
    try:
        text = content.decode(encoding_of(content))
    except UnicodeDecodeError:
        raise InputError(
            f"Expected CSV as text in UTF-8. Received: {name}, which is none. Save it as CSV, "
            "not as a spreadsheet or compressed"
        ) from None
    lines = io.StringIO(text, newline=None)
    chunks = iter_lines(lines, name, num_bins, marks, max_genes, default_marks)
    genes = next(chunks)
    if next(chunks, None) is not None:
        raise InputError(
            f"Expected at most {max_genes:,} genes at once, {max_genes * num_bins:,} lines. "
            f"Received: {name}, {len(text.splitlines()):,} lines. Split it, or use python -m "
            "serving.client"
        )
    return genes
