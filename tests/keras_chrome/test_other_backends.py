"""Commands and functions where Keras has been told to run on something else than TensorFlow."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import keras_chrome

FIT = ("fit", "--dataset", "small", "--data-dir", "{data}", "--run-dir", "{out}", "--epochs", "1")
NEED_TENSORFLOW = [
    FIT,
    ("evaluate", "{run}"),
    ("attend", "{run}", "--out", "{out}.nc"),
    ("alpha_profile", "{run}", "--out", "{out}"),
    ("explain", "{run}", "--out", "{out}.nc"),
    ("compare", "{run}", "--out", "{out}"),
    ("faithfulness", "{run}", "--out", "{out}"),
    ("perturb", "{run}", "--scale", "0", "--mark", "H3K4me3", "--out", "{out}"),
    ("report", "{run}", "--out", "{out}.html"),
    ("tracks", "{run}", "--out", "{out}"),
    ("export", "{run}", "--models-dir", "{out}", "--name", "e012"),
]
NEED_NONE = [
    (*FIT[:-2], "--model", "logistic_regression"),
    ("leaderboard", "{run}"),
    ("attend", "{run}", "--plot", "{gene}"),
    ("beta_map", "{run}", "--gene", "{gene}", "--out", "{out}"),
]
LINE = (
    "error: Expected TensorFlow as the backend of Keras. Received: {}. Set KERAS_BACKEND=tensorflow"
)


@pytest.fixture
def places(data_dir: Path, cnn_run_path: Path, tmp_path: Path) -> dict[str, object]:
    gene = keras_chrome.attend(cnn_run_path)["gene"].values[0]
    return {"data": data_dir, "run": cnn_run_path, "gene": gene, "out": tmp_path / "out"}


def answer(
    arguments: Sequence[str], places: dict[str, object], **environment: str
) -> subprocess.CompletedProcess[str]:
    verb, *rest = (argument.format(**places) for argument in arguments)
    return subprocess.run(
        [sys.executable, "-m", "export" if verb == "export" else f"keras_chrome.{verb}", *rest],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("backend", ["jax", "torch", "nonsense"])
def test_another_backend_is_told_in_one_line(places: dict[str, object], backend: str) -> None:
    refused = answer(FIT, places, KERAS_BACKEND=backend)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == LINE.format(f"KERAS_BACKEND={backend}") + "\n"


def test_a_backend_of_the_file_of_keras(places: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "nonsense"}))
    refused = answer(FIT, places, KERAS_HOME=str(tmp_path))
    assert refused.stderr == LINE.format("keras.json, backend=nonsense") + "\n"
    # What the line says helps.
    well = answer(FIT, places, KERAS_HOME=str(tmp_path), KERAS_BACKEND="tensorflow")
    assert (well.returncode, well.stderr) == (0, "")


@pytest.mark.parametrize("backend", ["torch", "nonsense"])
def test_a_function_tells_it_too(cnn_run_path: Path, backend: str) -> None:
    if importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is installed, and a model loads on it")
    code = (
        "import sys, keras_chrome\n"
        "try: keras_chrome.load_model(sys.argv[1])\n"
        "except keras_chrome.InputError as error: print('error:', error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(cnn_run_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    assert told.stdout == LINE.format(f"KERAS_BACKEND={backend}") + "\n", told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("arguments", NEED_TENSORFLOW, ids=lambda arguments: arguments[0])
def test_what_needs_tensorflow_says_so_on_jax(
    arguments: Sequence[str], places: dict[str, object]
) -> None:
    refused = answer(arguments, places, KERAS_BACKEND="jax")
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr == LINE.format("KERAS_BACKEND=jax") + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", NEED_NONE, ids=lambda arguments: arguments[0])
def test_what_needs_none_runs_on_jax(arguments: Sequence[str], places: dict[str, object]) -> None:
    pytest.importorskip("jax", reason="jax is not installed: pip install 'keras-chrome[jax]'")
    well = answer(arguments, places, KERAS_BACKEND="jax")
    assert (well.returncode, well.stderr) == (0, "")
