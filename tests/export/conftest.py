"""A tiny run and its export, made once: both take seconds."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from export import export_run
from keras_chrome.models import build_model
from keras_chrome.run_directory import Run, new_run

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
NUM_BINS = 8


def _make_run(path: Path, variant: str = "attentive_chrome", **options: object) -> Run:
    """A run directory with an untrained model, without the rest."""
    keras.utils.set_random_seed(1)
    arguments = {"marks": list(MARKS), "num_bins": NUM_BINS, "transform": "log1p"}
    model = build_model(variant, **arguments, dropout=0.5, **options)
    # Larger than at the start of training: genes then differ, and gradients are not noise.
    model.set_weights([3 * weight for weight in model.get_weights()])
    with new_run(
        path,
        options={"labels": "median"},
        model={"variant": variant, **arguments},
        dataset={
            "name": "remc/demo",
            "bin_bp": 100,
            "flank_bp": 400,
            "oriented": False,
            "genome": "simulated",
            "label_rule": "high if rpkm > median_rpkm",
        },
    ) as run:
        run.save_model(model)
    return run


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Run]:
    """Makes a run directory of a variant with options of its own."""
    return _make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _make_run(tmp_path_factory.mktemp("runs") / "tiny", bin_units=4, mark_units=4)


@pytest.fixture(scope="session")
def model(run: Run) -> keras.Model:
    return run.load_model()


@pytest.fixture(scope="session")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export, beside a version 6 and a folder that is no version."""
    models_dir = tmp_path_factory.mktemp("models")
    for neighbour in ("6", "notes"):
        (models_dir / "tiny" / neighbour).mkdir(parents=True)
    return export_run(run.path, models_dir, "tiny")


@pytest.fixture
def signal() -> np.ndarray:
    """Counts of seven genes."""
    random = np.random.default_rng(3)
    return random.poisson(3, (7, NUM_BINS, len(MARKS))).astype(np.float32)
