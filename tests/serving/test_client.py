import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving.client import Client, main
from serving.errors import InputError, ServerError
from serving.local import LocalServer

pytestmark = pytest.mark.serving
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


def test_predicts_as_the_keras_model(
    client: Client, model: keras.Model, signal: np.ndarray
) -> None:
    prediction = client.predict(signal, marks=MARKS)
    expected = model(signal, training=False)
    assert expected["probability"].numpy().std() > 0.01
    for key in ("probability", "alpha", "beta"):
        np.testing.assert_allclose(getattr(prediction, key), expected[key], atol=1e-5)
    cheap = client.predict(signal, attention=False)
    np.testing.assert_allclose(cheap.probability, expected["probability"], atol=1e-5)
    assert (cheap.alpha, cheap.beta) == (None, None)


def test_saliency_is_the_gradient_of_the_logit(
    client: Client, model: keras.Model, signal: np.ndarray
) -> None:
    saliency = client.saliency(signal, marks=MARKS)
    logit_model = keras.Model(model.inputs, model.get_layer("logit").output)
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        logit = logit_model(watched)
    np.testing.assert_allclose(saliency.gradient, tape.gradient(logit, watched), atol=1e-5)
    np.testing.assert_allclose(saliency.probability, tf.sigmoid(logit)[:, 0], atol=1e-5)


def test_describes_the_model(client: Client) -> None:
    assert client.description.version == 12
    assert client.description.marks == MARKS
    assert client.description.num_bins == 8
    assert client.description.details["variant"] == "attentive_chrome"
    assert client.status() == {3: "AVAILABLE", 12: "AVAILABLE"}
    metadata = client.metadata()
    assert set(metadata) == {"serving_default", "predict", "saliency", "describe"}
    assert metadata["predict"] == {
        "inputs": {"signal": ("float32", (-1, 8, 5))},
        "outputs": {"probability": ("float32", (-1,))},
    }


def test_asks_the_version_it_was_given(server: LocalServer) -> None:
    with Client(server.target, "tiny", 3) as client:
        assert client.description.version == 3
        assert client.status() == {3: "AVAILABLE"}


