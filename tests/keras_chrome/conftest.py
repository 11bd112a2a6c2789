"""A small built dataset, and a run trained on it, which most tests here need."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    from keras_chrome.fit.recipes import PLAIN

    # In three epochs of fifty genes a recipe's rate would hardly rise.
    training = dataclasses.replace(PLAIN, epochs=3, learning_rate=0.01)
    fit(
        FitConfig(
            dataset="remc/small",
            data_dir=str(data_dir),
            run_dir=str(path),
            model=model,
            marks=MARKS,
            **dataclasses.asdict(training),
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


@pytest.fixture(scope="session")
def additive_run_path(_trained_cnn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model is additive, and tiny; it is drawn, not trained. Not to be written to."""
    import keras

    from keras_chrome.models import build_model
    from keras_chrome.runs import open_run

    path = Path(shutil.copytree(_trained_cnn, tmp_path_factory.mktemp("runs") / "additive"))
    run = open_run(path)
    keras.utils.set_random_seed(0)
    options = {"units": 8, "context_units": 6, "filter_bins": 3, "dilations": (1,), "heads": 2}
    arguments = {name: run.config.arguments[name] for name in ("signal_mean", "signal_variance")}
    slopes = (-3.0, 3.0, 2.0, 4.0, -2.0)
    model = build_model(
        "additive_chrome", marks=run.marks, num_bins=20, slopes=slopes, **arguments, **options
    )
    kernel = model.get_layer("logit").kernel
    # What the states say is nothing before training.
    kernel.assign(keras.random.normal(kernel.shape, stddev=0.2, seed=0))
    run.save_model(model)
    return path


@pytest.fixture
def alter(data_dir: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes `remc/altered`, which is `remc/small` with what no builder writes today.

    It takes a function that changes the examples of a split in place, and metadata; it returns the
    data directory.
    """
    import tensorflow_datasets as tfds

    def altered(change: Callable[[str, list[dict[str, Any]]], None], **metadata: Any) -> Path:
        builder = tfds.builder_from_directory(data_dir / "remc" / "small" / "1.0.0")
        examples = {}
        for split in builder.info.splits:
            of_split = [dict(e) for e in tfds.as_numpy(builder.as_dataset(split))]
            change(split, of_split)
            examples[split] = list(enumerate(of_split))
        features = dict(builder.info.features)
        if "transcript_id" in of_split[0]:
            features["transcript_id"] = tfds.features.Text()
        tfds.dataset_builders.store_as_tfds_dataset(
            "remc",
            "1.0.0",
            tfds.features.FeaturesDict(features),
            examples,
            config="altered",
            data_dir=tmp_path / "altered",
            disable_shuffling=True,
        )
        file = tmp_path / "altered" / "remc" / "altered" / "1.0.0" / "metadata.json"
        file.write_text(json.dumps({**builder.info.metadata, **metadata}))
        return tmp_path / "altered"

    return altered
