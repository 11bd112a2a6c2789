"""Run directories: whole or not at all."""

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_chrome
from keras_chrome.atomic import atomic_path
from keras_chrome.errors import InputError
from keras_chrome.layers import AttentionPooling
from keras_chrome.models import build_model
from keras_chrome.models.head import answer
from keras_chrome.models.prediction import predict
from keras_chrome.runs import new_run, open_run
from keras_chrome.runs.config import Bins


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


SMALL: dict[str, dict[str, object]] = {
    "options": {"labels": "median"},
    "model": {"variant": "lstm", "marks": ["H3K4me3"]},
    "dataset": {"num_bins": 8, "bin_bp": 100, "flank_bp": 400},
}


def test_a_failed_run_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_run(tmp_path / "run", **SMALL):
        raise RuntimeError
    assert not (tmp_path / "run").exists()


def test_a_failed_run_stays_once_it_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_run(tmp_path / "run", **SMALL) as run:
        run.checkpoint_path.parent.mkdir()
        run.checkpoint_path.write_text("")
        raise RuntimeError
    assert (tmp_path / "run" / "config.json").exists()


def test_a_failed_run_does_not_take_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RuntimeError), new_run(tmp_path, **SMALL):
        raise RuntimeError
    assert (tmp_path / "thesis.tex").exists()


def test_a_full_disk_names_the_file() -> None:
    with pytest.raises(OSError, match="full"), atomic_path(Path("/dev/full")):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_missing_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run directory with config\.json"):
        open_run(tmp_path / "nothing")


def test_run_of_another_version_is_refused(cnn_run_path: Path) -> None:
    config = json.loads((cnn_run_path / "config.json").read_text())
    (cnn_run_path / "config.json").write_text(json.dumps(config | {"format_version": 99}))
    with pytest.raises(InputError, match=r"format version 1.*version 99.*keras-chrome 0"):
        open_run(cnn_run_path)


def test_damaged_configuration_is_refused(cnn_run_path: Path) -> None:
    (cnn_run_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="as JSON"):
        open_run(cnn_run_path)


