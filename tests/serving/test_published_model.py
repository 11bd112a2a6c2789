"""The published model of E003 from PyTorch's file to an answer over gRPC."""

from pathlib import Path

import numpy as np
import pytest

from export import export_run
from keras_chrome.import_weights import ImportConfig, import_weights
from serving.client import Client
from serving.csv_genes import CSV_MARKS
from serving.local import LocalServer


@pytest.mark.real_data
@pytest.mark.serving
@pytest.mark.slow
def test_served_model_answers_as_the_published_one(real_data: Path, tmp_path: Path) -> None:
    """Golden: PyTorch's answers for the 30 Toy genes, with the published weights."""
    weights = real_data / "weights"
    golden = np.load(weights / "E003_toy_golden.npz")
    checkpoint = weights / "E003_attchrome_avgAUC_model.pt"
    import_weights(checkpoint, ImportConfig(run_dir=str(tmp_path / "run")))
    export_run(tmp_path / "run", tmp_path / "models", "e003")
    with LocalServer(tmp_path / "models") as server, Client(server.target, "e003") as client:
        assert client.description.details["label_rule"] == "as published"
        prediction = client.predict(golden["signal"], marks=CSV_MARKS)
    probability = 1 / (1 + np.exp(-golden["logit"].astype(np.float64).ravel()))
    np.testing.assert_allclose(prediction.probability, probability, atol=1e-5)
    np.testing.assert_allclose(prediction.alpha, golden["alpha"], atol=1e-5)
    np.testing.assert_allclose(prediction.beta, golden["beta"], atol=1e-5)
