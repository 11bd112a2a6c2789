"""The importance of genes on disk, one method after the other."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from keras_chrome.errors import InputError
from keras_chrome.explain import explain, main
from keras_chrome.importance import METHODS, importance_method
from keras_chrome.runs import open_study

CHEAP = ["alpha", "alpha_beta", "saliency", "gradient_x_input", "mark_occlusion"]


def test_the_cheap_methods_are_the_default(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(cnn_run_path), "--split", "valid"])
    printed = capsys.readouterr().out
    estimate, _, done = printed.partition("\nalpha: ")
    assert max(map(len, estimate.splitlines())) <= 100
    first = " ".join(estimate.split())  # It may take two lines.
    *lines, path = f"alpha: {done}".splitlines()
    assert first.startswith("50 genes, about ")
    assert [part.split()[0] for part in first.partition(": ")[2].split(", ")] == CHEAP
    assert [line.partition(": ")[0] for line in lines] == CHEAP
    assert path == str(cnn_run_path / "importance-valid.nc")
    study = open_study(cnn_run_path, split="valid")
    with xr.open_dataset(path, engine="h5netcdf") as read:
        assert [name for name in read if name in METHODS] == CHEAP
        for name in CHEAP:
            values = importance_method(name)(study.model, study.genes.signal)
            assert read[name].dims == ("gene", "mark", "bin")
            np.testing.assert_allclose(read[name], values.swapaxes(1, 2), atol=1e-6)
            assert read[name].attrs["units"] == METHODS[name].units
        assert read["saliency"].attrs["long_name"] == "importance by saliency"


def test_a_gradient_says_what_it_is_with_respect_to(
    cnn_run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "both.nc"
    given = ["--methods", "saliency", "gradient_x_input", "--wrt", "signal", "Transformed"]
    main([str(cnn_run_path), *given, "--out", str(out)])
    assert "saliency_transformed: " in capsys.readouterr().out
    with xr.open_dataset(out, engine="h5netcdf") as read:
        assert {"saliency", "saliency_transformed", "gradient_x_input"} < set(read)
        signal, transformed = read["saliency"], read["saliency_transformed"]
        assert (signal.attrs["wrt"], transformed.attrs["wrt"]) == ("signal", "transformed")
        assert signal.attrs["units"] == "logit per unit of signal"
        assert transformed.attrs["units"] == "logit per unit of log(1 + signal)"
        assert "wrt" not in read["gradient_x_input"].attrs
        np.testing.assert_allclose(transformed, signal * (1 + read["signal"]), rtol=1e-5)
    one = explain(cnn_run_path, methods="saliency", wrt="transformed")
    assert "saliency" not in one
    np.testing.assert_array_equal(one["saliency_transformed"], transformed)


def test_what_no_gradient_is_with_respect_to_is_refused(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match=r"'signal' or 'transformed'\. Received: wrt='log'"):
        explain(cnn_run_path, wrt="log")


def test_all_methods_are_asked_for_by_a_word(cnn_run_path: Path) -> None:
    gene = str(open_study(cnn_run_path).genes.gene_id[0])
    assert explain(cnn_run_path, methods="Alpha", gene=gene)["alpha"].shape == (1, 5, 20)
    with pytest.raises(InputError, match="at least one method"):
        explain(cnn_run_path, methods=[], gene=gene)
    importance = explain(cnn_run_path, methods="all", gene=gene)
    assert [name for name in importance if name in METHODS] == [
        name for name, method in METHODS.items() if "contribution" not in method.outputs
    ]
    assert importance["expected_gradients"].attrs["completeness_error"] < 0.3


def test_a_baseline_has_what_needs_no_gradient(_fitted_baseline: Path) -> None:
    importance = explain(_fitted_baseline)
    assert [name for name in importance if name in METHODS] == ["mark_occlusion"]


def test_what_is_killed_keeps_what_was_done(cnn_run_path: Path) -> None:
    methods = ["gradient_x_input", "alpha", "occlusion"]
    command = [sys.executable, "-m", "keras_chrome.explain", str(cnn_run_path), "--methods"]
    with subprocess.Popen([*command, *methods], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("gradient_x_input: "):
                process.kill()
    assert process.returncode == -9
    with xr.open_dataset(cnn_run_path / "importance-test.nc", engine="h5netcdf") as read:
        assert "gradient_x_input" in read
        assert "occlusion" not in read
        assert np.isfinite(read["gradient_x_input"]).all()


def test_a_gene_gives_the_file_its_own_name(
    cnn_run_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genes = open_study(cnn_run_path).genes
    for name in (genes.symbol[3].lower(), genes.gene_id[3]):
        main([str(cnn_run_path), "--methods", "alpha", "--gene", name])
        path = capsys.readouterr().out.splitlines()[-1]
        assert path == str(cnn_run_path / f"importance-{genes.symbol[3]}.nc")


def test_the_ending_decides_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.nc or \.npz or .*importance\.h5'"):
        main([str(tmp_path / "no-run"), "--out", str(tmp_path / "importance.h5")])


def test_no_nan_is_written(cnn_run_path: Path) -> None:
    study = open_study(cnn_run_path)
    study.model.set_weights([np.full_like(w, np.nan) for w in study.model.get_weights()])
    study.run.save_model(study.model)
    with pytest.raises(InputError, match=r"finite numbers from the model\. Received: \w+=nan"):
        main([str(cnn_run_path), "--methods", "gradient_x_input"])
    assert not list(cnn_run_path.glob("importance*"))


def test_old_negative_signal_is_refused(cnn_run_path: Path, alter: Callable[..., Path]) -> None:
    def change(split: str, examples: list[dict[str, Any]]) -> None:
        examples[0]["signal"] = examples[0]["signal"] - 1

    data = ["--dataset", "remc/altered", "--data-dir", str(alter(change))]
    with pytest.raises(InputError, match=r"finite number, in remc/altered\. Received: -1 in bin"):
        main([str(cnn_run_path), *data])
    assert not list(cnn_run_path.glob("importance*"))
