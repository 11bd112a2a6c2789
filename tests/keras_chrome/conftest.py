"""A small built dataset, and a run trained on it, which most tests here need."""

import shutil
from pathlib import Path

import pytest

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with `remc/small`: 150 simulated genes in 20 bins."""
    from tfds_remc import RemcBuilder, RemcConfig

    path = tmp_path_factory.mktemp("data")
    config = RemcConfig(
        name="small",
        source="simulated",
        marks=(*MARKS, "H3K27ac"),
        num_genes=150,
        bin_bp=500,
    )
    RemcBuilder(config=config, data_dir=path).download_and_prepare()
    return path


@pytest.fixture(scope="session")
def _trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(data_dir, tmp_path_factory.mktemp("runs") / "small", "attentive_chrome")


@pytest.fixture(scope="session")
def _trained_cnn(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _train(data_dir, tmp_path_factory.mktemp("runs") / "cnn", "cnn_alpha_beta")


@pytest.fixture(scope="session")
def _fitted_baseline(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logistic regression on `remc/small`, which compiles nothing."""
    path = tmp_path_factory.mktemp("runs") / "baseline"
    return _train(data_dir, path, "logistic_regression")


def _train(data_dir: Path, path: Path, model: str) -> Path:
    from keras_chrome.fit import FitConfig, fit

    fit(
        FitConfig(
            dataset="remc/small",
            data_dir=str(data_dir),
            run_dir=str(path),
            model=model,
            marks=MARKS,
            epochs=3,
            learning_rate=0.01,
        )
    )
    return path


@pytest.fixture
def run_path(_trained: Path, tmp_path: Path) -> Path:
    """A copy, free to be changed, of a run of three epochs on `remc/small`."""
    return Path(shutil.copytree(_trained, tmp_path / "run"))


@pytest.fixture
def cnn_run_path(_trained_cnn: Path, tmp_path: Path) -> Path:
    """Likewise of CNN-alpha,beta, which has both attentions and compiles in no time."""
    return Path(shutil.copytree(_trained_cnn, tmp_path / "cnn-run"))
