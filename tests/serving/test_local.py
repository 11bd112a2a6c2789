"""What the stand-in answers, asked with the plain stubs: TensorFlow Serving answers the same."""

import shutil
import signal as signals
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from asking import wait_until
from free_ports import free_ports
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.client import Client
from serving.command_line import parse
from serving.errors import InputError
from serving.local import LocalOptions, LocalServer
from serving.ports import listen
from serving.rest_client import RestClient
from serving.web.config import WebConfig

pytestmark = pytest.mark.serving
GENES = np.zeros((2, 8, 5), np.float32)


@pytest.fixture
def channel(server: LocalServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.target) as channel:
        yield channel


@pytest.fixture
def predictions(channel: grpc.Channel) -> Any:
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def predict_request(
    name: str = "tiny",
    version: int | None = None,
    signature: str = "predict",
    output_filter: tuple[str, ...] = (),
    **inputs: np.ndarray,
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def test_serves_every_version(server: LocalServer) -> None:
    assert server.models == {"foreign": [1], "tiny": [3, 12]}


@pytest.mark.parametrize(("version", "answering"), [(None, 12), (12, 12), (3, 3)])
def test_answers_with_the_highest_version_or_the_one_asked_for(
    predictions: Any, version: int | None, answering: int
) -> None:
    response = predictions.Predict(predict_request(version=version, signal=GENES))
    assert response.model_spec.name == "tiny"
    assert response.model_spec.version.value == answering
    assert response.model_spec.signature_name == "predict"
    assert list(response.outputs) == ["probability"]


def test_takes_the_default_signature_and_filters_outputs(predictions: Any) -> None:
    response = predictions.Predict(predict_request(signature="", signal=GENES))
    assert set(response.outputs) == {"probability", "alpha", "beta"}
    request = predict_request(signature="", output_filter=("beta",), signal=GENES)
    assert set(predictions.Predict(request).outputs) == {"beta"}


@pytest.mark.parametrize("shape", [(2, 8, 4), (8, 5)])
def test_the_graph_refuses_a_signal_of_another_shape(
    predictions: Any, shape: tuple[int, ...]
) -> None:
    """The other words: `stand_in/test_words.py`."""
    request = predict_request(signal=np.zeros(shape, np.float32))
    expected = f"[{','.join(map(str, shape))}] is not compatible with expected shape [?,8,5]"
    with pytest.raises(grpc.RpcError) as caught:
        predictions.Predict(request)
    assert caught.value.code().name == "INVALID_ARGUMENT"
    assert expected in caught.value.details()


def test_takes_a_request_over_grpcs_own_limit(server: LocalServer) -> None:
    """TensorFlow Serving takes up to 2 GiB; it is the client that stops at 4 MiB by default."""
    request = predict_request(signal=np.zeros((30_000, 8, 5), np.float32))
    assert request.ByteSize() > 4 * 2**20
    with grpc.insecure_channel(server.target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert stub.Predict(request).outputs["probability"].tensor_shape.dim[0].size == 30_000


@pytest.mark.slow
def test_command_says_when_it_is_ready_and_stops_when_interrupted(
    models_dir: Path, tmp_path: Path
) -> None:
    """At SIGTERM it stops likewise: `stand_in/test_faults.py`."""
    (tmp_path / "double").symlink_to(models_dir / "foreign")
    port = str(free_ports(1)[0])
    command = [sys.executable, "-m", "serving.local", "--models-dir", tmp_path, "--port", port]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            ready = f"Local stand-in for TensorFlow Serving on 127.0.0.1:{port}: double 1\n"
            assert process.stdout.readline() == ready
            process.send_signal(signals.SIGINT)
            assert process.communicate(timeout=60) == ("", "")
            assert process.returncode == 0
        finally:
            process.kill()


def test_listens_on_an_address_of_ipv6(quick_models_dir: Path) -> None:
    try:
        listen("::1", 0).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with (
        LocalServer(quick_models_dir, host="::1", rest_port=0) as server,
        Client(server.target, "tiny") as over_grpc,
        RestClient(server.rest_url or "", "tiny") as over_rest,
    ):
        assert server.target.startswith("[::1]:")
        assert over_grpc.status() == over_rest.status() == {12: "AVAILABLE"}


def test_refuses_a_port_in_use(server: LocalServer, models_dir: Path) -> None:
    port = int(server.target.rpartition(":")[2])
    with pytest.raises(OSError, match=r"127\.0\.0\.1:\d+ \(Address already in use\)"):
        LocalServer(models_dir, port=port)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ((), "Expected a folder of models"),
        (("models",), "Expected models as .*NAME/VERSION/saved_model.pb. Received: none"),
        (("models/tiny/latest", "models/.tiny-1/1"), "Received: none"),
        (("models/tiny/1",), "Received: .*models/tiny/1, which cannot be loaded"),
    ],
)
def test_refuses_a_folder_without_models(
    tmp_path: Path, folders: tuple[str, ...], message: str
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(InputError, match=message) as refused:
        LocalServer(tmp_path / "models")
    assert "\n" not in str(refused.value)


def test_refuses_a_saved_model_that_fails_its_warmup(models_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(models_dir / "tiny/12", tmp_path / "tiny/1")
    warmup = tmp_path / "tiny/1/assets.extra/tf_serving_warmup_requests"
    warmup.write_bytes(warmup.read_bytes().replace(b"saliency", b"salience"))
    with pytest.raises(InputError, match="tiny/1, which cannot be loaded"):
        LocalServer(tmp_path)


@pytest.fixture
def labelled_dir(quick_models_dir: Path, tmp_path: Path) -> Path:
    """`tiny` with versions 3, 12 and a `models.config`, and `other`, which that does not name."""
    for folder in ("tiny/3", "tiny/12", "other/1"):
        (tmp_path / folder).parent.mkdir(exist_ok=True)
        (tmp_path / folder).symlink_to(quick_models_dir / "tiny/12")
    write_config(tmp_path / "models.config")
    return tmp_path


def write_config(path: Path, base_path: str = "/models/tiny", stable: int = 3) -> None:
    labels = f'version_labels {{ key: "stable" value: {stable} }}'
    folder = f'base_path: "{base_path}" model_platform: "tensorflow"'
    model = f'name: "tiny" {folder} model_version_policy {{ all {{}} }} {labels}'
    path.write_text(f"model_config_list {{ config {{ {model} }} }}")


@pytest.mark.parametrize("base_path", ["/models/tiny", "/srv/models/tiny", "gs://bucket/tiny"])
@pytest.mark.parametrize("named", [None, "models.config", "."])
def test_reads_the_models_config_of_its_folder(
    labelled_dir: Path, base_path: str, named: str | None
) -> None:
    """As `--models-config` names it; it lies among its models, wherever a server has them."""
    write_config(labelled_dir / "models.config", base_path)
    options = {} if named is None else {"models_config": labelled_dir / named}
    with (
        LocalServer(labelled_dir, **options) as server,
        Client(server.target, "tiny", label="stable") as client,
    ):
        assert client.description.version == 3
        assert server.models == {"tiny": [3, 12]}
        assert server.left_out == ["other"]
        assert server.served.startswith("tiny 3 (stable), 12, as ")


def test_a_models_config_that_comes_later_is_followed_and_stays(labelled_dir: Path) -> None:
    config = labelled_dir / "models.config"
    config.unlink()
    with LocalServer(labelled_dir, poll_wait_s=0.02) as server:
        assert server.models == {"other": [1], "tiny": [12]}
        write_config(config)
        wait_until(lambda: server.models == {"tiny": [3, 12]})
        config.unlink()
        write_config(labelled_dir / "new.config", stable=12)
        (labelled_dir / "new.config").rename(config)
        wait_until(lambda: "12 (stable)" in server.served)


def test_another_models_config_is_taken_as_it_is(labelled_dir: Path, tmp_path: Path) -> None:
    write_config(tmp_path / "other.config", "/srv/models/tiny")
    with pytest.raises(InputError, match="to lie in the folder of models"):
        LocalServer(labelled_dir, models_config=tmp_path / "other.config")


@pytest.mark.parametrize(
    "option", ["--models-config", "--model-config-file", "--model_config_file"]
)
def test_the_file_has_one_name_and_answers_to_that_of_tensorflow_serving(option: str) -> None:
    options = parse(LocalOptions, ["--models", "m", option, "m/x.config"], prog="", description="")
    assert options.models_config == Path("m/x.config")
    of_page = parse(WebConfig, [option, "m/x.config"], prog="", description="")
    assert of_page.models_config == Path("m/x.config")


def test_says_what_is_served_to_whom_asks_for_something_else(
    labelled_dir: Path, predictions: Any, server: LocalServer
) -> None:
    """Beside the words of TensorFlow Serving, which has none for it."""
    with pytest.raises(grpc.RpcError) as refused:
        predictions.Predict(predict_pb2.PredictRequest(model_spec={"name": "nope"}))
    assert refused.value.details() == "Servable not found for request: Latest(nope)"
    beside = dict(refused.value.trailing_metadata())
    assert beside["keras-chrome-served"] == "foreign 1; tiny 3 (stable), 12 (canary)"
    with requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=60) as metrics:
        loaded = ':tensorflow:cc:saved_model:load_attempt_count{model_path="/models/tiny/12",status'
        assert loaded in metrics.text
