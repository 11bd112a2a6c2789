"""Files of a result."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from keras_chrome.errors import InputError
from keras_chrome.runs.files import (
    ARRAY_ENDINGS,
    FIGURE_ENDINGS,
    checked_directory,
    checked_stem,
    ending_of,
    gene_file_name,
    write_arrays,
    write_figure_and_table,
    write_outputs,
)


def test_outputs_are_written_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = write_outputs(
        "~/new/out",
        figures={"signal": Figure()},
        tables={"signal": pd.DataFrame({"mark": ["H3K4me3"]})},
        texts={"signal.md": "# Signal\n"},
    )
    names = ["signal.png", "signal.svg", "signal.csv", "signal.md"]
    assert paths == [tmp_path / "new" / "out" / name for name in names]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == sorted(names)
    assert paths[2].read_text() == "mark\nH3K4me3\n"
    assert paths[3].read_text() == "# Signal\n"


def test_a_figure_that_cannot_be_drawn_leaves_nothing(tmp_path: Path) -> None:
    figure = Figure()
    figure.suptitle("$\\nothing$")
    with pytest.raises(ValueError, match="nothing"):
        write_outputs(tmp_path / "out", figures={"x": figure}, tables={"x": pd.DataFrame()})
    assert not list((tmp_path / "out").iterdir())


def arrays(num_genes: int = 3) -> xr.Dataset:
    alpha = np.arange(4 * num_genes, dtype=np.float32).reshape(num_genes, 2, 2)
    names = [f"g{i}" for i in range(num_genes)]
    return xr.Dataset(
        {"alpha": (("gene", "mark", "bin"), alpha), "rpkm": ("gene", np.arange(num_genes) / 8)},
        coords={
            "gene": names,
            "mark": ["H3K4me1", "H3K4me3"],
            "bin": [-100, 0],
            "symbol": ("gene", ["", *names[1:]]),
        },
    )


@pytest.mark.parametrize(
    "ending", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".CSV", ".TSV", ".Csv.GZ"]
)
def test_a_table_has_a_row_a_gene_mark_and_bin(tmp_path: Path, ending: str) -> None:
    # More genes than are written at a time.
    write_arrays(tmp_path / f"a{ending}", arrays(300))
    is_packed = ending.lower().endswith(".gz")
    read = pd.read_csv(
        tmp_path / f"a{ending}",
        sep="\t" if "tsv" in ending.lower() else ",",
        keep_default_na=False,
        compression="gzip" if is_packed else None,
    )
    assert list(read) == ["gene", "mark", "bin", "symbol", "alpha", "rpkm"]
    assert read["alpha"].tolist() == list(range(1200))
    assert read.iloc[-2].tolist() == ["g299", "H3K4me3", -100, "g299", 1198.0, 299 / 8]
    assert read["symbol"][0] == ""


def test_numpy_and_netcdf_hold_the_same_arrays(tmp_path: Path) -> None:
    for name in ("a.npz", "a.nc", "b.NPZ"):
        write_arrays(tmp_path / name, arrays())
    assert (tmp_path / "b.NPZ").read_bytes() == (tmp_path / "a.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as read:
        assert set(read.files) == {"gene", "mark", "bin", "symbol", "alpha", "rpkm"}
        np.testing.assert_array_equal(read["alpha"], arrays()["alpha"])
        assert read["symbol"].tolist() == ["", "g1", "g2"]
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as read:
        xr.testing.assert_equal(read, arrays())


def test_parquet_has_the_rows_of_the_table(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.parquet", arrays(300))
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert list(read) == ["gene", "mark", "bin", "symbol", "alpha", "rpkm"]
    assert read["alpha"].tolist() == list(range(1200))
    assert read.iloc[-2].tolist() == ["g299", "H3K4me3", -100, "g299", 1198.0, 299 / 8]


def test_anndata_has_genes_by_mark_and_bin(tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata")
    table = arrays()
    table["signal"] = -table["alpha"]
    table["beta"] = table["alpha"].sum("bin")
    table.attrs["split"] = "test"
    table["alpha"].attrs["units"] = "1"
    write_arrays(tmp_path / "a.h5ad", table)
    read = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert read.obs_names.tolist() == table["gene"].values.tolist()
    assert read.obs["symbol"].tolist() == ["", "g1", "g2"]
    assert read.obs["rpkm"].tolist() == table["rpkm"].values.tolist()
    assert list(read.layers) == ["alpha"]
    for mark in table["mark"].values:
        of_mark = read[:, read.var["mark"] == mark]
        assert of_mark.var["bin"].tolist() == table["bin"].values.tolist()
        np.testing.assert_array_equal(of_mark.X, table["signal"].sel(mark=mark))
        np.testing.assert_array_equal(of_mark.layers["alpha"], table["alpha"].sel(mark=mark))
        np.testing.assert_array_equal(read.obsm["beta"][mark], table["beta"].sel(mark=mark))
    assert read.uns["split"] == "test"
    assert read.uns["variables"]["alpha"]["units"] == "1"


@pytest.mark.parametrize(("name", "package"), [("a.h5ad", "anndata"), ("a.parquet", "pyarrow")])
def test_what_writes_a_format_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setattr("sys.path", [])
    monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(InputError, match=f"^Expected {package}, .*; install it: pip install"):
        write_arrays(tmp_path / name, arrays())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.h5", "a.zarr", "a", "a.feather", "csv", "a.nc.zip"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"ends in \.nc or .* or \.tsv\.gz\. Received: '/"):
        write_arrays(tmp_path / name, arrays())
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"ends in \.png or \.svg or \.pdf\. Received"):
        ending_of(name, FIGURE_ENDINGS)


def test_what_is_named_like_a_file_is_no_directory(tmp_path: Path) -> None:
    for ending in (*ARRAY_ENDINGS, *FIGURE_ENDINGS, ".xlsx"):
        with pytest.raises(InputError, match=r"Expected a directory, .*leave out its ending"):
            checked_directory(tmp_path / f"a{ending}")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Expected a directory"):
        checked_directory(tmp_path / "file")
    (tmp_path / "there.csv").mkdir()
    for name in ("there.csv", "results.v2", "results"):
        assert checked_directory(tmp_path / name) == tmp_path / name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.png", ["a.png"]),
        ("a.pdf", ["a.pdf"]),
        ("a.svg", ["a.svg"]),
        ("a.csv", ["a.csv"]),
        # A symbol may have a dot in it.
        ("a-AC000.1", ["a-AC000.1-r.csv", "a-AC000.1.csv", "a-AC000.1.png", "a-AC000.1.svg"]),
    ],
)
def test_a_figure_with_its_numbers_or_one_of_them(
    tmp_path: Path, name: str, written: list[str]
) -> None:
    table = pd.DataFrame({"mark": ["H3K4me3"]})
    paths = write_figure_and_table(checked_stem(tmp_path / name), Figure(), table, r=table)
    assert sorted(path.name for path in paths) == written
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    assert (tmp_path / written[0]).read_bytes()[:4] in (b"\x89PNG", b"%PDF", b"<?xm", b"mark")


@pytest.mark.parametrize("name", ["a.nc", "a.tsv", "a.jpg", "a.csv.gz"])
def test_a_figure_is_no_other_file(name: str) -> None:
    with pytest.raises(InputError, match=r"\.png or \.svg or \.pdf or \.csv\. Received: 'a"):
        checked_stem(Path(name))


def test_files_beside_a_folder_are_not_meant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a folder; name files in it, such as .*/figure$"):
        checked_stem(tmp_path)


def test_genes_have_files_of_their_own() -> None:
    names = ["PAX5", "NKX2-5", "HOXB@", "PAX5@ENST00000358127", "a/b", "a_b", "../a", "chr1:5"]
    files = [gene_file_name(name) for name in names]
    assert files[:4] == names[:4]
    assert len(set(files)) == len(files)
    assert not any("/" in file or ":" in file for file in files)
