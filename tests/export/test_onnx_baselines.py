"""Baselines in ONNX, as ONNX Runtime and our client answer with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import export_run, export_runs
from export.baseline_graph import greatest_signal
from export.formats import ONNX_BASELINES
from export.fresh_process import FreshProcess
from keras_chrome import InputError
from keras_chrome.baselines import build_baseline
from keras_chrome.runs import Run, new_run
from serving.onnx_client import OnnxClient

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


def genes(num_genes: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.gamma(0.3, 8, (num_genes, 8, 5)).astype(np.float32)


def make_run(path: Path, name: str) -> Run:
    arguments = {"marks": list(MARKS), "num_bins": 8, "transform": "log1p"}
    signal = genes(200, 1)
    active = signal[:, :, 3].sum(axis=1)
    with new_run(
        path,
        options={"labels": "median", "model": name, "seed": 1},
        model={"baseline": name, **arguments},
        dataset={"num_bins": 8, "bin_bp": 100, "flank_bp": 400},
    ) as run:
        baseline = build_baseline(name, marks=MARKS, num_bins=8)
        baseline.fit(signal, (active > np.median(active)).astype(int))
        baseline.temperature = 1.7
        run.save_model(baseline)
    return run


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # so few genes
@pytest.mark.parametrize("name", ONNX_BASELINES)
def test_the_client_answers_as_the_baseline(
    name: str, process: FreshProcess, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", name)
    model_dir = export_runs(
        [run.path], tmp_path / "models", "model", format="onnx", fresh_process=process
    )
    signal = genes(512, 2)
    expected = run.load_model()(signal)["probability"]
    for file in ("model.onnx", "predict.onnx"):
        with OnnxClient(model_dir / file) as client:
            assert client.description.details["variant"] == name
            for part in (signal, signal[:1]):
                received = client.predict(part).probability
                np.testing.assert_allclose(received, expected[: len(part)], atol=1e-5)


@pytest.mark.parametrize(("name", "format"), [("svm", "savedmodel"), ("gradient_boosting", "onnx")])
def test_others_are_refused_in_one_line(name: str, format: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", name)
    refused = rf"the baseline {name}, .*random_forest_best_bin.* onnx"
    with pytest.raises(InputError, match=refused):
        export_run(run.path, tmp_path / "models", "model", format=format)


def test_thresholds_become_those_of_the_signal_exactly() -> None:
    signal = np.sort(genes(50, 3).ravel())
    threshold = np.log1p(signal).astype(np.float64)
    for near in (threshold, np.nextafter(threshold, -1), np.nextafter(threshold, 99)):
        greatest = greatest_signal(np.log1p, near)
        assert (np.log1p(greatest[greatest >= 0]) <= near[greatest >= 0]).all()
        assert (
            np.log1p(np.nextafter(greatest, np.float32(np.inf)))[greatest >= 0]
            > near[greatest >= 0]
        ).all()
    assert greatest_signal(np.log1p, np.array([-0.1])).tolist() == [-1]
