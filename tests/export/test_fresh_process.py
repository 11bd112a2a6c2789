import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from export import export_runs, fresh_process
from export.checks import ExportError
from export.fresh_process import FreshProcess
from keras_chrome.runs import Run

ROWS = np.array([1, 2, 3], np.float32)


def save(model_dir: Path, function: Callable[[tf.Tensor], tf.Tensor]) -> Path:
    """A SavedModel of a function of `x`."""
    module = tf.Module()
    module.function = tf.function(lambda x: {"y": function(x)}, autograph=False)
    spec = tf.TensorSpec((None,), tf.float32, name="x")
    signature = module.function.get_concrete_function(spec)
    tf.saved_model.save(module, str(model_dir), {"double": signature})
    return model_dir


def ends_the_process(x: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="the end")]):
        return 2 * x


def lives_in_this_process(x: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(tf.numpy_function(lambda x: 2 * x, [x], tf.float32), (None,))


def test_answers_for_all_rows_and_for_one(process: FreshProcess, tmp_path: Path) -> None:
    answers = process.answers(save(tmp_path, lambda x: 2 * x), {"x": ROWS})
    assert {name: values.tolist() for name, values in answers.items()} == {
        "double.y.3": [2, 4, 6],
        "double.y.1": [2],
    }


def test_knows_nothing_of_the_process_that_saved(process: FreshProcess, tmp_path: Path) -> None:
    model_dir = save(tmp_path, lives_in_this_process)
    here = tf.saved_model.load(str(model_dir)).signatures["double"](x=tf.constant(ROWS))
    assert here["y"].numpy().tolist() == [2, 4, 6]
    with pytest.raises(RuntimeError, match="Could not find callback"):
        process.answers(model_dir, {"x": ROWS})


def test_can_import_neither_keras_nor_our_packages() -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({fresh_process.__file__!r}, run_name='__main__')\n"
        "for name in ('keras', 'keras_chrome', 'export', 'serving', 'tfds_remc', 'jax', "
        "'tensorflow'):\n"
        "    print(name, sys.modules.get(name, 'free'))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert answer.stdout.splitlines() == [
        *(f"{n} None" for n in ("keras", "keras_chrome", "export", "serving", "tfds_remc", "jax")),
        "tensorflow free",
    ]


def test_a_model_that_ends_the_process_does_not_end_it_for_the_next(
    process: FreshProcess, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match="ended with exit code -6"):
        process.answers(save(tmp_path / "bad", ends_the_process), {"x": ROWS})
    good = save(tmp_path / "good", lambda x: 2 * x)
    assert process.answers(good, {"x": ROWS})["double.y.1"] == 2


def test_an_export_that_does_not_load_leaves_nothing(
    cnn_run: Run, process: FreshProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = process.answers

    def without_variables(model_dir: Path, *args: Any) -> dict[str, np.ndarray]:
        (model_dir / "variables" / "variables.index").unlink()
        return answers(model_dir, *args)

    monkeypatch.setattr(process, "answers", without_variables)
    with pytest.raises(ExportError, match=r"loads and answers without our code.*variables"):
        export_runs([cnn_run.path], tmp_path / "models", "tiny", fresh_process=process)
    assert list(tmp_path.iterdir()) == []
