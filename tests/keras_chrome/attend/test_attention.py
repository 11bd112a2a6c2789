"""Attention on disk and as a figure."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.text import Text

from keras_chrome.attend import attend
from keras_chrome.attend.__main__ import main
from keras_chrome.attend.figure import draw_gene
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


def test_a_gene_has_one_picture_whatever_it_is_called(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genes = open_run(cnn_run_path).load_genes("test")
    symbol = str(genes.symbol[1])
    for name in (symbol, symbol.lower(), symbol.upper(), str(genes.gene_id[1])):
        main([str(cnn_run_path), "--plot", name])
        path = cnn_run_path / "plots" / f"{symbol}.png"
        assert capsys.readouterr().out == f"{path}\n"
    assert [file.name for file in path.parent.iterdir()] == [f"{symbol}.png"]


def test_no_name_is_no_gene(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match="gene=''"):
        main([str(cnn_run_path), "--plot", ""])
    assert not list(cnn_run_path.glob("attention*"))


def test_the_ending_of_the_file_decides(cnn_run_path: Path, tmp_path: Path) -> None:
    main([str(cnn_run_path), "--split", "valid", "--out", str(tmp_path / "x.csv")])
    read = pd.read_csv(tmp_path / "x.csv")
    assert len(read) == 50 * 5 * 20
    attention = attend(cnn_run_path, split="valid")
    np.testing.assert_allclose(read["alpha"], attention["alpha"].values.ravel(), rtol=1e-4)
    for name, options in (("x.h5", []), ("x.png", []), ("x.csv", ["--plot", "SIM"])):
        with pytest.raises(InputError, match=r"Expected a file that ends in .*Received: '/"):
            main([str(cnn_run_path), *options, "--out", str(tmp_path / name)])
    assert [file.name for file in tmp_path.glob("x*")] == ["x.csv"]


def test_no_nan_is_written(cnn_run_path: Path) -> None:
    run = open_run(cnn_run_path)
    model = run.load_model()
    kernel, bias = model.get_layer("logit").get_weights()
    model.get_layer("logit").set_weights([np.full_like(kernel, np.nan), bias])
    run.save_model(model)
    for options in ([], ["--plot", str(run.load_genes("test").gene_id[0])]):
        with pytest.raises(InputError, match=r"Received: probability=nan for .*weights are not"):
            main([str(cnn_run_path), *options])
    assert not list(cnn_run_path.glob("attention*"))
    assert not (cnn_run_path / "plots").exists()


def test_a_title_has_the_unit_and_the_transcript(cnn_run_path: Path) -> None:
    gene = attend(cnn_run_path).isel(gene=0)
    gene["rpkm"] = gene["rpkm"].copy(data=1574.32).assign_attrs(units="TPM")
    gene = gene.assign_coords(transcript_id="ENST00000358127", symbol="PAX5")
    texts = " ".join(text.get_text() for text in draw_gene(gene).findobj(Text))
    assert "median label, 1,574 TPM)" in texts
    assert "ENST00000358127" in texts


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
    with pytest.raises(InputError, match=r"of remc/small \(150 genes\).*gene='NOGENE'$"):
        main([str(cnn_run_path), "--plot", "NOGENE"])
    assert not (cnn_run_path / "plots").exists()
