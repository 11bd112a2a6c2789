"""A model that answers from its file: as Keras does, with what the clients of servers check."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from serving.client import main
from serving.errors import InputError
from serving.genes import Genes
from serving.onnx_client import OnnxClient, model_of

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


@pytest.fixture
def client(onnx_file: Path) -> Iterator[OnnxClient]:
    with OnnxClient(onnx_file, batch_size=3) as client:
        yield client


def test_answers_as_the_keras_model(
    client: OnnxClient, model: keras.Model, signal: np.ndarray
) -> None:
    expected = model(signal, training=False)
    assert expected["probability"].numpy().std() > 0.01
    gene_id = np.array([f"g{number}" for number in range(7)])
    prediction = client.predict(Genes(gene_id, signal[:, :, ::-1], MARKS[::-1]))
    for name in ("probability", "alpha", "beta"):
        np.testing.assert_allclose(getattr(prediction, name), expected[name], atol=1e-5)
    assert list(prediction.gene_id) == list(gene_id)
    cheap = client.predict(signal, attention=False)
    np.testing.assert_allclose(cheap.probability, expected["probability"], atol=1e-5)
    assert cheap.alpha is None


def test_the_small_file_answers_alone(
    onnx_file: Path, model: keras.Model, signal: np.ndarray
) -> None:
    prediction = OnnxClient(onnx_file.with_name("predict.onnx")).predict(signal)
    expected = model(signal, training=False)["probability"]
    np.testing.assert_allclose(prediction.probability, expected, atol=1e-5)
    assert prediction.alpha is None


def test_says_what_it_is(client: OnnxClient) -> None:
    assert (client.description.name, client.description.version) == ("tiny", 12)
    assert client.description.marks == MARKS
    assert client.status() == {12: "AVAILABLE"}
    signature = client.metadata()["serving_default"]
    assert signature["inputs"] == {"signal": ("float32", (-1, 8, 5))}
    assert signature["outputs"]["alpha"] == ("float32", (-1, 5, 8))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("models/e012/3/model.onnx", ("e012", 3)),
        ("/e012/3/model.onnx", ("e012", 3)),
        ("/3/model.onnx", ("model", 1)),
        ("/data/e012.onnx", ("e012", 1)),
        ("/a/b/\N{SUPERSCRIPT TWO}/model.onnx", ("model", 1)),
    ],
)
def test_a_model_is_named_by_its_folders(path: str, expected: tuple[str, int]) -> None:
    assert model_of(Path(path)) == expected


def test_what_it_cannot_do_is_told(client: OnnxClient, signal: np.ndarray) -> None:
    with pytest.raises(InputError, match="ONNX has no gradients"):
        client.saliency(signal)
    with pytest.raises(InputError, match=r"Expected the marks .*Received: marks=H3K4me1, "):
        client.predict(signal[:, :, :2], marks=("H3K4me1", "H3K4me3"))


def test_files_that_are_no_model_of_ours_are_refused(onnx_file: Path, tmp_path: Path) -> None:
    foreign = onnx.load(onnx_file)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    (tmp_path / "cut.onnx").write_bytes(onnx_file.read_bytes()[:-100])
    (tmp_path / "empty.onnx").touch()
    for name in ("foreign.onnx", "cut.onnx", "empty.onnx", "nosuch.onnx", "."):
        with pytest.raises(InputError, match=r"Expected an ONNX file.*Received: ") as refused:
            OnnxClient(tmp_path / name)
        assert str(tmp_path / name) in str(refused.value)


def test_nothing_beside_the_file_is_read(
    onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights may be said to lie in another file, anybody's."""
    graph = onnx.load(onnx_file)
    onnx.save(
        graph, tmp_path / "split.onnx", save_as_external_data=True, location="w", size_threshold=0
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "split.onnx"))):
        OnnxClient(tmp_path / "split.onnx")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--onnx model.onnx --model tiny", "Received: --onnx and --model"),
        ("--onnx model.onnx --rest http://x", "Received: --onnx and --rest"),
        ("--onnx model.onnx --tls", "Received: --onnx and --tls"),
        ("", "Expected --model with the name of a served model, or --onnx"),
        ("--onnx nosuch.onnx", r"Received: nosuch.onnx (No such file or directory)"),
    ],
)
def test_wrong_options_are_told(options: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        main(["--describe", *options.split()])


def test_the_command_needs_no_tensorflow(onnx_file: Path) -> None:
    program = (
        "import sys\n"
        "from serving.client import main\n"
        "main(sys.argv[1:])\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--onnx", str(onnx_file), "--describe"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert '"num_bins": 8' in done.stdout
