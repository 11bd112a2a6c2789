"""What is written is what is read back."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pybigtools
import pytest

from keras_chrome.errors import InputError
from keras_chrome.tracks.files import (
    read_chrom_sizes,
    rgb,
    write_bed,
    write_bigbed,
    write_bigwig,
    write_chrom_sizes,
)
from keras_chrome.tracks.layout import lay_out

SIZES = {"chr1": 1000, "chr10": 900, "chr2": 800}
BINS = pd.DataFrame(
    {
        "chrom": ["chr1", "chr1", "chr2"],
        "start": [0, 40, 7],
        "end": [100, 140, 10],
        "gene_id": ["g0", "g1", "g2"],
        "symbol": ["A", "B", ""],
        "strand": ["+", "-", ""],
        "mark": ["H3K4me3", "H3K9me3", "H3K4me3"],
        "rank": [1, 2, 1],
        "importance": np.array([0.1, -2.5e-7, 3.0], np.float32),
        "score": [33, 0, 1000],
    }
)


def test_bigwig_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    chrom = np.array(["chr1", "chr1", "chr2", "chr10"])
    layout = lay_out(chrom, np.array([100, 130, 10, 890]), SIZES, num_bins=6, bin_bp=10)
    values = rng.normal(size=len(layout)).astype(np.float32)
    values[3] = 0
    path = tmp_path / "folder" / "values.bw"
    write_bigwig(path, layout, values, SIZES)
    with pybigtools.open(str(path)) as bigwig:
        assert bigwig.chroms() == SIZES
        read = [(c, *record) for c in sorted(SIZES) for record in bigwig.records(c)]
    columns = (layout.chrom, layout.start, layout.end, values)
    assert read == [*zip(*(column.tolist() for column in columns), strict=True)]
    assert [p.name for p in path.parent.iterdir()] == ["values.bw"]


def test_what_pybigtools_does_not_write_whole_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = lay_out(np.array(["chr1"]), np.array([100]), SIZES, num_bins=6, bin_bp=10)
    with pytest.raises(OSError, match=r"a whole file.*values\.bw"):
        write_bigwig(tmp_path / "values.bw", layout, np.zeros(6, np.float32), {"chr1": 110})
    assert list(tmp_path.iterdir()) == []
    assert "greater than the chromosome" in "".join(capfd.readouterr())


def test_a_panic_is_an_error_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    class FullDisk:
        def write(self, *_: object) -> None:
            raise PanicException("no space left")

    monkeypatch.setattr(pybigtools, "open", lambda *_: FullDisk())
    with pytest.raises(
        OSError, match=r"open files \(ulimit -n 1024\)\. Received: no space left: '.*bins\.bb'"
    ):
        write_bigbed(tmp_path / "bins.bb", BINS, SIZES)


def test_bed(tmp_path: Path) -> None:
    write_bed(tmp_path / "bins.bed", BINS)
    lines = (tmp_path / "bins.bed").read_text().splitlines()
    assert [line.replace("\t", " ") for line in lines] == [
        "chr1 0 100 A:H3K4me3:1 33 + 0 100 0,114,178 g0 A H3K4me3 1 0.100000001",
        "chr1 40 140 B:H3K9me3:2 0 - 40 140 230,159,0 g1 B H3K9me3 2 -2.49999999e-07",
        "chr2 7 10 g2:H3K4me3:1 1000 . 7 10 0,114,178 g2 . H3K4me3 1 3",
    ]
    read = [np.float32(line.split("\t")[-1]) for line in lines]
    assert read == BINS["importance"].tolist()


def test_bigbed_holds_what_bed_does_and_declares_it(tmp_path: Path) -> None:
    write_bed(tmp_path / "bins.bed", BINS)
    write_bigbed(tmp_path / "bins.bb", BINS, SIZES)
    with pybigtools.open(str(tmp_path / "bins.bb")) as bigbed:
        read = [(c, *record) for c in ("chr1", "chr2") for record in bigbed.records(c)]
        declared = bigbed.sql()
    lines = (tmp_path / "bins.bed").read_text().splitlines()
    assert ["\t".join(map(str, record)) for record in read] == lines
    fields = re.findall(r"\n\s+\S+\s+(\w+);", declared)
    assert len(fields) == len(lines[0].split("\t"))
    assert fields[9:] == ["geneId", "symbol", "mark", "rank", "importance"]
    content = (tmp_path / "bins.bb").read_bytes()
    # fieldCount and definedFieldCount; and the magic number that shows that a file is whole.
    assert np.frombuffer(content[32:36], "<u2").tolist() == [14, 9]
    assert content[-4:] == content[:4]


def test_chrom_sizes_round_trip(tmp_path: Path) -> None:
    write_chrom_sizes(tmp_path / "sizes", SIZES)
    assert read_chrom_sizes(tmp_path / "sizes") == SIZES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1 100\nchr2\n", r"line 2: 'chr2'"),
        ("chr1 1e6\n", "line 1: 'chr1 1e6'"),
        ("chr1 1\n\nchr1 2\n", r"each chromosome once.*line 3: 'chr1 2'"),
        ("# none\n", "which has none"),
    ],
)
def test_bad_chrom_sizes(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "sizes").write_text(text)
    with pytest.raises(InputError, match=message):
        read_chrom_sizes(tmp_path / "sizes")


def test_rgb() -> None:
    assert rgb("#0072B2") == "0,114,178"
