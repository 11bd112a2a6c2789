"""The published weights as a run."""

from pathlib import Path

import numpy as np
import pytest

import keras_chrome
from keras_chrome.errors import InputError
from keras_chrome.import_weights import ImportConfig, import_weights
from keras_chrome.models import logit_model
from keras_chrome.models.prediction import predict

PUBLISHED = "E003_attchrome_avgAUC_model.pt"


@pytest.mark.real_data
def test_reproduces_the_published_model(real_data: Path, tmp_path: Path) -> None:
    golden = np.load(real_data / "weights" / "E003_toy_golden.npz")
    config = ImportConfig(run_dir=str(tmp_path / "run"))
    import_weights(real_data / "weights" / PUBLISHED, config)
    model = keras_chrome.load_model(tmp_path / "run")
    answer = model(golden["signal"])
    logit = logit_model(model)(golden["signal"])
    np.testing.assert_allclose(logit[:, 0], golden["logit"], atol=1e-5)
    np.testing.assert_allclose(answer["alpha"], golden["alpha"], atol=1e-5)
    np.testing.assert_allclose(answer["beta"], golden["beta"], atol=1e-5)
    compiled = predict(model, golden["signal"])
    np.testing.assert_allclose(compiled.alpha, golden["alpha"], atol=1e-5)


@pytest.mark.real_data
def test_another_number_of_marks_is_refused(real_data: Path, tmp_path: Path) -> None:
    config = ImportConfig(run_dir=str(tmp_path / "run"), marks=("H3K4me3", "H3K27me3"))
    with pytest.raises(InputError, match=r"Expected 5 marks.*H3K4me3, H3K27me3"):
        import_weights(real_data / "weights" / PUBLISHED, config)
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text("hello")
    with pytest.raises(InputError, match=r"model\.pt"):
        import_weights(tmp_path / "model.pt", ImportConfig(run_dir=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()


def test_numbers_below_one_are_refused() -> None:
    with pytest.raises(InputError, match="num_bins=0"):
        ImportConfig(run_dir="run", num_bins=0)
