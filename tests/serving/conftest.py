"""A tiny exported model, and the stand-in that serves it over a real port; made once."""

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from made_models import save_describing

from export import export_run
from keras_chrome.models import build_model
from keras_chrome.runs import new_run
from serving.client import Client
from serving.local import LocalServer
from serving.rest_client import RestClient
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
def models_dir(
    model: keras.Model, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """Versions 3 (stable) and 12 (canary) of `tiny`, and `foreign`, which knows no marks."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        # Tests that run in parallel share it: an export takes ten seconds and more.
        folder = folder.parent
    folder /= "serving"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "models/models.config").exists():
            _export(model, folder)
    return folder / "models"


def _export(model: keras.Model, folder: Path) -> None:
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
    export_run(run.path, folder / "onnx", "tiny", 12, format="onnx")
    # Relative order of text would take 3 for the highest.
    (folder / "models/tiny/3").symlink_to(folder / "models/tiny/12")
    foreign = tf.Module()
    foreign.double = tf.function(lambda x: {"y": 2 * x})
    spec = tf.TensorSpec((None,), tf.float32, name="x")
    signatures = foreign.double.get_concrete_function(spec)
    tf.saved_model.save(foreign, str(folder / "models/foreign/1"), signatures)
    (folder / "models/.tiny-being-exported").mkdir()
    (folder / "models/models.config").write_text(MODELS_CONFIG)


@pytest.fixture(scope="session")
def onnx_file(models_dir: Path) -> Path:
    """The model `tiny` in ONNX, likewise version 12."""
    return models_dir.parent / "onnx/tiny/12/model.onnx"


@pytest.fixture(scope="session")
def quick_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `tiny` of the same marks and bins that a server has loaded at once."""
    folder = tmp_path_factory.mktemp("quick")
    save_describing(folder / "tiny/12", MARKS, NUM_BINS)
    return folder


@pytest.fixture(scope="session")
def server(models_dir: Path) -> Iterator[LocalServer]:
    with LocalServer(
        models_dir,
        rest_port=0,
        models_config=models_dir / "models.config",
        # Requests of tiny genes, as many as make up a message of some MB.
        batching=BatchingParameters(max_batch_size=50_000),
    ) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the clients asks."""
    return request.param


@pytest.fixture
def open_client(kind: str, server: LocalServer) -> Callable[..., Any]:
    """Opens a client of each kind; of the session's server unless told otherwise."""

    def open_client(model: str, *args: Any, at: Any = server, **options: Any) -> Any:
        if kind == "rest":
            return RestClient(at.rest_url or "", model, *args, **options)
        return Client(at.target, model, *args, **options)

    return open_client


@pytest.fixture
def client(server: LocalServer) -> Iterator[Client]:
    with Client(server.target, "tiny") as client:
        yield client


@pytest.fixture
def signal() -> np.ndarray:
    """Counts of seven genes."""
    random = np.random.default_rng(3)
    return random.poisson(3, (7, NUM_BINS, len(MARKS))).astype(np.float32)


@pytest.fixture(scope="session")
def csv_text() -> Callable[..., str]:
    """Writes genes in the published layout."""

    def write(signal: np.ndarray, names: Callable[[int], str] = "G{}".format) -> str:
        lines = [
            f"{names(gene)},{bin_ + 1},{','.join(f'{value:g}' for value in values)}"
            for gene, of_gene in enumerate(signal)
            for bin_, values in enumerate(of_gene)
        ]
        return "\n".join(lines) + "\n"

    return write
