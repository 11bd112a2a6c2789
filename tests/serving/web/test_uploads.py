"""CSV text from people: what is wrong is told, what is too much is not read."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from serving.csv_genes import CSV_MARKS
from serving.errors import InputError
from serving.web.uploads import columns_of_csv, read_text

OPTIONS = {"num_bins": 8, "max_genes": 10}


def test_genes_are_read_as_they_stand(signal: np.ndarray, csv_text: Callable[..., str]) -> None:
    text = csv_text(signal)
    heading = f"gene,bin,{','.join(CSV_MARKS)}\n"
    for content in (
        text,
        "\ufeff" + text,
        text + "\n\n \n",
        text.replace("\n", "\r\n"),
        heading + text,
        text.replace(",", ";"),
    ):
        genes = read_text(content.encode(), "genes.csv", **OPTIONS)
        assert genes.gene_id.tolist() == [f"G{i}" for i in range(7)]
        np.testing.assert_array_equal(genes.signal, signal)


def test_quoted_names_are_read(signal: np.ndarray, csv_text: Callable[..., str]) -> None:
    text = csv_text(signal[:1], '"a, ""b"""'.format)
    assert read_text(text.encode(), "x", **OPTIONS).gene_id.tolist() == ['a, "b"']


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("G1,3,", "G1,4,"), "genes.csv, line 11: gene G1, bin=4"),
        (lambda t: re.sub(r"G1,3,\d+", "G1,3,x", t), "line 11, gene G1: H3K27me3='x'"),
        (lambda t: re.sub(r"G1,3,\d+", "G1,3,-1", t), "line 11, gene G1: H3K27me3='-1'"),
        (lambda t: t.rsplit("\n", 2)[0], "the file ends at bin 7 of gene G6"),
        (
            lambda t: t.replace(",", " "),
            "commas, semicolons or tabs. Received: genes.c",
        ),
        (lambda t: "", "genes.csv, which is empty"),
        (lambda t: t.replace("G1,3,", '"G1,3,'), "quotation marks closed"),
        (
            lambda t: t.replace("G1,3,", f"{'G' * 101},3,"),
            "100 characters. Received: genes.csv, line 11",
        ),
        (lambda t: t.replace("G1,3,", f"G1,3,{',' * 100}"), "columns"),
        (lambda t: csv_of_eleven(t), "at most 10 genes at once, 80 lines. Received: genes.csv, 88"),
    ],
)
def test_faults_are_told_with_the_place(
    signal: np.ndarray,
    csv_text: Callable[..., str],
    change: Callable[[str], str],
    message: str,
) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as error:
        read_text(change(csv_text(signal)).encode(), "genes.csv", **OPTIONS)
    assert str(error.value).startswith("Expected")


def csv_of_eleven(text: str) -> str:
    return text + "".join(text.splitlines(keepends=True)[:32])


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00", b"PK\x03\x04\xff", b"\xff\xfeG\x000"])
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"text in UTF-8. Received: genes\.xlsx, which is none"):
        read_text(content, "genes.xlsx", **OPTIONS)


def test_marks_are_named_once(signal: np.ndarray, csv_text: Callable[..., str]) -> None:
    options = {**OPTIONS, "marks": ("H3K4me3",) * 5}
    with pytest.raises(InputError, match="each mark once"):
        read_text(csv_text(signal).encode(), "x", **options)


def test_columns_are_the_published_ones_where_they_hold_what_the_model_wants() -> None:
    assert columns_of_csv(("H3K4me3", "H3K9me3")) == CSV_MARKS
    assert columns_of_csv(("H3K4me3", "H3K27ac")) == ("H3K4me3", "H3K27ac")