class Proxy(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Passes requests on to the stand-in, counts them, and is unavailable when told."""

    def __init__(self, target: str) -> None:
        self.num_unavailable = 0
        self.genes_asked: list[int] = []
        self._channel = grpc.insecure_channel(target, [("grpc.max_receive_message_length", -1)])
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if self.num_unavailable:
            self.num_unavailable -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
        if "signal" in request.inputs:
            self.genes_asked.append(request.inputs["signal"].tensor_shape.dim[0].size)
        return self._stub.Predict(request)


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[tuple[Proxy, str]]:
    proxy = Proxy(server.target)
    server_ = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(proxy, server_)
    port = server_.add_insecure_port("127.0.0.1:0")
    server_.start()
    yield proxy, f"127.0.0.1:{port}"
    server_.stop(None).wait()


def test_sends_large_inputs_in_batches(proxy: tuple[Proxy, str], signal: np.ndarray) -> None:
    with Client(proxy[1], "tiny") as client:
        whole = client.predict(signal)
    with Client(proxy[1], "tiny", batch_size=3) as client:
        batched = client.predict(signal)
    assert proxy[0].genes_asked == [7, 3, 3, 1]
    for key in ("probability", "alpha", "beta"):
        np.testing.assert_allclose(getattr(batched, key), getattr(whole, key), atol=1e-6)


def test_keeps_requests_and_answers_under_the_limit(proxy: tuple[Proxy, str]) -> None:
    signal = np.ones((40, 8, 5), np.float32)
    with Client(proxy[1], "tiny", max_message_bytes=4096 + 1900) as client:
        assert len(client.predict(signal).probability) == 40
        assert len(client.saliency(signal).probability) == 40
    # A gene takes 4 * (8 * 5 + 5 + 1) = 184 bytes.
    assert proxy[0].genes_asked == [10, 10, 10, 10] * 2
    with (
        Client(proxy[1], "tiny", max_message_bytes=4096) as client,
        pytest.raises(InputError, match="Expected room for one gene, 4280 bytes"),
    ):
        client.predict(signal)


def test_raises_grpcs_own_limit(server: LocalServer) -> None:
    signal = np.ones((30_000, 8, 5), np.float32)
    with Client(server.target, "tiny", batch_size=len(signal)) as client:
        prediction = client.predict(signal)
    assert prediction.alpha is not None
    assert prediction.alpha.nbytes > 4 * 2**20


@pytest.mark.parametrize("num_genes", [1, 4000])
def test_asks_again_while_the_server_is_unavailable(
    proxy: tuple[Proxy, str], num_genes: int
) -> None:
    """Also with a request of more than gRPC buffers for this by default, 256 KiB."""
    with Client(proxy[1], "tiny", batch_size=4000) as client:
        assert client.description
        proxy[0].num_unavailable = 2
        assert len(client.predict(np.ones((num_genes, 8, 5), np.float32)).probability) == num_genes
    assert proxy[0].num_unavailable == 0


def test_gives_up_on_a_server_that_stays_away() -> None:
    with (
        Client("127.0.0.1:1", "tiny") as client,
        pytest.raises(ServerError, match=r"UNAVAILABLE.*Is the server running") as caught,
    ):
        client.status()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("signal", "marks", "message"),
    [
        (np.ones((2, 8, 4), np.float32), None, r"\(genes, 8 bins, 5 marks\). .*shape=\(2, 8, 4\)"),
        (np.ones((2, 5, 8), np.float32), None, r"shape=\(2, 5, 8\)"),
        (np.ones((8, 5), np.float32), None, r"shape=\(8, 5\)"),
        (np.ones((0, 8, 5), np.float32), None, r"at least one gene. .*shape=\(0, 8, 5\)"),
        (np.ones((2, 8, 5), np.int64), None, r"dtype=int64. Convert it"),
        (np.full((2, 8, 5), "3"), None, "dtype=<U1"),
        (np.full((2, 8, 5), np.nan), None, r"Received: nan \(gene 0, bin 0, mark H3K27me3"),
        (np.full((2, 8, 5), 1e300), None, "Received: inf"),
        (np.full((2, 8, 5), -1.0), None, r"log\(1 \+ signal\). Received: -1.0"),
        (np.ones((2, 8, 5)), MARKS[::-1], r"in this order.*marks=H3K9me3, H3K4me3"),
        (np.ones((2, 8, 5)), MARKS[:4], "Expected the marks H3K27me3"),
    ],
)
def test_refuses_what_the_model_does_not_expect(
    client: Client, signal: np.ndarray, marks: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        client.predict(signal, marks=marks)


def test_says_which_number_it_refuses(client: Client, signal: np.ndarray) -> None:
    signal[4, 6, 3] = np.nan
    with pytest.raises(InputError, match=r"nan \(gene 4, bin 6, mark H3K4me3"):
        client.predict(signal)


@pytest.mark.parametrize(
    ("name", "version", "code", "message"),
    [
        ("none", None, "NOT_FOUND", r"Servable not found for request: Latest\(none\)"),
        ("tiny", 4, "NOT_FOUND", r"Servable not found for request: Specific\(tiny, 4\)"),
        ("foreign", None, "FAILED_PRECONDITION", "Expected a model that describes itself"),
    ],
)
def test_says_what_the_server_refuses(
    server: LocalServer,
    signal: np.ndarray,
    name: str,
    version: int | None,
    code: str,
    message: str,
) -> None:
    with (
        Client(server.target, name, version) as client,
        pytest.raises(ServerError, match=message) as caught,
    ):
        client.predict(signal)
    assert caught.value.code.name == code


def test_says_when_the_time_is_up(signal: np.ndarray) -> None:
    # It takes connections and says nothing, however quick the machine.
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Client(f"127.0.0.1:{silent.getsockname()[1]}", "tiny", timeout_s=0.2) as client,
        pytest.raises(ServerError, match=r"DEADLINE_EXCEEDED.*timeout_s"),
    ):
        client.predict(signal)


@pytest.mark.parametrize("limit", [{"timeout_s": 0}, {"batch_size": 0}])
def test_refuses_limits_that_allow_nothing(limit: dict[str, int]) -> None:
    with pytest.raises(InputError, match="Expected a positive number"):
        Client("localhost:8500", "tiny", **limit)  # type: ignore[arg-type]


def test_many_threads_may_share_a_client(client: Client, signal: np.ndarray) -> None:
    expected = client.predict(signal).probability
    answers: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.predict(signal).probability))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    for answer in answers:
        np.testing.assert_allclose(answer, expected, atol=1e-6)


class Genes(tfds.core.GeneratorBasedBuilder):
    """A built dataset with one mark more, and the marks in another order."""

    VERSION = tfds.core.Version("1.0.0")
    NAME = "genes"
    MARKS = ("H3K27ac", *MARKS[::-1])
    SIGNAL = np.random.default_rng(5).poisson(3, (4, 8, 6)).astype(np.float32)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "signal": tfds.features.Tensor(shape=(8, 6), dtype=np.float32),
                    "gene_id": tfds.features.Text(),
                }
            ),
            metadata=tfds.core.MetadataDict(marks=list(self.MARKS), bin_bp=100, flank_bp=400),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"test": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, signal in enumerate(self.SIGNAL):
            yield number, {"signal": signal, "gene_id": f"ENSG{number:011d}"}


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def dataset_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = Genes(data_dir=tmp_path_factory.mktemp("data"), file_format=request.param)
    builder.download_and_prepare()
    return Path(builder.data_dir)


def write_csv(path: Path, signal: np.ndarray) -> Path:
    rows = [
        [f"{gene:06d}", bin_ + 1, *counts.astype(int), 1]
        for gene, bins in enumerate(signal)
        for bin_, counts in enumerate(bins)
    ]
    pd.DataFrame(rows).to_csv(path, header=False, index=False)
    return path


def run_main(server: LocalServer, *argv: str | Path, name: str = "tiny") -> int:
    return main(["--target", server.target, "--model", name, *map(str, argv)])


def test_command_predicts_the_genes_of_a_csv(
    server: LocalServer, model: keras.Model, signal: np.ndarray, tmp_path: Path
) -> None:
    csv = write_csv(tmp_path / "genes.csv", signal)
    out, attention = tmp_path / "out.csv", tmp_path / "attention.npz"
    assert run_main(server, "--csv", csv, "--out", out, "--attention", attention) == 0
    table = pd.read_csv(out, dtype={"gene_id": str})
    expected = {key: value.numpy() for key, value in model(signal, training=False).items()}
    assert list(table.columns[:4]) == ["gene_id", "probability", "top_mark", "top_bin"]
    assert list(table["gene_id"]) == [f"{gene:06d}" for gene in range(7)]
    np.testing.assert_allclose(table["probability"], expected["probability"], atol=1e-5)
    np.testing.assert_allclose(table[[f"beta_{m}" for m in MARKS]], expected["beta"], atol=1e-5)
    arrays = np.load(attention)
    assert list(arrays["marks"]) == list(MARKS)
    assert list(arrays["gene_id"]) == list(table["gene_id"])
    np.testing.assert_allclose(arrays["alpha"], expected["alpha"], atol=1e-5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["attention.npz", "genes.csv", "out.csv"]


def test_command_picks_the_marks_of_a_dataset_by_name(
    server: LocalServer,
    model: keras.Model,
    dataset_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main(server, "--dataset-dir", dataset_dir) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = model(Genes.SIGNAL[:, :, :0:-1], training=False)["probability"].numpy()
    assert [line.split(",")[0] for line in lines[1:]] == [f"ENSG{n:011d}" for n in range(4)]
    np.testing.assert_allclose(
        [float(line.split(",")[1]) for line in lines[1:]], expected, atol=1e-5
    )


def test_command_describes_the_model(
    server: LocalServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(server, "--describe") == 0
    about = json.loads(capsys.readouterr().out)
    assert about["version"] == 12
    assert about["marks"] == list(MARKS)
    assert about["status"] == {"3": "AVAILABLE", "12": "AVAILABLE"}


@pytest.mark.parametrize(
    ("options", "name", "message"),
    [
        (("--csv", "{tmp}/none.csv"), "tiny", "none.csv (No such file or directory)"),
        (("--csv", "{tmp}/genes.csv", "--out", "{tmp}/none/x.csv"), "tiny", "folder that exists"),
        (
            ("--csv", "{tmp}/genes.csv", "--csv-marks", *MARKS[:4], "H3K27ac"),
            "tiny",
            "without H3K9me3",
        ),
        (("--csv", "{tmp}/genes.csv"), "none", "NOT_FOUND"),
        (("--dataset-dir", "{tmp}"), "tiny", "dataset_info.json"),
        (("--dataset-dir", "{dataset}", "--split", "x"), "tiny", "one of the splits test"),
    ],
)
def test_command_refuses_in_one_line(
    server: LocalServer,
    dataset_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    name: str,
    message: str,
) -> None:
    write_csv(tmp_path / "genes.csv", np.ones((2, 8, 5)))
    options = tuple(option.format(tmp=tmp_path, dataset=dataset_dir) for option in options)
    assert run_main(server, *options, name=name) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.startswith("python -m serving.client: Expected")
    assert output.err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["genes.csv"]


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys, serving.client, serving.local; "
        "assert not {'tensorflow', 'keras_chrome', 'tfds_remc', 'export'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
