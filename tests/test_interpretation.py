"""The paper's second claim on real data: importance against a mark that was not trained on."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_chrome.compare import CompareConfig, compare
from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit
from tfds_remc import RemcBuilder
from tfds_remc.__main__ import main as build_own_data

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def run_path(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on E003; beside it the same epigenome's reads of seven marks, H3K27ac among them."""
    path = tmp_path_factory.mktemp("E003")
    manual = tfds.download.DownloadConfig(manual_dir=real_data / "remc")
    RemcBuilder(config="E003", data_dir=path).download_and_prepare(download_config=manual)
    counts = real_data / "h3k27ac" / "E003_read_counts.npz"
    own = ["--signal-array", str(counts), "--epigenome", "E003", "--name", "E003_reads"]
    build_own_data([*own, "--data-dir", str(path)])
    options = {"data_dir": str(path), "model": "cnn_alpha_beta", "epochs": 6}
    return fit(FitConfig("remc/E003", str(path / "run"), **options)).path


def test_h3k27ac_of_another_dataset_validates_e003(run_path: Path) -> None:
    methods = ("alpha", "gradient_x_input")
    config = CompareConfig(methods=methods, validation_dataset="remc/E003_reads", split="all")
    table = compare([run_path], config)
    assert table["epigenome"].unique().tolist() == ["E003"]
    # The 157 genes with reads, as far as they are predicted ON.
    assert 20 < table["num_genes"].max() <= 157
    pearson = table[(table["statistic"] == "pearson") & (table["level"] == "profile")]
    r = pearson.set_index(["method", "control"])["r"]
    # H3K27ac lies where H3K4me3 does: what the model adds must be held against that.
    assert r["signal", "none"] > 0.8
    assert np.isnan(r["signal", "signal"])
    assert r["gradient_x_input", "none"] > 0.5


def test_the_validation_mark_must_be_held_and_unseen(run_path: Path) -> None:
    with pytest.raises(InputError, match="--validation-dataset"):
        compare([run_path], CompareConfig(methods=("alpha",)))
    with pytest.raises(InputError, match="was not trained on"):
        compare([run_path], CompareConfig(methods=("alpha",), validation_mark="H3K9me3"))
