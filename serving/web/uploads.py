"""CSV text that somebody pasted or uploaded, to genes, within limits."""

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from serving.errors import InputError
from serving.genes import CSV_MARKS, Genes, read_csv

# What read_csv keeps of a column takes the room of its longest text, for every row.
_MAX_FIELD_CHARACTERS = 100
_MAX_COLUMNS = 100


def columns_of_csv(marks: Sequence[str]) -> tuple[str, ...]:
    """The marks that a CSV file is taken to hold, in order, where nobody says.

    They are those of the published files, or the model's own where it has others.
    """
    return CSV_MARKS if set(marks) <= set(CSV_MARKS) else tuple(marks)


def read_text(
    content: bytes, name: str, *, num_bins: int, marks: Sequence[str], max_genes: int
) -> Genes:
    """Read genes from CSV text in the published layout.

    Args:
        content: The text, UTF-8.
        name: What error messages call it.
        num_bins: Number of bins that a gene must have.
        marks: Names of the marks, in the order of the columns.
        max_genes: Most genes that are read.

    Raises:
        InputError: At the first fault, with the line and the gene, or if it is too much.
    """
    if len(set(marks)) < len(marks):
        raise InputError(
            f"Expected each mark once. Received: marks of the columns={' '.join(marks)}"
        )
    try:
        # Empty lines at the end are no fault; others would shift the numbers of the lines.
        text = content.decode("utf-8-sig").rstrip()
    except UnicodeDecodeError:
        raise InputError(
            f"Expected CSV as text in UTF-8. Received: {name}, which is none. Save it as CSV, "
            "not as a spreadsheet or compressed"
        ) from None
    if not text:
        raise InputError(f"Expected CSV text. Received: {name}, which is empty")
    _check_size(text, name, num_bins, max_genes)
    with tempfile.TemporaryDirectory(prefix="serving-web-") as folder:
        path = Path(folder) / "genes.csv"
        path.write_text(f"{text}\n", encoding="utf-8", newline="")
        try:
            return read_csv(path, num_bins, marks)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from None


def _check_size(text: str, name: str, num_bins: int, max_genes: int) -> None:
    rows = 0
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            rows += 1
            if len(row) > _MAX_COLUMNS:
                raise InputError(
                    f"Expected at most {_MAX_COLUMNS} columns. Received: {name}, line "
                    f"{reader.line_num}: {len(row)} columns"
                )
            longest = max(map(len, row), default=0)
            if longest > _MAX_FIELD_CHARACTERS:
                raise InputError(
                    f"Expected fields of at most {_MAX_FIELD_CHARACTERS} characters. Received: "
                    f"{name}, line {reader.line_num}: one of {longest:,}. Is it separated by "
                    "commas, and are its quotation marks closed?"
                )
    except csv.Error as error:
        raise InputError(
            f"Expected CSV text. Received: {name}, line {reader.line_num} ({error})"
        ) from None
    if rows > max_genes * num_bins:
        raise InputError(
            f"Expected at most {max_genes:,} genes at once, {max_genes * num_bins:,} lines. "
            f"Received: {name}, {rows:,} lines. Split it, or use python -m serving.client"
        )
