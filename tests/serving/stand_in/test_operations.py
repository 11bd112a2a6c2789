"""A SavedModel that could do more than answer is refused; exported ones are not."""

from pathlib import Path

import hostile_models
import pytest
import tensorflow as tf
from hostile_models import CHANGES, FUNCTIONS, save
from tensorflow.core.protobuf import saved_model_pb2

from serving.errors import InputError
from serving.local import LocalServer
from serving.stand_in.operations import refusals
from serving.stand_in.servable import LoadError, Servable


def refused(path: Path) -> list[str]:
    text = (path / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(text).meta_graphs
    return refusals(graph)


@pytest.mark.parametrize("operation", FUNCTIONS)
def test_refuses_what_reaches_outside(tmp_path: Path, operation: str) -> None:
    save(tmp_path / "1", FUNCTIONS[operation])
    with pytest.raises(LoadError, match=rf"\b{operation}\b.*--allow-unsafe-ops"):
        Servable("hostile", 1, tmp_path / "1")


@pytest.mark.parametrize("name", CHANGES)
def test_refuses_what_is_hidden(tmp_path: Path, name: str) -> None:
    change, words = CHANGES[name]
    save(tmp_path / "1", tf.identity, change)
    with pytest.raises(LoadError, match=f"{words}.*--allow-unsafe-ops"):
        Servable("hostile", 1, tmp_path / "1")


def test_a_graph_in_a_text_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is no paper tiger: let in, it writes a file."""
    monkeypatch.setattr(hostile_models, "WRITTEN", [str(tmp_path / "written")])
    save(tmp_path / "1", FUNCTIONS["DatasetFromGraph"])
    model = Servable("hostile", 1, tmp_path / "1", allow_unsafe_ops=True)
    model.predict("serving_default", {"path": b""})
    assert (tmp_path / "written").read_text() == "x"


def test_lets_through_what_only_computes(models_dir: Path, tmp_path: Path) -> None:
    assert refused(models_dir / "tiny/12") == []
    assert refused(save(tmp_path / "1", tf.identity)) == []


def test_serves_it_only_if_told_to(tmp_path: Path) -> None:
    save(tmp_path / "models/reader/1", tf.io.read_file)
    with pytest.raises(InputError, match=r"reader/1, which cannot be loaded \(.*ReadFile"):
        LocalServer(tmp_path / "models")
    with LocalServer(tmp_path / "models", allow_unsafe_ops=True) as server:
        assert server.models == {"reader": [1]}
