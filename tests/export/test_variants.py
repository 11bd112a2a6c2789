"""Every variant exports, and answers as its Keras model does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import export.allowed_operations
import serving.stand_in.allowed_operations
from export import export_runs
from export.allowed_operations import OPERATIONS, RESTORING, SAVING
from export.fresh_process import FreshProcess
from keras_chrome.layers.implementation import use_recurrence
from keras_chrome.models import VARIANTS
from keras_chrome.runs import Run

WITHOUT_LSTM = {"deep_chrome", "cnn_attn", "cnn_alpha_beta", "context_chrome", "additive_chrome"}


def operations(model_dir: Path) -> set[str]:
    """Kinds of operations in a SavedModel."""
    text = (model_dir / "saved_model.pb").read_bytes()
    graphs = [m.graph_def for m in saved_model_pb2.SavedModel.FromString(text).meta_graphs]
    functions = [function for graph in graphs for function in graph.library.function]
    nodes = [*(n for g in graphs for n in g.node), *(n for f in functions for n in f.node_def)]
    return {node.op for node in nodes}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_saved_model_parity(
    variant: str, variants: dict[str, tuple[Run, Path]], signal: np.ndarray
) -> None:
    run, model_dir = variants[variant]
    signatures = tf.saved_model.load(str(model_dir)).signatures
    expected = run.load_model()(signal, training=False)
    received = signatures["serving_default"](signal=tf.constant(signal))
    assert set(received) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(received[name], values, atol=1e-5)
    # A loop over the bins would be several times as slow.
    used = operations(model_dir)
    assert not {"While", "StatelessWhile"} & used
    assert ("BlockLSTM" in used) == (variant not in WITHOUT_LSTM)


def test_exports_whatever_else_runs_the_lstms(
    make_run: Callable[..., Run], process: FreshProcess, tmp_path: Path
) -> None:
    with use_recurrence("stock"):
        run = make_run(tmp_path / "run", "lstm")
        model_dir = export_runs([run.path], tmp_path / "models", "lstm", fresh_process=process)
    assert "BlockLSTM" in operations(model_dir)


def test_servers_let_in_what_exports_need_and_nothing_else(
    variants: dict[str, tuple[Run, Path]], ensemble: Path
) -> None:
    exports = [ensemble, *(model_dir for _, model_dir in variants.values())]
    assert set().union(*map(operations, exports)) == OPERATIONS | SAVING | {RESTORING}


def test_both_packages_hold_the_same_list() -> None:
    mine, theirs = export.allowed_operations.__file__, serving.stand_in.allowed_operations.__file__
    assert Path(mine).read_text() == Path(theirs).read_text()
