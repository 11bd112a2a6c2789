"""A new version from its export to everybody, and back: export, server and client together."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from asking import wait_until
from scipy.special import expit, logit

from export import export_runs, write_models_config
from keras_chrome.models import build_model
from keras_chrome.runs import new_run
from serving.client import Client
from serving.local import LocalServer

pytestmark = pytest.mark.serving
MARKS = ("H3K4me3", "H3K27me3")
SIGNAL = np.random.default_rng(0).poisson(3, (3, 6, 2)).astype(np.float32)


def make_run(path: Path, seed: int) -> Path:
    """An untrained model; its seed decides what it says."""
    about = {"marks": list(MARKS), "num_bins": 6, "transform": "log1p"}
    keras.utils.set_random_seed(seed)
    model = build_model("cnn_attn", **about)
    # Larger than at the start of training: seeds then differ.
    model.set_weights([3 * weight for weight in model.get_weights()])
    bins = {"num_bins": 6, "bin_bp": 100, "flank_bp": 300}
    dataset = {"name": "remc/demo", "fingerprint": "f00d", **bins}
    options = {"labels": "median", "seed": seed}
    with new_run(
        path, options=options, model={"variant": "cnn_attn", **about}, dataset=dataset
    ) as run:
        run.save_model(model)
    return path


def version_of(server: LocalServer, label: str) -> int:
    with Client(server.target, "demo", label=label) as client:
        return client.description.version


@pytest.mark.slow
def test_a_version_is_tried_promoted_and_rolled_back(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"seed-{seed}", seed) for seed in range(3)]
    models_dir = tmp_path / "models"
    export_runs(runs[:1], models_dir, "demo")
    config = models_dir / "models.config"
    with LocalServer(models_dir, models_config=config, poll_wait_s=0.1) as server:
        assert version_of(server, "stable") == 1
        with Client(server.target, "demo", label="stable") as client:
            first = client.predict(SIGNAL, marks=MARKS)

        # An ensemble of all seeds becomes canary; who asks for the stable version sees no change.
        export_runs(runs, models_dir, "demo")
        wait_until(lambda: server.models == {"demo": [1, 2]})
        wait_until(lambda: version_of(server, "canary") == 2)
        assert version_of(server, "stable") == 1
        with Client(server.target, "demo", label="canary") as client:
            assert client.description.details["seeds"] == [0, 1, 2]
            second = client.predict(SIGNAL, marks=MARKS)
        assert second.probability_sd is not None
        assert np.abs(second.probability - first.probability).max() > 1e-4
        members = [keras_probability(run) for run in runs]
        mean = expit(np.mean(logit(members), axis=0))
        np.testing.assert_allclose(second.probability, mean, atol=1e-5)
        np.testing.assert_allclose(second.probability_sd, np.std(members, axis=0), atol=1e-5)

        # A third is canary in the place of the second, which the server loads before it moves the
        # label; in one step TensorFlow Serving would refuse it.
        export_runs(runs[1:2], models_dir, "demo")
        wait_until(lambda: version_of(server, "canary") == 3)

        write_models_config(models_dir, {"demo": {"stable": 2}})
        wait_until(lambda: version_of(server, "stable") == 2)
        write_models_config(models_dir, {"demo": {"stable": 1}})
        wait_until(lambda: version_of(server, "stable") == 1)

        # What is deleted is unloaded, and its label dropped.
        shutil.rmtree(models_dir / "demo/3")
        write_models_config(models_dir)
        wait_until(lambda: server.models == {"demo": [1, 2]})


def keras_probability(run_dir: Path) -> np.ndarray:
    import keras_chrome

    return keras_chrome.load_model(run_dir)(SIGNAL)["probability"].numpy()
