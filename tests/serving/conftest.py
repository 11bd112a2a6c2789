"""A tiny exported model, and the stand-in that serves it over a real port; made once."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from export import export_run
from keras_chrome.models import build_model
from keras_chrome.runs import new_run
from serving.client import Client
from serving.local import LocalServer
from serving.stand_in.batching import BatchingParameters

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
NUM_BINS = 8
MODELS_CONFIG = """
model_config_list {
  config {
    name: "tiny"
    base_path: "/models/tiny"
    model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 3 }
    version_labels { key: "canary" value: 12 }
  }
  config { name: "foreign" base_path: "/models/foreign" model_platform: "tensorflow" }
}
"""


@pytest.fixture(scope="session")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = build_model(
        "attentive_chrome", marks=MARKS, num_bins=NUM_BINS, bin_units=4, mark_units=4
    )
    # Larger than at the start of training: genes then differ.
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


@pytest.fixture(scope="session")
def models_dir(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 3 (stable) and 12 (canary) of `tiny`, and `foreign`, which knows no marks."""
    folder = tmp_path_factory.mktemp("serving")
    with new_run(
        folder / "run",
        options={"labels": "median"},
        model={
            "variant": "attentive_chrome",
            "marks": list(MARKS),
            "num_bins": NUM_BINS,
            "transform": "log1p",
        },
        dataset={
            "name": "remc/demo",
            "fingerprint": "f00d",
            "num_bins": NUM_BINS,
            "bin_bp": 100,
            "flank_bp": 400,
        },
    ) as run:
        run.save_model(model)
    export_run(run.path, folder / "models", "tiny", 12)
    # Relative order of text would take 3 for the highest.
    (folder / "models/tiny/3").symlink_to(folder / "models/tiny/12")
    foreign = tf.Module()
    foreign.double = tf.function(lambda x: {"y": 2 * x})
    spec = tf.TensorSpec((None,), tf.float32, name="x")
    signatures = foreign.double.get_concrete_function(spec)
    tf.saved_model.save(foreign, str(folder / "models/foreign/1"), signatures)
    (folder / "models/.tiny-being-exported").mkdir()
    (folder / "models/models.config").write_text(MODELS_CONFIG)
    return folder / "models"


@pytest.fixture(scope="session")
def server(models_dir: Path) -> Iterator[LocalServer]:
    with LocalServer(
        models_dir,
        rest_port=0,
        model_config_file=models_dir / "models.config",
        # Requests of tiny genes, as many as make up a message of some MB.
        batching=BatchingParameters(max_batch_size=50_000),
    ) as server:
        yield server


@pytest.fixture
def client(server: LocalServer) -> Iterator[Client]:
    with Client(server.target, "tiny") as client:
        yield client


@pytest.fixture
def signal() -> np.ndarray:
    """Counts of seven genes."""
    random = np.random.default_rng(3)
    return random.poisson(3, (7, NUM_BINS, len(MARKS))).astype(np.float32)