@pytest.mark.parametrize(
    ("part", "damage", "named"),
    [
        (None, {"options": None}, "options=None"),
        (None, {"model": "lstm"}, "model='lstm'"),
        (None, {"dataset": [1]}, "dataset=\\[1\\]"),
        (None, {"versions": 3}, "versions=3"),
        ("options", {"labels": 1}, "labels=1"),
        ("options", {"seed": "one"}, "seed='one'"),
        ("options", {"split": None}, "split=None"),
        ("options", {"data_dir": 5}, "data_dir=5"),
        ("model", {"marks": "H3K4me3"}, "marks='H3K4me3'"),
        ("model", {"marks": [1, 2]}, "marks="),
        ("model", {"variant": None}, "variant=None"),
        ("dataset", {"num_bins": "20"}, "num_bins='20'"),
        ("dataset", {"name": 7}, "name=7"),
        ("dataset", {"fingerprint": None}, "fingerprint=None"),
    ],
)
def test_values_of_other_types_are_named(
    cnn_run_path: Path, part: str | None, damage: dict[str, Any], named: str
) -> None:
    config = json.loads((cnn_run_path / "config.json").read_text())
    (config[part] if part else config).update(damage)
    (cnn_run_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"as JSON.*TypeError: {named}") as error:
        open_run(cnn_run_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", ["format_version", "options", "model", "dataset", "python"])
def test_a_configuration_that_lacks_a_part_is_refused(cnn_run_path: Path, part: str) -> None:
    config = json.loads((cnn_run_path / "config.json").read_text())
    del config[part]
    (cnn_run_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"as JSON.*KeyError: '{part}'"):
        open_run(cnn_run_path)


def test_what_made_a_run_is_read(cnn_run_path: Path) -> None:
    content = json.loads((cnn_run_path / "config.json").read_text())
    config = open_run(cnn_run_path).config
    assert config.options == content["options"]
    assert config.bins == Bins(num_bins=20, bin_bp=500, flank_bp=5000)
    assert config.versions == content["versions"]
    assert (config.kind, config.model, config.seed) == ("variant", "cnn_alpha_beta", 0)
    assert config.marks == tuple(content["model"]["marks"])
    assert config.dataset
    assert config.dataset.epigenome == "small"
    assert config.dataset.fingerprint == content["dataset"]["fingerprint"]


def test_unfinished_run_says_how_to_finish_it(cnn_run_path: Path) -> None:
    (cnn_run_path / "model.keras").unlink()
    with pytest.raises(InputError, match=r"without model\.keras.*--resume"):
        keras_chrome.load_model(cnn_run_path)


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """A run of the variant with most layers of our own, which its file names."""
    about = {"marks": ["H3K4me3", "H3K27me3"], "num_bins": 20}
    parts = {**SMALL, "model": {"variant": "attentive_chrome", **about}}
    with new_run(tmp_path / "run", **parts) as run:
        run.save_model(build_model("attentive_chrome", **about))
    return run.path


KERAS = "import keras\n"
OURS = "import keras_chrome\n"


@pytest.mark.parametrize(
    "imports",
    [OURS + KERAS, KERAS + OURS, OURS + "import tensorflow\nkeras = tensorflow.keras\n"],
    ids=["before Keras", "after Keras", "before TensorFlow"],
)
def test_keras_loads_a_model_where_the_package_is_imported(untrained: Path, imports: str) -> None:
    code = f"{imports}print(keras.models.load_model({str(untrained / 'model.keras')!r}).name)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "attentive_chrome\n"


def load_in_a_fresh_process(run_path: Path, num_times: int = 1) -> list[str]:
    code = (
        "import keras_chrome, numpy as np\n"
        "x = np.arange(80, dtype='float32').reshape(2, 20, 2) % 7\n"
        f"for _ in range({num_times}):\n"
        f"    model = keras_chrome.load_model({str(run_path)!r})\n"
        "    print(model(x)['probability'].numpy().tolist())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return answer.stdout.splitlines()


def test_loads_in_a_fresh_process(untrained: Path) -> None:
    (first,) = load_in_a_fresh_process(untrained)
    assert first.startswith("[0.")


def test_a_run_is_the_network_that_it_was_trained_as(tmp_path: Path) -> None:
    """What a variant is built of may change: here its second convolution is not there yet."""
    about = {"marks": ["H3K4me3", "H3K27me3"], "num_bins": 20}
    signal = keras.Input((20, 2))
    hidden = keras.layers.DepthwiseConv1D(10, depth_multiplier=50, padding="same")(signal)
    embeddings, alpha = AttentionPooling()(keras.layers.Reshape((20, 2, 50))(hidden))
    embedding, beta = AttentionPooling()(embeddings)
    outputs = answer(embedding, alpha=alpha, beta=beta)
    earlier = keras.Model(signal, outputs, name="cnn_alpha_beta")
    parts = {**SMALL, "model": {"variant": "cnn_alpha_beta", **about}}
    with new_run(tmp_path / "run", **parts) as run:
        run.save_model(earlier)
    counts = np.random.default_rng(0).poisson(3, (7, 20, 2)).astype(np.float32)
    loaded = predict(open_run(run.path).load_model(), counts)
    for name, values in earlier(counts).items():
        np.testing.assert_allclose(getattr(loaded, name), values, atol=1e-6)


@pytest.mark.slow
def test_loads_thirty_times_of_thirty_in_fresh_processes(untrained: Path) -> None:
    # Names of layers that depend on object identities make some loads fail and others not.
    answers = [line for _ in range(5) for line in load_in_a_fresh_process(untrained, 6)]
    assert len(answers) == 30
    assert len(set(answers)) == 1


def test_a_run_has_what_its_files_hold(cnn_run_path: Path) -> None:
    run = open_run(cnn_run_path)
    assert run.metrics == json.loads((cnn_run_path / "metrics.json").read_text())
    assert run.history["epoch"].tolist() == [1, 2, 3]
    predictions = run.predictions
    assert predictions["split"].value_counts().to_dict() == {"valid": 50, "test": 50}
    assert predictions["gene_id"].str.startswith("SIM").all()
    assert run.splits["split"].value_counts().to_dict() == {"train": 50, "valid": 50, "test": 50}
    assert repr(run) == f"Run({str(cnn_run_path)!r}, cnn_alpha_beta on remc/small)"


@pytest.mark.parametrize("part", ["metrics", "history", "predictions", "splits"])
def test_what_a_run_lacks_is_named(untrained: Path, part: str) -> None:
    with pytest.raises(InputError, match=rf"Expected {part}\.\w+ in .*attentive_chrome without"):
        getattr(open_run(untrained), part)


def test_importing_the_package_imports_no_tensorflow() -> None:
    code = "import sys, keras_chrome; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.split() == ["False", "False"]
