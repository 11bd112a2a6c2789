"""A run as a folder ready to upload."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import keras_chrome
from keras_chrome.errors import InputError
from keras_chrome.publish import publish


def test_a_published_folder_is_the_model_without_what_is_local(
    run_path: Path, tmp_path: Path
) -> None:
    folder = publish(run_path, tmp_path / "out")
    names = {path.name for path in folder.iterdir()}
    assert names == {"README.md", "SHA256SUMS", "config.json", "metrics.json", "model.keras"}
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert not {"data_dir", "run_dir"} & set(
        json.loads((folder / "config.json").read_text())["options"]
    )
    signal = np.ones((2, 20, 5), np.float32)
    np.testing.assert_array_equal(
        keras_chrome.load_model(folder)(signal)["probability"],
        keras_chrome.load_model(run_path)(signal)["probability"],
    )
    auroc = json.loads((folder / "metrics.json").read_text())["test"]["auroc"]
    assert f"| test | auroc | {auroc:.6g} |" in (folder / "README.md").read_text()
    with pytest.raises(InputError, match="Expected a new folder"):
        publish(run_path, folder)


def test_a_pickle_is_not_published(_fitted_baseline: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model\.keras"):
        publish(_fitted_baseline, tmp_path / "out")
    assert not (tmp_path / "out").exists()
