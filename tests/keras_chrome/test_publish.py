"""A run as a folder ready to upload."""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

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


def test_the_card_says_which_explanation_to_believe(run_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(run_path, run)
    card = (publish(run, tmp_path / "before") / "README.md").read_text()
    assert "license: other" in card
    assert "Not measured" in card
    (run / "faithfulness").mkdir()
    (run / "faithfulness" / "faithfulness.md").write_text("# Title\n\n## Deletion\n\n- 0.31\n")
    card = (publish(run, tmp_path / "after", licence="cc-by-4.0") / "README.md").read_text()
    assert "license: cc-by-4.0" in card
    assert "Which explanation to believe\n\n### Deletion\n\n- 0.31\n" in card
    with pytest.raises(InputError, match="licence='a\\\\nb'"):
        publish(run, tmp_path / "third", licence="a\nb")


def test_of_two_who_publish_to_one_folder_one_is_told(
    run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    module = sys.modules["keras_chrome.publish"]
    card = module.model_card

    def after_another(*args: Any) -> str:
        folder.mkdir()
        (folder / "a").touch()
        return card(*args)

    monkeypatch.setattr(module, "model_card", after_another)
    with pytest.raises(InputError, match="Expected a new folder"):
        publish(run_path, folder)
    assert not list(tmp_path.glob(".unfinished-*"))
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_no_path_of_this_machine_is_published(run_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(run_path, run)
    config = json.loads((run / "config.json").read_text())
    config["options"] |= {"dataset": "/home/me/data/remc/small/1.0.0", "distill": "/home/me/runs/y"}
    (run / "config.json").write_text(json.dumps(config))
    folder = publish(run, tmp_path / "out")
    assert "/home/me" not in (folder / "config.json").read_text()
    assert keras_chrome.load_model(folder)


def test_a_finding_that_is_no_text_is_named(run_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(run_path, run)
    (run / "faithfulness").mkdir()
    (run / "faithfulness" / "faithfulness.md").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"faithfulness\.md as .* or delete the file"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
