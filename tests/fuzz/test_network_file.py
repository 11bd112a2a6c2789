"""A `.keras` file: damaged, or made to reach beyond itself."""

import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from changed_json import changed_json
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st

from keras_chrome.models.network_file import load_network
from keras_chrome.models.task import CLASSIFICATION

MARKS = ("H3K4me3", "H3K27me3")
SHAPE = (8, len(MARKS))
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


@cache
def whole() -> dict[str, bytes]:
    """The members of a small network's file."""
    from keras_chrome.models import build_model

    file = Path("/dev/shm" if Path("/dev/shm").is_dir() else "/tmp") / "keras-chrome-fuzz.keras"
    build_model("cnn_attn", marks=MARKS, num_bins=SHAPE[0]).save(file)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    file.unlink()
    return members


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive whose checksums are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def changed(name: str, content: bytes) -> bytes:
    return zipped({**whole(), name: content})


def read(path: Path) -> None:
    load_network(path, SHAPE, CLASSIFICATION)


CASES = st.deferred(
    lambda: st.one_of(
        damaged(zipped(whole())),
        damaged(whole()[WEIGHTS]).map(lambda content: changed(WEIGHTS, content)),
        damaged(whole()[CONFIG]).map(lambda content: changed(CONFIG, content)),
        changed_json(json.loads(whole()[CONFIG])).map(lambda content: changed(CONFIG, content)),
    )
)


@fuzz(CASES, examples=30)
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    return check(read, path, in_child=True)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(zipped(whole()))
    assert check(read, tmp_path / "model.keras", in_child=True) == Outcome()


def edited(change: Callable[[dict[str, Any]], None]) -> bytes:
    config = json.loads(whole()[CONFIG])
    change(config)
    return changed(CONFIG, json.dumps(config).encode())


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in config["config"]["layers"] if one["class_name"] == name)


def weights(change: Callable[[h5py.File], None]) -> bytes:
    file = io.BytesIO(whole()[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        change(weights)
    return changed(WEIGHTS, file.getvalue())


def external_storage(file: h5py.File) -> None:
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def linked(link: Any) -> Callable[[h5py.File], None]:
    return lambda file: file.__setitem__("x", link)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a lambda": (
        lambda: edited(
            lambda c: layer(c, "Dense").update(class_name="Lambda", module="keras.layers")
        ),
        "keras.layers.Lambda",
    ),
    "a SavedModel of elsewhere": (
        lambda: edited(lambda c: layer(c, "Dense").update(class_name="TFSMLayer")),
        "TFSMLayer",
    ),
    "a function of Python": (
        lambda: edited(
            lambda c: layer(c, "Dense").update(module="os", class_name="system", config="true")
        ),
        "os.system",
    ),
    "a function of Keras": (
        lambda: edited(
            lambda c: layer(c, "Dense").update(module="keras.utils", class_name="get_file")
        ),
        "keras.utils.get_file",
    ),
    "another name of ours": (
        lambda: edited(lambda c: layer(c, "Dense").update(registered_name="keras_chrome>Lambda")),
        "no layer of ours",
    ),
    "more weights than the file has": (
        lambda: edited(lambda c: layer(c, "Dense")["config"].update(units=2**31)),
        "Received: ",
    ),
    "fewer weights than its layers have": (
        lambda: weights(lambda f: f.__delitem__("layers")),
        "0 weights, where its layers have",
    ),
    "another signal": (
        lambda: edited(lambda c: layer(c, "InputLayer")["config"].update(batch_shape=[None, 9, 2])),
        "a signal",
    ),
    "a link to another file": (
        lambda: weights(linked(h5py.ExternalLink("/tmp/other.h5", "/x"))),
        "a link to elsewhere",
    ),
    "a link to a name": (lambda: weights(linked(h5py.SoftLink("/layers"))), "a link to elsewhere"),
    "external storage": (lambda: weights(external_storage), "stored elsewhere"),
    "a virtual dataset": (lambda: weights(virtual), "stored elsewhere"),
    "packed zeros": (
        lambda: weights(
            lambda f: f.create_dataset("x", (2**30,), "f4", compression="gzip", chunks=(2**20,))
        ),
        "packed",
    ),
    "a size without bytes": (
        lambda: weights(lambda f: f.create_dataset("x", (2**40,), "f4")),
        "bytes in a file of",
    ),
    "a zip bomb": (
        lambda: zipped({**whole(), WEIGHTS: bytes(2**24)}, zipfile.ZIP_DEFLATED),
        "compressed members",
    ),
    "another member": (lambda: zipped({**whole(), "assets/x": b""}), "members"),
    "no archive": (lambda: b"PK", "BadZipFile"),
    "deep JSON": (lambda: changed(CONFIG, b"[" * 100_000), "RecursionError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_reaches_beyond_is_refused(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    (tmp_path / "model.keras").write_bytes(make())
    refusal = check(read, tmp_path / "model.keras", in_child=True).refusal
    assert message in refusal and str(tmp_path / "model.keras") in refusal


def test_a_refused_file_leaves_no_variables_behind(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(REFUSED["more weights than the file has"][0]())
    assert check(read, tmp_path / "model.keras", in_child=True).refusal
    (tmp_path / "whole.keras").write_bytes(zipped(whole()))
    network = load_network(tmp_path / "whole.keras", SHAPE, CLASSIFICATION)
    assert isinstance(network, keras.Model)
    assert np.isfinite(network(np.ones((1, *SHAPE), np.float32))["probability"]).all()
