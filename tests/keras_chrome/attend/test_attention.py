"""Attention on disk and as a figure."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import xarray as xr

from keras_chrome.attend import attend
from keras_chrome.attend.__main__ import main
from keras_chrome.errors import InputError
from keras_chrome.runs import open_run


def test_dimensions_coordinates_and_sums(cnn_run_path: Path) -> None:
    attention = attend(cnn_run_path, split="valid")
    assert attention["alpha"].dims == ("gene", "mark", "bin")
    assert attention["beta"].dims == ("gene", "mark")
    assert attention["bin"].values[[0, 10, -1]].tolist() == [-5000, 0, 4500]
    assert attention["mark"].values[3] == "H3K4me3"
    assert {"gene_id", "symbol", "chrom", "tss", "strand", "oriented"} <= set(attention.coords)
    np.testing.assert_allclose(attention["alpha"].sum("bin"), 1.0, rtol=1e-5)
    np.testing.assert_allclose(attention["beta"].sum("mark"), 1.0, rtol=1e-5)


def test_attention_is_not_the_same_for_all_genes(cnn_run_path: Path) -> None:
    attention = attend(cnn_run_path)
    assert (attention["alpha"].std("gene").max("bin") > 0).all()
    assert (attention["beta"].std("gene") > 0).all()


def test_netcdf_round_trip(cnn_run_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(cnn_run_path), "--split", "valid"])
    path = Path(capsys.readouterr().out.strip())
    assert path == cnn_run_path / "attention-valid.nc"
    with xr.open_dataset(path, engine="h5netcdf") as read:
        xr.testing.assert_allclose(read, attend(cnn_run_path, split="valid"))
        assert read["gene_id"].values[0].startswith("SIM")


def test_draws_a_gene_of_any_split(cnn_run_path: Path, tmp_path: Path) -> None:
    gene = str(open_run(cnn_run_path).load_genes("train").gene_id[3])
    main([str(cnn_run_path), "--plot", gene, "--out", str(tmp_path / "gene.png")])
    image = matplotlib.image.imread(tmp_path / "gene.png")
    assert min(image.shape[:2]) > 500
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 50


def test_a_gene_is_found_by_symbol_whatever_its_case(cnn_run_path: Path) -> None:
    every_gene = attend(cnn_run_path)
    symbol = str(every_gene["symbol"].values[2])
    found = attend(cnn_run_path, gene=symbol.upper())
    assert found.sizes["gene"] == 1
    # Alone or among others: the answer is the same.
    xr.testing.assert_allclose(found, every_gene.isel(gene=[2]), atol=1e-6)


def test_unknown_gene_is_refused_and_the_nearest_named(cnn_run_path: Path) -> None:
    gene_id = str(open_run(cnn_run_path).load_genes("test").gene_id[0])
    with pytest.raises(InputError, match=f"gene='{gene_id}9'; nearest: .*{gene_id}"):
        main([str(cnn_run_path), "--plot", f"{gene_id}9", "--split", "test"])
    with pytest.raises(InputError, match=r"splits test, valid, train.*gene='NOGENE'$"):
        main([str(cnn_run_path), "--plot", "NOGENE"])
    assert not (cnn_run_path / "plots").exists()
