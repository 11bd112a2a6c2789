"""The main job on real epigenomes: build, train, compare with what is known of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_chrome.attend import attend
from keras_chrome.fit import PRESETS, FitConfig, fit
from tfds_remc import RemcBuilder

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def build(real_data: Path, data_dir: Path, config: str) -> None:
    RemcBuilder(config=config, data_dir=data_dir).download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    )


@pytest.fixture(scope="module")
def data_dir(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    build(real_data, path, "E012")
    return path


def measured_auroc(run_path: Path) -> float:
    return json.loads((run_path / "metrics.json").read_text())["test"]["auroc"]


def test_paper_preset_on_published_labels(data_dir: Path, tmp_path: Path) -> None:
    # Fewer epochs than the preset's 30: the validation AUROC has levelled off by then.
    options = {**PRESETS["paper"], "epochs": 8}
    run = fit(FitConfig("remc/E012", str(tmp_path / "run"), data_dir=str(data_dir), **options))
    assert measured_auroc(run.path) >= 0.80


def test_defaults_on_median_labels(data_dir: Path, tmp_path: Path) -> None:
    run = fit(FitConfig("remc/E012", str(tmp_path / "run"), data_dir=str(data_dir), epochs=8))
    assert measured_auroc(run.path) >= 0.935
    attention = attend(run.path)
    np.testing.assert_allclose(attention["alpha"].sum("bin"), 1.0, rtol=1e-4)
    np.testing.assert_allclose(attention["beta"].sum("mark"), 1.0, rtol=1e-4)
    assert (attention["alpha"].std("gene").max("bin") > 1e-4).all()
    assert (attention["beta"].std("gene") > 1e-3).all()


@pytest.mark.parametrize("config", ["Toy", "E003", "E123"])
def test_smaller_sets_build_and_train(real_data: Path, tmp_path: Path, config: str) -> None:
    build(real_data, tmp_path, config)
    run = fit(FitConfig(f"remc/{config}", str(tmp_path / "run"), data_dir=str(tmp_path), epochs=1))
    assert 0 <= measured_auroc(run.path) <= 1
