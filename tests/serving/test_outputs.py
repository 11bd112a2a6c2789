import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from serving.description import ModelDescription
from serving.errors import InputError
from serving.outputs import output_to
from serving.predictions import Prediction, Saliency

DESCRIPTION = ModelDescription("tiny", 12, ("x", "y"), 3, {"label_rule": "median"})


def prediction(*names: str) -> Prediction:
    n = len(names)
    random = np.random.default_rng(n)
    return Prediction(
        random.random(n, np.float32),
        random.random((n, 2, 3), np.float32),
        random.random((n, 2), np.float32),
        gene_id=np.array(names),
    )


CHUNKS = (prediction("a", "b"), prediction("0003"), prediction("d", "e", "f"))


def write_chunks(path: Path | None) -> None:
    with output_to(path)(DESCRIPTION) as write:
        for chunk in CHUNKS:
            write(chunk, None)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x.csv", pd.read_csv),
        ("x.csv.gz", pd.read_csv),
        ("x.tsv", lambda path, **options: pd.read_csv(path, sep="\t", **options)),
        ("x.tsv.gz", lambda path, **options: pd.read_csv(path, sep="\t", **options)),
        ("x.parquet", lambda path, dtype: pd.read_parquet(path)),
    ],
)
def test_tables_of_all_chunks_are_one(
    tmp_path: Path, name: str, read: Callable[..., pd.DataFrame]
) -> None:
    write_chunks(tmp_path / name)
    table = read(tmp_path / name, dtype={"gene_id": str})
    assert list(table["gene_id"]) == ["a", "b", "0003", "d", "e", "f"]
    assert list(table.columns) == [
        "gene_id",
        "probability",
        "top_mark",
        "top_bin",
        "beta_x",
        "beta_y",
    ]
    expected = np.concatenate([chunk.probability for chunk in CHUNKS])
    np.testing.assert_allclose(table["probability"], expected, rtol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_netcdf_holds_all_that_was_answered(tmp_path: Path) -> None:
    with output_to(tmp_path / "x.nc", saliency=True)(DESCRIPTION) as write:
        for chunk in CHUNKS:
            gradient = np.ones((len(chunk.probability), 3, 2), np.float32)
            write(chunk, Saliency(gradient, chunk.probability))
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as dataset:
        assert dict(dataset.sizes) == {"gene": 6, "mark": 2, "bin": 3}
        assert list(dataset["gene_id"].values) == ["a", "b", "0003", "d", "e", "f"]
        alphas = [chunk.alpha for chunk in CHUNKS if chunk.alpha is not None]
        np.testing.assert_array_equal(dataset["alpha"], np.concatenate(alphas))
        assert dataset["alpha"].dtype == np.float32
        assert dataset["gradient"].dims == ("gene", "mark", "bin")
        assert dataset.attrs["label_rule"] == "median"
    assert [path.name for path in tmp_path.iterdir()] == ["x.nc"]


def test_without_a_file_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_chunks(None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gene_id,probability,top_mark,top_bin,beta_x,beta_y"
    assert [line.split(",")[0] for line in lines[1:]] == ["a", "b", "0003", "d", "e", "f"]


def test_rows_are_written_as_they_come(tmp_path: Path) -> None:
    """What is written already is not held: it lies in a file of a hidden folder."""
    many = prediction(*(f"gene {number}" for number in range(1000)))
    with output_to(tmp_path / "x.csv")(DESCRIPTION) as write:
        sizes = []
        for _ in range(3):
            write(many, None)
            (hidden,) = tmp_path.glob(".unfinished-*/new.csv")
            sizes.append(hidden.stat().st_size)
        assert 0 < sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz", "x.parquet", "x.nc"])
def test_an_error_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")

    def fail() -> None:
        with output_to(tmp_path / name)(DESCRIPTION) as write:
            write(CHUNKS[0], None)
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fail()
    assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A file may not grow beyond a limit that the system sets; in a process of its own."""
    (tmp_path / "x.csv").write_text("old")
    code = (
        "import resource, signal, numpy as np\n"
        "from serving.description import ModelDescription\n"
        "from serving.outputs import output_to\n"
        "from serving.predictions import Prediction\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "many = Prediction(np.ones(9999, np.float32), gene_id=np.arange(9999).astype(str))\n"
        "import pandas\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"with output_to({str(tmp_path / 'x.csv')!r})"
        "(ModelDescription('tiny', 1, (), 3, {})) as write:\n"
        "    write(many, None)\n"
    )
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "OSError: [Errno 27] File too large" in failed.stderr
    assert (tmp_path / "x.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.xlsx", {}, r"ends in one of \.csv, \.csv\.gz, .*\.parquet, \.nc\. Received: .*x\.xlsx"),
        ("x", {}, "ends in one of"),
        ("none/x.csv", {}, "in a folder that exists"),
        ("x.csv", {"saliency": True}, r"a file \.nc \(NetCDF\) for the saliency.*--out"),
    ],
)
def test_refuses_files_that_it_cannot_write(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        output_to(tmp_path / name, **options)


def test_says_how_to_get_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="Install it: pip install pyarrow"):
        output_to(tmp_path / "x.parquet")
