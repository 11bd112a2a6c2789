import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfds_remc.remc.signal_array import SignalArrayError, read_signal_array


@pytest.fixture
def arrays() -> dict[str, Any]:
    """Two genes, one mark more than genes, four bins."""
    return {
        "marks": np.array(["H3K4me3", "H3K27ac", "H3K9ac"]),
        "signal": np.arange(24.0, dtype=np.float16).reshape(2, 3, 4),
        "gene_id": np.array(["ENSG00000000003.14", "ENSG00000000005"]),
        "chrom": np.array(["chrX", "chrX"]),
        "tss": np.array([99_894_988, 99_839_799], np.int32),
        "strand": np.array(["-", "?"]),
    }


def save(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path / "own.npz", **arrays)
    return path / "own.npz"


def test_reads_what_is_needed(tmp_path: Path, arrays: dict[str, Any]) -> None:
    array = read_signal_array(save(tmp_path, arrays))
    assert array.marks == ("H3K4me3", "H3K27ac", "H3K9ac")
    assert (array.signal.dtype, array.signal.shape) == (np.float32, (2, 4, 3))
    assert array.signal[1, 3].tolist() == [15, 19, 23]
    assert array.genes.gene_id.tolist() == ["ENSG00000000003", "ENSG00000000005"]
    assert array.genes.strand.tolist() == ["-", ""]
    assert array.genes.tss.tolist() == [99_894_988, 99_839_799]
    assert array.genes.symbol.tolist() == ["", ""]
    assert array.rpkm is None
    assert array.split is None


def test_reads_what_there_may_be(tmp_path: Path, arrays: dict[str, Any]) -> None:
    arrays["counts"] = arrays.pop("signal").astype(np.int16)
    arrays |= {
        "symbol": np.array(["TSPAN6", "TNMD"]),
        "rpkm": np.array([np.nan, 0.5], np.float32),
        "split": np.array([2, 0], np.int8),
    }
    array = read_signal_array(save(tmp_path, arrays))
    assert array.signal[1, 3].tolist() == [15, 19, 23]
    assert array.genes.symbol.tolist() == ["TSPAN6", "TNMD"]
    np.testing.assert_array_equal(array.rpkm, [np.nan, 0.5])
    assert array.split is not None
    assert array.split.tolist() == ["test", "train"]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"marks": None}, r"Received: signal, .*, without marks\."),
        (
            {"marks": np.array(["H3K4me3", "H3K27ac", "H3K4Me3"])},
            r"each mark once in own\.npz\. Received: marks=H3K4me3, H3K27ac, H3K4Me3",
        ),
        ({"signal": None}, r"Expected the arrays marks, signal, .*without signal\."),
        ({"signal": np.zeros((2, 4, 3))}, r"shape \(genes, marks, bins\).*\(2, 3, bins\).*\(2, 4"),
        ({"signal": np.zeros((2, 3))}, r"Received: \(2, 3\)\."),
        ({"signal": np.full((2, 3, 4), "1")}, r"Expected numbers as signal.*Received: <U1"),
        (
            {"signal": -np.eye(12)[:6].reshape(2, 3, 12)},
            r"-1\.0 for gene .*003\.14, H3K4me3, bin 0\. Signal is never negative: give the fold",
        ),
        *(
            (
                {"signal": np.full((2, 3, 4), float(value))},
                rf"numbers of at least 0 as signal .* Received: {re.escape(value)} for .*give 0",
            )
            for value in ("nan", "inf", "1e+39")
        ),
        ({"tss": np.array([1])}, r"tss of 2 genes, whole numbers.*int64 of the shape \(1,\)"),
        ({"tss": np.array([1.5, 2])}, r"tss of 2 genes, whole numbers.*Received: float64"),
        ({"strand": np.array([1, -1])}, r"strand of 2 genes, '\+', '-' or ''.*Received: int64"),
        ({"strand": np.array(["+", "x"])}, r"Received: 'x' in row 1"),
        ({"marks": np.arange(3)}, r"marks of 3 marks, text that is not empty.*Received: int64"),
        ({"marks": np.array(["H3K4me3", "", "CTCF"])}, r"marks of 3 marks.*Received: '' in row 1"),
        ({"gene_id": np.array(["a", ""])}, r"gene_id of 2 genes.*Received: '' in row 1"),
        ({"rpkm": np.array([1, -3.5])}, r"rpkm of 2 genes, numbers of at least 0.*-3\.5 in row 1"),
        ({"split": np.array([0, 3])}, r"split of 2 genes, 0, 1 or 2.*Received: 3 in row 1"),
        ({"gene_id": np.array(["a", None])}, r"an \.npz file of arrays.*array\.astype\(str\)"),
    ],
)
def test_arrays_that_do_not_fit(
    tmp_path: Path, arrays: dict[str, Any], changed: dict[str, Any], match: str
) -> None:
    arrays = {name: array for name, array in {**arrays, **changed}.items() if array is not None}
    with pytest.raises(SignalArrayError, match=match) as error:
        read_signal_array(save(tmp_path, arrays))
    assert "\n" not in str(error.value)


def test_text_as_hdf5_has_it(tmp_path: Path, arrays: dict[str, Any]) -> None:
    """As bytes, and filled up with spaces by some writers."""
    arrays["marks"] = np.array([b"H3K4me3 ", b"H3K27ac", b"H3K9ac"])
    arrays |= {name: arrays[name].astype("S") for name in ("gene_id", "chrom", "strand")}
    array = read_signal_array(save(tmp_path, arrays))
    assert array.marks == array.written_marks == ("H3K4me3", "H3K27ac", "H3K9ac")
    assert array.genes.gene_id.tolist() == ["ENSG00000000003", "ENSG00000000005"]
    assert array.genes.strand.tolist() == ["-", ""]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04cut"])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    with pytest.raises(SignalArrayError, match=r"an \.npz file of arrays\. Received: own\.npz"):
        read_signal_array(path)


def test_a_single_array(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.zeros(3))
    with pytest.raises(SignalArrayError, match=r"an \.npz file of arrays\. Received: own\.npy"):
        read_signal_array(tmp_path / "own.npy")
