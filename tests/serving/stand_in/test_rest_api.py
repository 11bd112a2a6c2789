"""The REST interface, as clients of TensorFlow Serving know it."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from serving.local import LocalServer
from serving.stand_in.servable import Servable

pytestmark = pytest.mark.serving
GENES = np.random.default_rng(0).poisson(3, (3, 8, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(models_dir: Path) -> dict[str, np.ndarray]:
    """What the model says of the genes, asked without a server."""
    servable = Servable("tiny", 12, models_dir / "tiny/12")
    return servable.predict("serving_default", {"signal": GENES})


def ask(server: LocalServer, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer; without a body it is a GET."""
    url = f"{server.rest_url}/v1/models/{path}"
    if body is None:
        response = requests.get(url, timeout=20)
    else:
        data = body if isinstance(body, bytes) else json.dumps(body)
        response = requests.post(url, data=data, timeout=20)
    return response.status_code, response.json()


@pytest.mark.parametrize("path", ["tiny", "tiny/versions/3", "tiny/labels/canary"])
def test_answers_by_column(server: LocalServer, expected: dict[str, np.ndarray], path: str) -> None:
    status, answer = ask(server, f"{path}:predict", {"inputs": {"signal": GENES.tolist()}})
    assert status == 200
    for key, value in expected.items():
        np.testing.assert_allclose(answer["outputs"][key], value, atol=1e-6)


def test_answers_by_row(server: LocalServer, expected: dict[str, np.ndarray]) -> None:
    rows = [{"signal": gene.tolist()} for gene in GENES]
    status, answer = ask(server, "tiny:predict", {"instances": rows})
    assert status == 200
    for number, row in enumerate(answer["predictions"]):
        assert row.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(row[key], value[number], atol=1e-6)


def test_a_single_input_and_output_may_go_without_names(
    server: LocalServer, expected: dict[str, np.ndarray]
) -> None:
    for body, key in (("inputs", "outputs"), ("instances", "predictions")):
        request = {"signature_name": "predict", body: GENES.tolist()}
        status, answer = ask(server, "tiny:predict", request)
        assert status == 200
        np.testing.assert_allclose(answer[key], expected["probability"], atol=1e-6)


def test_answers_text(server: LocalServer) -> None:
    request = {"signature_name": "describe", "inputs": {"query": [0]}}
    status, answer = ask(server, "tiny:predict", request)
    assert status == 200
    assert json.loads(answer["outputs"][0])["variant"] == "attentive_chrome"


def test_tells_status_and_metadata(server: LocalServer) -> None:
    status, answer = ask(server, "tiny")
    assert status == 200
    assert [v["version"] for v in answer["model_version_status"]] == ["12", "3"]
    assert {v["state"] for v in answer["model_version_status"]} == {"AVAILABLE"}
    assert ask(server, "tiny/labels/stable")[1]["model_version_status"][0]["version"] == "3"
    status, answer = ask(server, "tiny/metadata")
    assert answer["model_spec"]["version"] == "12"
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["predict"]["inputs"]["signal"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("none:predict", {"inputs": [1]}, 404, "Servable not found for request: Latest(none)"),
        ("tiny/versions/4:predict", {"inputs": [1]}, 404, "Specific(tiny, 4)"),
        ("tiny/labels/x:predict", {"inputs": [1]}, 400, "Unrecognized servable version label: x"),
        (f"tiny/versions/{2**70}:predict", {"inputs": [1]}, 400, "Failed to convert version"),
        ("tiny:predict", b"{", 400, "JSON Parse error"),
        ("tiny:predict", b"[" * 100_000, 400, "JSON Parse error"),
        ("tiny:predict", b'{"inputs": [NaN]}', 400, "JSON Parse error: Invalid value. NaN"),
        ("tiny:predict", b"\xff\xfe", 400, "JSON Parse error"),
        ("tiny:predict", [1], 400, "expected a JSON object"),
        ("tiny:predict", {}, 400, "expected one of the keys"),
        ("tiny:predict", {"inputs": [1], "instances": [1]}, 400, "expected one of the keys"),
        ("tiny:predict", {"instances": []}, 400, "a list that is not empty"),
        ("tiny:predict", {"instances": 5}, 400, "a list that is not empty"),
        ("tiny:predict", {"instances": [{"signal": [1]}, {"x": [1]}]}, 400, "the same inputs"),
        ("tiny:predict", {"inputs": {"x": [1]}}, 400, "signal not found in request"),
        ("tiny:predict", {"inputs": {"signal": [[1], [1, 2]]}}, 400, "Failed to process element"),
        ("tiny:predict", {"inputs": {"signal": ["a"]}}, 400, "Failed to process element"),
        ("tiny:predict", {"inputs": {"signal": [1]}}, 400, "not compatible with expected shape"),
        ("tiny:predict", {"inputs": {"signal": 1}}, 400, "at least one dimension"),
        (
            "tiny:predict",
            {"inputs": [1], "signature_name": "x"},
            400,
            'Serving signature name: "x" not found in signature def',
        ),
        ("tiny:predict", {"inputs": [1], "signature_name": ["x"]}, 400, "not found in signature"),
        ("..%2Ftiny:predict", {"inputs": [1]}, 404, ""),
    ],
)
def test_refuses(server: LocalServer, path: str, body: Any, status: int, error: str) -> None:
    url = f"{server.rest_url}/v1/models/{path}"
    data = body if isinstance(body, bytes) else json.dumps(body)
    response = requests.post(url, data=data, timeout=20)
    assert response.status_code == status
    if error:
        assert error in response.json()["error"]


def test_refuses_a_body_that_is_too_large(quick_models_dir: Path) -> None:
    with LocalServer(quick_models_dir, rest_port=0, max_message_bytes=2**20) as server:
        status, answer = ask(server, "tiny:predict", b" " * (2**20 + 1))
        assert (status, answer["error"]) == (429, "Received message larger than max (1048576)")
        # Also where its length is not told beforehand.
        url = f"{server.rest_url}/v1/models/tiny:predict"
        parts = (b"0" * 2**16 for _ in range(100))
        assert requests.post(url, data=parts, timeout=20).status_code == 429
        assert ask(server, "tiny")[0] == 200


def test_tells_prometheus_what_it_did(quick_models_dir: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with LocalServer(quick_models_dir, rest_port=0) as server:
        body = {"signature_name": "predict", "inputs": GENES.tolist()}
        threads = [
            threading.Thread(target=ask, args=(server, "tiny:predict", body)) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ask(server, "tiny:predict", b"{")
        ask(server, "made-up:predict", body)
        response = requests.get(f"{server.rest_url}/monitoring/prometheus/metrics", timeout=20)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert samples[":tensorflow:serving:request_count", "OK", "tiny"] == 5
    assert samples[":tensorflow:serving:request_count", "INVALID_ARGUMENT", "tiny"] == 1
    # What strangers ask for does not become a label.
    assert samples[":tensorflow:serving:request_count", "", "NOT_FOUND"] == 1
    assert samples[":tensorflow:serving:request_latency_count", "REST", "predict", "tiny"] == 6
    assert samples[(":tensorflow:serving:batching_session:batch_size_sum",)] == 15
    assert samples["keras_chrome:available", "12", "tiny"] == 1
    assert samples[("keras_chrome:waiting",)] == 0
